//! Runs the command.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use serde_json::Value;
use test_harness::{Link, Stack, eventually};
use tokio::process::{Child, Command};

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that is not started yet, and whose state is kept in `state`.
pub(crate) fn command(arguments: &[&str], state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belvo-ingest"));
    command
        .args(arguments)
        .env("XDG_STATE_HOME", state)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs the command to its end.
pub(crate) async fn run(arguments: &[&str]) -> Ended {
    let state = tempfile::tempdir().unwrap();
    Ended::from(command(arguments, state.path()).output().await.unwrap())
}

/// Runs the command, which must end with this code, and returns its JSON.
pub(crate) async fn json(arguments: &[&str], code: i32) -> Value {
    let ended = run(&[arguments, &["--json"]].concat()).await;
    assert_eq!(ended.code, code, "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// Waits until a command has written down that it has taken the step that this names.
pub(crate) async fn remembers(state: &Path, step: &str) {
    eventually(&format!("{step} to be remembered"), || async {
        let files = std::fs::read_dir(state.join("belvo-ingest"))
            .ok()?
            .flatten();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.collect::<String>().contains(step).then_some(())
    })
    .await;
}

/// Ends a command as a crash does.
pub(crate) async fn kill(mut child: Child) {
    child.kill().await.unwrap();
}

/// A link with this many rows in the last year that is registered under an id of its own.
pub(crate) async fn registered(stack: &Stack, rows: u64) -> (Link<'_>, String) {
    let external_id = uuid::Uuid::new_v4().to_string();
    let link = serde_json::json!({"access_mode": "recurrent", "transactions": rows,
        "external_id": external_id});
    let link = stack.link(link).await;
    register(stack, &link, &external_id).await;
    (link, external_id)
}

pub(crate) async fn register(stack: &Stack, link: &Link<'_>, external_id: &str) {
    let body = serde_json::json!({"link": link.id, "external_id": external_id});
    let answer = stack.post("/links", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
