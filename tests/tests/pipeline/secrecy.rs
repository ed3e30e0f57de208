//! Secrets and personal data stay out of the logs.

use serde_json::{Value, json};
use tests::{Stack, eventually};

use crate::metrics;

#[tokio::test]
async fn no_secret_and_no_personal_data_is_logged() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    link.misbehave(json!({"on": "get", "times": 1, "action": {"torn_page": 1}}))
        .await;
    let record = link.collect().await;
    stack
        .deliver(
            "{\"link_id\": \"planted-in-a-bad-body",
            Some(&stack.authorization),
        )
        .await;
    stack
        .deliver("{}", Some("Bearer planted-as-authorization"))
        .await;

    let id = record["id"].as_str().unwrap();
    let logs = eventually(
        "the log lines of a failure and of the collection",
        || async {
            let logs = stack.function_logs().await;
            let has = |step: &str| {
                logs.lines()
                    .any(|line| line.contains(id) && line.contains(step))
            };
            (has("message_retried") && has("rows_collected")).then_some(logs)
        },
    )
    .await;

    let keys = secret_values(&stack).await;
    let rows = link.truth().await;
    let personal = rows.values().flat_map(personal_data);
    let planted = ["planted-in-a-bad-body", "planted-as-authorization"].map(str::to_owned);
    for secret in keys.into_iter().chain(planted).chain(personal) {
        assert!(!logs.contains(&secret), "the logs contain {secret}");
    }
}

#[tokio::test]
async fn a_correlation_id_leads_from_the_request_to_the_rows() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(4).await;
    let id = link.retrieve().await;
    stack.request_with_status(&id, "collected").await;

    let logs = eventually("the log lines of the collection", || async {
        let logs = stack.function_logs().await;
        (logs.lines().filter(|line| line.contains(&id)).count() >= 3).then_some(logs)
    })
    .await;

    let steps: Vec<_> = logs
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .collect();
    for step in ["retrieval_issued", "webhook_queued", "rows_collected"] {
        let found = steps.iter().any(|line| {
            line["fields"]["event"] == step
                && line["fields"]["correlation.id"] == Value::String(id.clone())
        });
        assert!(found, "{step} for {id}");
    }
}

#[tokio::test]
async fn a_webhook_and_its_collection_are_one_trace() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(4).await;
    let id = link.retrieve().await;
    stack.request_with_status(&id, "collected").await;

    let trace = async |event: &str| {
        let logged = metrics::logged(&stack, &[&id, event]).await;
        logged["span"]["trace.id"].as_str().map(str::to_owned)
    };
    let webhook = trace("webhook_queued").await;
    assert!(webhook.as_ref().is_some_and(|id| id.starts_with("1-")));
    assert_eq!(trace("rows_collected").await, webhook);
}

async fn secret_values(stack: &Stack) -> Vec<String> {
    let keys = stack.belvo_keys().await;
    vec![
        keys["secret_password"].as_str().unwrap().to_owned(),
        stack.authorization.clone(),
    ]
}

/// Account numbers, document numbers and descriptions long enough not to match by chance.
fn personal_data(row: &Value) -> Vec<String> {
    let places = [
        &row["description"],
        &row["account"]["number"],
        &row["account"]["public_identification_value"],
        &row["counterparty"]["document_number"],
        &row["counterparty"]["number"],
    ];
    places
        .into_iter()
        .filter_map(Value::as_str)
        .filter(|text| text.len() >= 6)
        .map(str::to_owned)
        .collect()
}
