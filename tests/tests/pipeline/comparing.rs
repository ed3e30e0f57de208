//! The verdict: what was fetched against what Belvo's pages count, and what is stored against what
//! the webhook declared.

use serde_json::{Value, json};
use test_harness::{Stack, days_ago, eventually};

use crate::metrics;

fn check<'a>(record: &'a Value, what: &str) -> &'a Value {
    let checks = record["compared"].as_array().expect("checks");
    checks
        .iter()
        .find(|check| check["what"] == what)
        .unwrap_or_else(|| panic!("{what} in {record}"))
}

#[tokio::test]
async fn everything_the_webhook_declares_is_compared_with_the_store() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(200).await;

    let record = link.collect().await;

    assert_eq!(record["verdict"], "complete");
    for what in [
        "rows_of_pages",
        "total_transactions",
        "total_inflow_transactions",
        "total_outflow_transactions",
        "first_transaction_date",
        "last_transaction_date",
    ] {
        let check = check(&record, what);
        assert_eq!(
            (&check["verdict"], &check["belvo"]),
            (&json!("complete"), &check["ours"]),
            "{what}"
        );
        assert!(!check["belvo"].is_null());
    }
}

#[tokio::test]
async fn declared_rows_that_are_missing_show_in_the_verdict_and_the_log() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;

    let record = link
        .notify_until("short", json!({"data": {"total_transactions": 52}}))
        .await;

    assert_eq!(
        (
            &record["verdict"],
            &check(&record, "rows_of_pages")["verdict"]
        ),
        (&json!("short by 12"), &json!("complete"))
    );
    let declared = check(&record, "total_transactions");
    assert_eq!(
        (&declared["belvo"], &declared["ours"]),
        (&json!(52), &json!(40))
    );

    let id = record["id"].as_str().unwrap();
    let logged = metrics::logged(&stack, &[id, "rows_collected"]).await;
    assert_eq!(logged["fields"]["verdict"], "short by 12");
    let missing = metrics::value(&stack, "MissingRows", &logged).await;
    assert_eq!(missing, None, "they are still looked for");
}

#[tokio::test]
async fn more_rows_than_declared_are_no_loss() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    let record = link
        .notify_and_collect(json!({"data": {"total_transactions": 30}}))
        .await;
    assert_eq!(record["verdict"], "over by 10");
}

#[tokio::test]
async fn totals_of_other_days_do_not_affect_a_requests_verdict() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(60).await;
    link.misbehave(json!({"on": "webhook", "times": 1, "action": {"drop": true}}))
        .await;
    let id = stack.request(&link.days(6, 0)).await.body["request_id"]
        .as_str()
        .unwrap()
        .to_owned();

    // A webhook about the whole year.
    let mut body = link.webhook("TRANSACTIONS", "historical_update", Some(&id));
    body["data"] = json!({
        "total_transactions": 60,
        "first_transaction_date": days_ago(360),
        "last_transaction_date": days_ago(0),
    });
    stack.acknowledges(body.to_string()).await;

    let record = stack.request_with_status(&id, "collected").await;
    assert_eq!(record["verdict"], "complete");
    assert_eq!(
        record["compared"].as_array().unwrap().len(),
        1,
        "the pages: {record}"
    );
}

#[tokio::test]
async fn a_later_webhook_without_totals_does_not_revoke_a_verdict() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    let record = link
        .notify_until("short", json!({"data": {"total_transactions": 52}}))
        .await;
    let id = record["id"].as_str().unwrap();

    let again = link
        .webhook("TRANSACTIONS", "historical_update", Some(id))
        .to_string();
    stack.acknowledges(again).await;

    eventually("the second collection", || async {
        let now = stack.get(&format!("/requests/{id}")).await.body;
        let collected_again =
            now["collection"]["finished_at"] != record["collection"]["finished_at"];
        collected_again.then(|| assert_eq!(now["verdict"], "short by 12"))
    })
    .await;
}
