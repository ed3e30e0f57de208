//! Each cause for which a transaction may be missing, produced at the sandbox.

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use test_harness::{Link, Stack, days_ago, eventually};

use crate::command::{json, register, registered};

/// The answer about a transaction, whose cause must be this one.
async fn why(link: &Link<'_>, what: &[&str], cause: &str) -> Value {
    let code = if cause == "there_after_all" { 0 } else { 3 };
    let answer = json(&[&["why-missing", &link.id], what].concat(), code).await;
    assert_eq!(answer["cause"], cause, "{answer}");
    answer
}

#[tokio::test]
async fn it_is_there_after_all() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(20).await;
    let record = link.collect().await;
    let row = link.newest().await;
    let answer = why(&link, &["--id", &row], "there_after_all").await;
    assert_eq!(answer["evidence"][0]["request"], record["id"]);
}

#[tokio::test]
async fn belvo_no_longer_has_it() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(20).await;
    link.collect().await;
    let row = link.newest().await;
    link.delete(&row).await;
    let record = link.collect().await;
    let answer = why(&link, &["--id", &row], "deleted_by_belvo").await;
    assert_eq!(answer["evidence"][1]["request"], record["id"], "{answer}");
    assert!(answer["evidence"][1]["at"].is_string(), "{answer}");
}

#[tokio::test]
async fn it_could_not_be_stored() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(10).await;
    let row = link.newest().await;
    let mut dice = StdRng::seed_from_u64(1);
    let noise: String = (0..900_000).map(|_| dice.random_range('!'..='~')).collect();
    link.amend(&row, json!({"observations": noise})).await;
    link.retrieve_until("incomplete").await;
    let answer = why(&link, &["--id", &row], "left_out").await;
    assert_eq!(
        answer["evidence"][0]["what"],
        json!(format!("{row}: refused"))
    );
}

#[tokio::test]
async fn it_is_under_another_link_of_the_same_user() {
    let stack = Stack::of_this_run();
    let (older, external_id) = registered(&stack, 20).await;
    older.collect().await;
    let newer = older.reconnect().await;
    let fields = json!({"external_id": external_id});
    stack.sandbox.patch_link(&newer.id, fields).await.unwrap();
    register(&stack, &newer, &external_id).await;
    newer.collect().await;
    let row = older.newest().await;
    let answer = why(&newer, &["--id", &row], "under_another_link").await;
    assert_eq!(answer["evidence"][0]["link"], json!(older.id));
    // The row of that day that the newer link has is marked as its duplicate.
    let own = newer.newest().await;
    let answer = why(&newer, &["--id", &own], "there_after_all").await;
    assert_eq!(answer["evidence"][1]["link"], json!(older.id), "{answer}");
}

#[tokio::test]
async fn nobody_ever_asked_for_it() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    let answer = why(&link, &["--day", &days_ago(3)], "never_asked_for").await;
    assert!(
        answer["next"].to_string().contains("belvo-ingest backfill"),
        "{answer}"
    );
}

#[tokio::test]
async fn it_is_outside_every_window() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(20).await;
    let request = stack.request(&link.days(10, 0)).await.body["request_id"].clone();
    let request = request.as_str().unwrap();
    stack.request_with_status(request, "collected").await;
    let answer = why(&link, &["--day", &days_ago(100)], "outside_every_window").await;
    assert_eq!(answer["evidence"][0]["request"], json!(request), "{answer}");
}

#[tokio::test]
async fn belvo_counts_more_rows_than_it_lists() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    link.misbehave(json!({"on": "get", "action": {"lose_rows": 3}}))
        .await;
    let record = link.retrieve_until("short").await;
    let answer = why(&link, &["--day", &days_ago(3)], "short").await;
    assert_eq!(answer["evidence"][0]["request"], record["id"], "{answer}");
    assert!(answer.to_string().contains("Belvo 40, here 37"), "{answer}");
}

#[tokio::test]
async fn it_may_still_come() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    link.misbehave(json!({"on": "webhook", "action": {"drop": true}}))
        .await;
    let id = link.retrieve().await;
    let answer = why(&link, &["--day", &days_ago(3)], "under_way").await;
    assert_eq!(answer["next"][0], json!(format!("belvo-ingest tail {id}")));
}

#[tokio::test]
async fn the_link_is_blocked() {
    let stack = Stack::of_this_run();
    let (link, _) = registered(&stack, 5).await;
    let event = stack.sandbox.event(&link.id, "token_required").await;
    event.unwrap();
    eventually("the link to be blocked", || async {
        let link = stack.get(&format!("/links/{}", link.id)).await.body;
        link["blocked"].is_object().then_some(())
    })
    .await;
    let answer = why(&link, &["--day", &days_ago(3)], "blocked").await;
    assert!(
        answer["next"][0].as_str().unwrap().contains("log in again"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_request_that_should_have_brought_it_failed() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    let error = json!({"error": {"code": "login_error"}});
    link.misbehave(json!({"on": "get", "action": error})).await;
    let record = link.retrieve_until("failed").await;
    let answer = why(&link, &["--day", &days_ago(3)], "failed").await;
    assert_eq!(answer["evidence"][0]["request"], record["id"], "{answer}");
    assert!(answer.to_string().contains("login_error"), "{answer}");
}

#[tokio::test]
async fn belvo_did_not_list_it() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(0).await;
    link.collect().await;
    let answer = why(&link, &["--day", &days_ago(3)], "not_at_belvo").await;
    assert!(
        answer["evidence"][0]["what"]
            .as_str()
            .unwrap()
            .contains("complete"),
        "{answer}"
    );
}
