//! The deployed stack while a part of it is down. A test binary of its own: cargo runs it after the
//! others, so that no other test needs the missing part.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;
use test_harness::{Stack, eventually, heard};
use tokio::sync::Mutex;

/// One part is missing at a time.
static OUTAGE: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn while_the_queue_refuses_webhooks_belvo_is_asked_to_redeliver_and_nothing_is_lost() {
    let (_outage, stack) = (OUTAGE.lock().await, Stack::of_this_run());
    let link = stack.recurrent_link(10).await;
    let refusal = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:SendMessage",
            "Resource": "*",
        }],
    });
    queue_policy(&stack, &refusal.to_string()).await;

    let body = link.webhook(
        "TRANSACTIONS",
        "historical_update",
        Some(&uuid::Uuid::new_v4().to_string()),
    );
    let refused = stack
        .deliver(body.to_string(), Some(&stack.authorization))
        .await;
    let id = link.retrieve().await;
    stack.failed_deliveries(&link.id).await;
    queue_policy(&stack, "").await;

    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert_eq!(
        stack.request_with_status(&id, "collected").await["verdict"],
        "complete"
    );
    link.assert_equals_the_sandbox().await;
}

async fn queue_policy(stack: &Stack, policy: &str) {
    aws_sdk_sqs::Client::new(&stack.aws)
        .set_queue_attributes()
        .queue_url(&stack.queue_url)
        .attributes(QueueAttributeName::Policy, policy)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn while_the_bus_takes_no_events_they_wait_and_nothing_is_lost() {
    let (_outage, stack) = (OUTAGE.lock().await, Stack::of_this_run());
    let variables = stack.function_variables("PUBLISH_FUNCTION").await;
    let mut others = variables.clone();
    others["EVENT_BUS_NAME"] = json!("a-bus-of-somebody-else");
    stack
        .set_function_variables("PUBLISH_FUNCTION", &others)
        .await;

    let link = stack.recurrent_link(3).await;
    link.collect().await;
    eventually("a refusal to be logged", || async {
        let logs = stack.function_logs().await;
        let refusal = "the call of the bus failed";
        (logs.contains(refusal) && logs.contains("events:PutEvents")).then_some(())
    })
    .await;
    stack
        .set_function_variables("PUBLISH_FUNCTION", &variables)
        .await;

    let rows = json!({"added": 3, "modified": 0, "removed": 0});
    eventually("the link's events", || async {
        let events = heard(&stack, &link.id).await.into_iter();
        let types = events.filter(|event| event["counts"] == rows);
        let types: Vec<_> = types.map(|event| event["type"].clone()).collect();
        (types == ["request.collected", "transactions.changed"]).then_some(())
    })
    .await;
}
