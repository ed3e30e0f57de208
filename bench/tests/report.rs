//! What `make quote` runs: `bench report`, on a copy of the committed results and documents.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

const RESULTS: &str = "bench/results";
const SUMMARY: &str = "bench/results/summary.md";
const DOCUMENTS: [&str; 2] = ["README.md", "docs/PERFORMANCE.md"];
/// What tables depend on besides the results.
const FACTS: [&str; 3] = ["template.yaml", "bench/prices.json", "bench/budget.json"];

#[test]
fn the_documents_and_the_summary_are_what_is_made_of_the_committed_results() {
    let copy = copy();
    for document in DOCUMENTS {
        let emptied = without_tables(&committed(document));
        assert_ne!(emptied, committed(document), "{document} quotes nothing");
        fs::write(copy.path().join(document), emptied).unwrap();
    }
    let output = report(&copy, &["--quote"]);

    assert!(output.status.success(), "{output:?}");
    for file in [SUMMARY, DOCUMENTS[0], DOCUMENTS[1]] {
        let made = fs::read_to_string(copy.path().join(file)).unwrap();
        assert!(made == committed(file), "{file}: run `make quote`");
    }
    let printed = String::from_utf8(output.stdout).unwrap();
    let (targets, _) = printed.split_once("\n\n").unwrap();
    assert!(committed(SUMMARY).contains(targets), "{printed}");
}

#[test]
fn documents_are_filled_only_when_that_is_asked_for() {
    let copy = copy();
    let document = copy.path().join(DOCUMENTS[0]);
    let emptied = without_tables(&committed(DOCUMENTS[0]));
    fs::write(&document, &emptied).unwrap();
    assert!(report(&copy, &[]).status.success());
    assert_eq!(fs::read_to_string(document).unwrap(), emptied);
}

#[test]
fn what_is_not_measured_is_said_and_left_as_it_is() {
    let copy = copy();
    fs::remove_file(copy.path().join(RESULTS).join("sizes.json")).unwrap();
    let output = report(&copy, &["--quote"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "no table of sizes: not all of it was measured\n");

    let document = copy.path().join(DOCUMENTS[1]);
    let made = fs::read_to_string(document).unwrap();
    let committed = committed(DOCUMENTS[1]);
    assert_ne!(made, committed, "targets about sizes are quoted");
    assert_eq!(block(&made, "sizes"), block(&committed, "sizes"));
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn committed(file: &str) -> String {
    fs::read_to_string(checkout().join(file)).unwrap()
}

/// All that the program reads and writes, in a directory of its own.
fn copy() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let results = fs::read_dir(checkout().join(RESULTS)).unwrap();
    let results = results.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let results = results.filter(|name| Path::new(name).extension().is_some_and(|of| of == "json"));
    let results = results.map(|name| format!("{RESULTS}/{name}"));
    let others = FACTS.into_iter().chain(DOCUMENTS).map(str::to_owned);
    for file in results.chain(others) {
        let to = copy.path().join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(checkout().join(&file), to).unwrap();
    }
    copy
}

fn report(copy: &TempDir, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command
        .current_dir(copy)
        .args(["report", "--results", RESULTS]);
    command.args(options).output().unwrap()
}

/// The document with empty blocks.
fn without_tables(document: &str) -> String {
    let mut in_block = false;
    let lines = document.split_inclusive('\n').filter(|line| {
        let ends = line.starts_with("<!-- end -->");
        in_block = (in_block || line.starts_with("<!-- figures: ")) && !ends;
        !in_block || line.starts_with("<!-- figures: ")
    });
    lines.collect()
}

/// What stands in a block.
fn block<'a>(document: &'a str, name: &str) -> &'a str {
    let (_, block) = document
        .split_once(&format!("<!-- figures: {name} -->"))
        .unwrap();
    block.split_once("<!-- end -->").unwrap().0
}
