//! docs/OPERATIONS.md: each of its commands is run on a stack of its own, and its output compared
//! with the page. `make operations` writes the outputs anew.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod normal;
mod page;
mod scenario;

use std::path::{Path, PathBuf};

use tests::Stack;
use tokio::process::Command;

use crate::{normal::normal, page::Page, scenario::Scenario};

#[tokio::test]
#[ignore = "needs a stack on which nothing else happens: `make test` and `make operations`"]
async fn the_commands_of_the_page_answer_what_it_shows() {
    let stack = Stack::of_this_run();
    let scenario = Scenario::play(&stack).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md");
    let page = Page::read(&std::fs::read_to_string(&file).unwrap());

    let mut outputs = Vec::new();
    for block in page.blocks() {
        outputs.push(answer(&scenario, &block.command).await);
    }

    if is_to_be_written() {
        std::fs::write(&file, page.with(&outputs)).unwrap();
        return;
    }
    assert!(outputs.len() >= 11, "one for each question");
    for (block, output) in page.blocks().zip(&outputs) {
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
