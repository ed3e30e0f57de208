//! Retrievals are spent only once somebody has agreed, and once.

use serde_json::json;
use test_harness::{Stack, days_ago};

use crate::command::{command, json, remembers, run};

#[tokio::test]
async fn nothing_is_spent_that_nobody_agreed_to() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    let (from, to) = (days_ago(30), days_ago(0));
    let ended = run(&["backfill", &link.id, "--from", &from, "--to", &to]).await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended.stderr.contains("1 long and 0 short retrievals"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("--yes"), "{ended:?}");
    assert_eq!(link.retrievals().await, 0);
}

#[tokio::test]
async fn a_backfill_spends_what_it_said_and_waits_for_the_rows() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    // More than a year: two long retrievals.
    let (from, to) = (days_ago(500), days_ago(0));
    let arguments = [
        "backfill", &link.id, "--from", &from, "--to", &to, "--wait", "--yes",
    ];
    let report = json(&arguments, 0).await;
    assert_eq!(report["plan"]["links"][0]["long"], 2, "{report}");
    for retrieval in report["retrievals"].as_array().unwrap() {
        assert_eq!(retrieval["request"]["status"], "collected", "{report}");
    }
    assert_eq!(link.retrievals().await, 2);
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn what_belvo_or_the_quota_would_refuse_is_not_sent() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    let ten_years = days_ago(3_650);
    let arguments = [
        "backfill",
        &link.id,
        "--from",
        &ten_years,
        "--to",
        &days_ago(0),
        "--yes",
    ];
    let report = json(&arguments, 3).await;
    assert_eq!(
        report["plan"]["links"][0]["skipped"], "quota is used up",
        "{report}"
    );
    assert_eq!(report["retrievals"], json!([]));
    assert_eq!(link.retrievals().await, 0);
}

#[tokio::test]
async fn a_backfill_that_was_interrupted_spends_nothing_twice() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    // The webhook never comes, so that the first command waits.
    link.misbehave(json!({"on": "webhook", "times": 1, "action": {"drop": true}}))
        .await;
    let state = tempfile::tempdir().unwrap();
    let (from, to) = (days_ago(100), days_ago(90));
    let arguments = [
        "backfill", &link.id, "--from", &from, "--to", &to, "--wait", "--yes",
    ];
    let child = command(&arguments, state.path()).spawn().unwrap();
    let id = test_harness::eventually("the retrieval", || async {
        let requests = stack
            .get(&format!("/links/{}/requests", link.id))
            .await
            .body;
        requests["requests"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    remembers(state.path(), &id).await;
    crate::command::kill(child).await;
    let resumed = [&arguments[..], &["--resume", "--json"]].concat();
    let waiting = command(&resumed, state.path()).spawn().unwrap();
    link.notify(json!({"request_id": id})).await;
    let ended = waiting.wait_with_output().await.unwrap();

    assert!(ended.status.success(), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stdout).contains(&id));
    assert_eq!(link.retrievals().await, 1);
}
