//! A short load on the functions that `make functions` has built.

#![expect(clippy::expect_used, reason = "a test")]

use std::{os::unix::fs::symlink, path::Path, process::Command};

use tempfile::TempDir;

const FUNCTIONS: [&str; 5] = ["collect", "publish", "query", "request", "webhook"];

#[test]
fn nothing_is_lost_while_functions_are_killed_and_the_queue_fails() {
    let functions = executables();
    let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
    let load = load
        .args(["processes", "--seed=1", "--links=20", "--webhooks=300"])
        .args(["--at-once=20", "--kills=60", "--queue-failures=50"])
        .arg("--functions")
        .arg(functions.path())
        .arg("--results")
        .arg(functions.path().join("results.json"));
    let output = load.output().expect("the load starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complained}");
}

/// A folder of the functions' executables under their names.
fn executables() -> TempDir {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local/target/lambda");
    let folder = tempfile::tempdir().expect("a folder");
    for function in FUNCTIONS {
        let executable = built.join(function).join("bootstrap");
        assert!(
            executable.exists(),
            "{} is missing: run `make functions`",
            executable.display()
        );
        symlink(executable, folder.path().join(function)).expect("a link");
    }
    folder
}
