//! The scheduled sweep for requests whose webhook never arrives.

use domain::{LinkId, LinkRecord, RequestId, Resource, Retrieval, Timestamp, Window};
use serde_json::{Value, json};
use shared::store::Control;
use test_harness::{Stack, days_ago, eventually};

use crate::metrics;

#[tokio::test]
async fn the_scheduled_sweep_collects_an_overdue_request() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    let at = Timestamp::now().plus_seconds(-3_600);
    let today = Timestamp::now().day();
    let retrieval = Retrieval {
        window: Some(Window::parse(&days_ago(364), &days_ago(0), today).unwrap()),
        ..Retrieval::of(LinkId::parse(&link.id).unwrap(), Resource::TRANSACTIONS)
    };
    let (id, due_at) = (RequestId::random(), at.plus_seconds(1_800));
    let requests = Control::open(&stack.aws, stack.requests_table.clone()).requests;
    requests.issued(&id, &retrieval, at, due_at).await.unwrap();

    stack.sweep().await;

    let record = stack.request_with_status(id.as_str(), "collected").await;
    assert_eq!(
        (&record["verdict"], &record["notified_at"]),
        (&json!("complete"), &Value::Null)
    );
    link.assert_equals_the_sandbox().await;
    eventually("the log line that the metric is made of", || async {
        let logs = stack.function_logs().await;
        let lines = logs
            .lines()
            .filter(|line| line.contains("overdue_requests"));
        let lines: Vec<Value> = lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        lines
            .iter()
            .any(|line| line["fields"]["oldest_s"].as_u64() >= Some(3_600))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_single_link_whose_webhooks_are_all_lost_is_read_after_the_due_time() {
    let stack = Stack::of_this_run();
    let spec = json!({"access_mode": "single", "transactions": 30, "external_id": "its-own-id"});
    let link = stack.link(spec).await;
    link.misbehave(json!({"on": "webhook", "action": {"drop": true}}))
        .await;
    let body = json!({"link": link.id, "external_id": "its-own-id"});
    let registered = stack.post("/links", &body).await;
    let due = registered.body["scrub_at"]["transactions"].as_str();
    let due = Timestamp::parse(due.unwrap()).unwrap();
    assert!(due <= Timestamp::now().plus_seconds(1_800));
    assert!(link.stored().await.is_empty());

    make_due(&stack, &link.id).await;
    swept_until(&stack, &[&link.id, "rows_collected"]).await;
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn an_old_row_that_was_swapped_without_a_webhook_is_healed_by_the_next_scrub() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    link.collect().await;
    let mut rows: Vec<_> = link.truth().await.into_iter().collect();
    rows.sort_by_key(|(_, row)| row["value_date"].to_string());
    let (old, row) = &rows[5];
    link.delete(old).await;
    link.add(1, row["value_date"].as_str().unwrap()).await;

    make_due(&stack, &link.id).await;
    let logged = swept_until(&stack, &[&link.id, "rows_collected", "\"healed\""]).await;
    assert_eq!(
        metrics::value(&stack, "HealedRows", &logged).await,
        Some(2.0)
    );
    link.assert_equals_the_sandbox().await;
}

/// Sweeps until the log has a line with all of these texts: readings wait while the queue is full.
async fn swept_until(stack: &Stack, texts: &[&str]) -> Value {
    eventually("a sweep to have read the link", || async {
        stack.sweep().await;
        metrics::find(stack, texts).await
    })
    .await
}

/// Lets the time have come at which a link is read as a whole.
async fn make_due(stack: &Stack, link: &str) {
    let links = Control::open(&stack.aws, stack.requests_table.clone()).links;
    let a_minute_ago = Timestamp::now().plus_seconds(-60);
    let due = |known: LinkRecord| known.read_again(Resource::TRANSACTIONS, a_minute_ago);
    let link = LinkId::parse(link).unwrap();
    links.change(&link, due).await.unwrap();
}
