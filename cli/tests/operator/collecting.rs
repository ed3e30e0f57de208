//! Links are read again, also after a crash.

use serde_json::json;
use test_harness::{Stack, days_ago};

use crate::command::{command, json, kill, remembers, run};

#[tokio::test]
async fn links_are_read_again_without_a_retrieval() {
    let stack = Stack::of_this_run();
    let (one, two) = (
        stack.recurrent_link(10).await,
        stack.recurrent_link(10).await,
    );
    for link in [&one, &two] {
        link.collect().await;
        link.add(2, &days_ago(1)).await;
    }

    let report = json(&["collect", &one.id, &two.id, "--wait"], 0).await;

    for link in [&one, &two] {
        link.assert_equals_the_sandbox().await;
        assert_eq!(link.retrievals().await, 1, "reading again is free");
    }
    for asked in report["links"].as_array().unwrap() {
        assert_eq!(asked["collected"]["added"], 2, "{report}");
        assert_eq!(asked["collected"]["verdict"], "complete");
    }
}

#[tokio::test]
async fn a_link_that_cannot_be_read_holds_up_no_other_and_is_named() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    link.collect().await;
    let unknown = uuid::Uuid::new_v4().to_string();

    let report = json(&["collect", &unknown, &link.id, "--wait"], 3).await;

    let links = report["links"].as_array().unwrap();
    let of = |id: &str| {
        links
            .iter()
            .find(|asked| asked["link"] == json!(id))
            .unwrap()
    };
    assert_eq!(of(&unknown)["refused"]["status"], 404, "{report}");
    assert_eq!(of(&link.id)["collected"]["verdict"], "complete", "{report}");
}

#[tokio::test]
async fn a_failed_reading_needs_attention() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    link.collect().await;
    let error = json!({"error": {"code": "login_error"}});
    link.misbehave(json!({"on": "get", "action": error})).await;

    let ended = run(&["collect", &link.id, "--wait"]).await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stdout.contains("login_error"), "{ended:?}");
}

#[tokio::test]
async fn a_command_that_was_killed_is_resumed_without_asking_twice() {
    let stack = Stack::of_this_run();
    let (one, two) = (stack.recurrent_link(5).await, stack.recurrent_link(5).await);
    one.collect().await;
    two.collect().await;
    // Nothing ends while the first command runs.
    for link in [&one, &two] {
        let hang = json!({"on": "get", "times": 1, "action": {"delay_ms": 8_000}});
        link.misbehave(hang).await;
    }
    let state = tempfile::tempdir().unwrap();
    let arguments = ["collect", &one.id, &two.id, "--wait"];
    let child = command(&arguments, state.path()).spawn().unwrap();
    for link in [&one, &two] {
        remembers(state.path(), &link.id).await;
    }
    kill(child).await;

    let resumed = [&arguments[..], &["--resume", "--json"]].concat();
    let ended = command(&resumed, state.path()).output().await.unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(
        [asked(&stack, &one.id).await, asked(&stack, &two.id).await],
        [1, 1]
    );

    let again = command(&resumed, state.path()).output().await.unwrap();
    assert_eq!(
        again.status.code(),
        Some(2),
        "nothing is left to be resumed: {again:?}"
    );
}

/// How often a link was asked for.
async fn asked(stack: &Stack, link: &str) -> usize {
    let logs = stack.function_logs().await;
    let lines = logs
        .lines()
        .filter(|line| line.contains("\"collection_asked\""));
    lines.filter(|line| line.contains(link)).count()
}
