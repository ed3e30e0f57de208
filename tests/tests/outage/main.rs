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
use tests::Stack;

#[tokio::test]
async fn while_the_queue_refuses_webhooks_belvo_is_asked_to_redeliver_and_nothing_is_lost() {
    let stack = Stack::of_this_run();
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
