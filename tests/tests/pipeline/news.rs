//! Webhooks that answer no request of ours: the narrowest fetch that is sure to cover what they are
//! about, whatever they carry.

use serde_json::{Value, json};
use test_harness::{Link, Stack, days_ago};

/// Has Belvo send a webhook, and returns the queries that it caused.
async fn queries_of_webhook(link: &Link<'_>, fields: Value) -> Vec<String> {
    let before = link.page_queries().await.len();
    assert_eq!(
        link.notify_and_collect(fields).await["compared"][0]["verdict"],
        "complete"
    );
    link.page_queries().await.split_off(before)
}

#[tokio::test]
async fn new_rows_are_fetched_from_the_latest_days() {
    let stack = Stack::of_this_run();
    for code in ["new_transactions_available", "new_transactions_updated"] {
        let link = stack.recurrent_link(300).await;
        link.notify_and_collect(json!({})).await;
        link.add(3, &days_ago(1)).await;

        let queries = queries_of_webhook(&link, json!({"webhook_code": code, "data": null})).await;

        link.assert_equals_the_sandbox().await;
        let [latest, count] = queries.as_slice() else {
            panic!("{queries:?}")
        };
        assert!(latest.contains("value_date__gte="), "{latest}");
        assert!(
            count.contains("page_size=1&") || count.ends_with("page_size=1"),
            "one row, for the count: {count}"
        );
    }
}

#[tokio::test]
async fn new_rows_of_older_days_are_found_by_counting_the_links_rows() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(300).await;
    link.notify_and_collect(json!({})).await;
    link.add(2, &days_ago(200)).await;
    link.add(1, &days_ago(0)).await;

    let before = link.page_queries().await.len();
    let record = link
        .notify_and_collect(json!({"webhook_code": "new_transactions_available"}))
        .await;

    link.assert_equals_the_sandbox().await;
    let queries = link.page_queries().await.split_off(before);
    assert_eq!(
        queries.len(),
        3,
        "the latest days, the count, all days: {queries:?}"
    );
    let collection = &record["collection"];
    assert_eq!(
        (
            &collection["new"],
            &collection["rows"],
            &collection["pages"]
        ),
        (&json!(3), &json!(303), &json!(2))
    );
}

#[tokio::test]
async fn a_links_first_webhook_fetches_all_days_whatever_its_code() {
    let stack = Stack::of_this_run();
    for code in [
        "historical_update",
        "new_transactions_available",
        "transactions_updated",
    ] {
        let link = stack.recurrent_link(300).await;
        let queries = queries_of_webhook(&link, json!({"webhook_code": code})).await;
        assert!(
            queries.len() == 1 && !queries[0].contains("value_date"),
            "{queries:?}"
        );
        link.assert_equals_the_sandbox().await;
    }
}

#[tokio::test]
async fn changes_and_deletions_are_found_on_any_day_whatever_the_payload() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(300).await;
    link.notify_and_collect(json!({})).await;
    let misleading =
        json!({"first_transaction_date": days_ago(-1), "last_transaction_date": days_ago(-1)});
    for (code, data, status) in [
        ("transactions_updated", json!({}), "collected"),
        (
            "transactions_deleted",
            json!({"transactions": ["not-an-id"]}),
            "collected",
        ),
        ("historical_update", misleading, "short"),
        ("a_code_yet_to_come", json!(null), "collected"),
    ] {
        link.delete(&link.newest().await).await;
        let rows: Vec<_> = link.truth().await.into_keys().collect();
        link.amend(&rows[0], json!({"description": code})).await;
        link.add(1, &days_ago(100)).await;

        let fields = json!({"webhook_code": code, "data": data});
        link.notify_until(status, fields).await;

        link.assert_equals_the_sandbox().await;
    }
}
