//! What makes a failure worth reporting: it can be repeated, and what the simulation is known to
//! find can still be planted.

#![expect(clippy::expect_used, reason = "a test")]

use std::{fs, path::Path, process::Command};

/// What a command prints of the trace of its last run.
fn last_trace(arguments: &[&str]) -> String {
    let mut simulation = Command::new(env!("CARGO_BIN_EXE_simulation"));
    let output = simulation.args(arguments).arg("--verbose").output();
    let output = output.expect("the simulation starts");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("a text");
    let trace = printed.lines().rfind(|line| line.starts_with("trace "));
    trace.expect("a trace").to_owned()
}

#[test]
fn a_seed_repeats_every_request_at_its_time() {
    let alone = last_trace(&["--seed", "7"]);
    assert_eq!(last_trace(&["--seed", "7"]), alone);
    let behind_others = last_trace(&["--seed", "5", "--runs", "3"]);
    assert_eq!(behind_others, alone);
    assert_ne!(last_trace(&["--seed", "8"]), alone);
}

#[test]
fn planted_faults_still_apply() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let patches = fs::read_dir(here.join("faults")).expect("a folder");
    let patches: Vec<_> = patches.map(|file| file.expect("a file").path()).collect();
    assert!(patches.len() >= 15, "{patches:?}");
    for patch in patches {
        let mut git = Command::new("git");
        let check = git
            .current_dir(here.join("../.."))
            .args(["apply", "--check"]);
        let status = check.arg(&patch).status().expect("git starts");
        assert!(status.success(), "{} does not apply", patch.display());
    }
}
