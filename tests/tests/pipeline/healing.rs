//! The scheduled sweep for requests whose webhook never arrives.

use domain::{LinkId, RequestId, Resource, Retrieval, Timestamp, Window};
use serde_json::{Value, json};
use shared::store::Control;
use tests::{Stack, days_ago, eventually};
use uuid::Uuid;

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

    send_as_the_schedule_does(&stack).await;

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

/// Sends what the rule of template.yaml sends, to where it sends it.
async fn send_as_the_schedule_does(stack: &Stack) {
    let rules = stack
        .local_aws("events", "AWSEvents.ListRules", &json!({}))
        .await;
    let rules = rules["Rules"].as_array().unwrap().clone();
    let rule = rules
        .iter()
        .find(|rule| rule["ScheduleExpression"] == "rate(5 minutes)")
        .expect("the rule");
    let targets = stack
        .local_aws(
            "events",
            "AWSEvents.ListTargetsByRule",
            &json!({"Rule": rule["Name"]}),
        )
        .await;
    let target = &targets["Targets"][0];
    let queue = stack.queue_url.rsplit('/').next().unwrap();
    assert!(target["Arn"].as_str().unwrap().ends_with(queue));
    let template = target["InputTransformer"]["InputTemplate"]
        .as_str()
        .unwrap();
    aws_sdk_sqs::Client::new(&stack.aws)
        .send_message()
        .queue_url(&stack.queue_url)
        .message_body(template.replace("<time>", "2026-03-01T00:00:00Z"))
        .message_group_id(target["SqsParameters"]["MessageGroupId"].as_str().unwrap())
        .message_deduplication_id(Uuid::new_v4().to_string())
        .send()
        .await
        .unwrap();
}
