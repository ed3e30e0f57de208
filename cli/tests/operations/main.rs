//! docs/OPERATIONS.md and docs/INCIDENT.md: each command of a page is run on a stack of its own, and
//! its output compared with the page. `make operations` writes the outputs anew.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod night;
mod normal;
mod page;
mod scenario;

use std::path::{Path, PathBuf};

use test_harness::Stack;
use tokio::process::Command;

use crate::{night::Night, normal::normal, page::Page, scenario::Scenario};

#[tokio::test]
#[ignore = "needs a stack on which nothing else happens: `make test` and `make operations`"]
async fn the_commands_of_the_page_answer_what_it_shows() {
    let stack = Stack::of_this_run();
    let scenario = Scenario::play(&stack).await;
    let (file, page) = read("OPERATIONS.md");

    let mut outputs = Vec::new();
    for block in page.blocks() {
        outputs.push(answer(&scenario, &block.command).await);
    }
    assert!(outputs.len() >= 11, "one for each question");
    compare(&file, &page, &outputs);
}

#[tokio::test]
#[ignore = "needs a stack on which nothing else happens: `make test` and `make operations`"]
async fn a_night_on_which_webhooks_are_refused_ends_with_every_row() {
    let stack = Stack::of_this_run();
    let night = Night::begin(&stack).await;
    let (file, page) = read("INCIDENT.md");

    let mut outputs = Vec::new();
    for (number, block) in page.blocks().enumerate() {
        night.before(number).await;
        outputs.push(answer(&night.scenario, &block.command).await);
    }
    night.end().await;
    compare(&file, &page, &outputs);
}

/// A page of docs.
fn read(name: &str) -> (PathBuf, Page) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    let page = Page::read(&std::fs::read_to_string(&file).unwrap());
    (file, page)
}

/// Compares outputs with the page, or writes them into it.
fn compare(file: &Path, page: &Page, outputs: &[String]) {
    if is_to_be_written() {
        std::fs::write(file, page.with(outputs)).unwrap();
        return;
    }
    for (block, output) in page.blocks().zip(outputs) {
        let (shown, now) = (normal(&block.output), normal(output));
        assert_eq!(now, shown, "{}: run `make operations`", block.command);
    }
}

/// What a command of the page answers, with the values of the scenario for its variables.
async fn answer(scenario: &Scenario, command: &str) -> String {
    let words = command.split_whitespace().skip(1);
    let arguments = words.map(|word| scenario.value_of(word));
    let output = Command::new(program())
        .args(arguments)
        .env("XDG_STATE_HOME", std::env::temp_dir())
        .output()
        .await
        .unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{command}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_belvo-ingest"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "`make operations` says so in the environment"
)]
fn is_to_be_written() -> bool {
    std::env::var("WRITE_OPERATIONS").is_ok()
}
