//! Secrets and personal data stay out of the logs.

use std::collections::BTreeSet;

use domain::QuotaMonth;
use serde_json::{Value, json};
use test_harness::{Link, Stack, days_ago, eventually};
use uuid::Uuid;

use crate::metrics;

const FUNCTIONS: [&str; 5] = ["COLLECT", "PUBLISH", "QUERY", "REQUEST", "WEBHOOK"];
const RESOURCES: [&str; 4] = [
    "invoices",
    "employments",
    "employment-records",
    "financial-statements",
];
/// What is sent in, and must not be in any line.
const PLANTED: [&str; 6] = [
    "planted-in-a-bad-body",
    "planted-as-authorization",
    "planted-as-failure",
    "planted-as-data",
    "39053344705",
    "Maria Plantada",
];

/// Every function logs what it can.
async fn assert_verbose(stack: &Stack) {
    for function in FUNCTIONS {
        let function = format!("{function}_FUNCTION");
        let variables = stack.function_variables(&function).await;
        assert_eq!(variables["LOG_LEVEL"], "DEBUG", "{function}");
    }
}

/// A link with rows of every resource, all collected.
async fn collected_link(stack: &Stack) -> Link<'_> {
    let rows = RESOURCES.map(|resource| (resource.to_owned(), json!(3)));
    let rows: Value = serde_json::Map::from_iter(rows).into();
    let spec = json!({"transactions": 40, "resources": rows});
    let link = stack.link(spec).await;
    link.misbehave(json!({"on": "get", "times": 1, "action": {"torn_page": 1}}))
        .await;
    link.collect().await;
    for resource in RESOURCES {
        let body = match resource {
            "invoices" => {
                json!({"type": "INFLOW", "date_from": days_ago(364), "date_to": days_ago(0)})
            }
            _ => json!({}),
        };
        link.collect_resource(resource, body).await;
    }
    link
}

/// Sends in what nobody should have sent, and what a person enters.
async fn plant(stack: &Stack, link: &Link<'_>) {
    let bad_body = format!("{{\"link_id\": \"{}", PLANTED[0]);
    stack.deliver(bad_body, Some(&stack.authorization)).await;
    let authorization = format!("Bearer {}", PLANTED[1]);
    stack.deliver("{}", Some(&authorization)).await;

    let id = Uuid::new_v4().to_string();
    for webhook_type in ["TRANSACTIONS", "LINK", "OWNERS"] {
        let mut webhook = link.webhook(webhook_type, "a_code", Some(&id));
        let errors = json!([{"code": "a_failure", "message": PLANTED[2]}]);
        webhook["data"] = json!({"errors": errors, "note": PLANTED[3]});
        stack.acknowledges(webhook.to_string()).await;
    }
    stack.request_with_status(&id, "failed").await;

    let who = json!({"type": "CPF", "number": PLANTED[4], "name": PLANTED[5]});
    let pages = ["success", "exit", "event"];
    let pages = pages.map(|page| {
        (
            page.to_owned(),
            json!(format!("https://app.example/{page}")),
        )
    });
    let pages: Value = serde_json::Map::from_iter(pages).into();
    let body = json!({"identification": who, "callback_urls": pages});
    assert_eq!(stack.post("/connect/token", &body).await.status, 201);
}

/// Has everything read that is stored of a link, and a webhook processed again.
async fn read_everything(stack: &Stack, link: &Link<'_>) {
    let path = |path: &str| format!("/links/{}{path}", link.id);
    for listing in [
        "",
        "/requests",
        "/quota",
        "/accounts",
        "/changes",
        "/webhooks",
    ] {
        assert_eq!(stack.get(&path(listing)).await.status, 200, "{listing}");
    }
    let row = link.newest().await;
    let history = path(&format!("/transactions/{row}/history"));
    assert_eq!(stack.get(&history).await.status, 200);
    link.stored().await;
    for resource in RESOURCES {
        link.stored_of(resource).await;
    }
    let webhooks = stack.get(&path("/webhooks")).await.body;
    for webhook in webhooks["webhooks"].as_array().unwrap() {
        let path = format!("/webhooks/{}", webhook["id"].as_str().unwrap());
        assert_eq!(stack.get(&path).await.status, 200);
        let replay = stack.post(&format!("{path}/replays"), &json!({})).await;
        assert_eq!(replay.status, 202);
    }
}

#[tokio::test]
async fn no_secret_and_no_personal_data_is_logged_at_any_level() {
    let stack = Stack::of_this_run();
    assert_verbose(&stack).await;
    let link = collected_link(&stack).await;
    plant(&stack, &link).await;
    read_everything(&stack, &link).await;
    let logs = eventually("the log lines of what was done", || async {
        let logs = stack.function_logs().await;
        let is_of_link = |line: &&str| line.contains(link.id.as_str());
        let has = |event: &str| {
            logs.lines()
                .filter(is_of_link)
                .any(|line| line.contains(event))
        };
        let all = [
            "message_retried",
            "rows_collected",
            "webhook_archived",
            "webhook_replayed",
        ];
        all.into_iter().all(has).then_some(logs)
    })
    .await;

    let mut secrets = secret_values(&stack).await;
    secrets.extend(PLANTED.map(str::to_owned));
    let mut rows: Vec<_> = link.truth().await.into_values().collect();
    for resource in RESOURCES {
        let of_resource = link.truth_of(resource).await.into_values();
        let known = rows.len();
        rows.extend(of_resource);
        assert!(rows.len() > known, "{resource}");
    }
    let personal: BTreeSet<_> = rows.iter().flat_map(personal_data).collect();
    assert!(personal.len() > 100, "{personal:?}");
    secrets.extend(personal);
    for secret in secrets {
        assert!(!logs.contains(&secret), "the logs contain {secret}");
    }
}

#[tokio::test]
async fn a_correlation_id_leads_from_the_request_to_the_rows() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(4).await;
    let id = link.retrieve().await;
    stack.request_with_status(&id, "collected").await;

    for step in ["retrieval_issued", "webhook_queued", "rows_collected"] {
        // The record says so before the log does.
        let logged = metrics::logged(&stack, &[&id, step]).await;
        assert_eq!(logged["fields"]["event"], step);
        assert_eq!(logged["fields"]["correlation.id"], json!(id), "{step}");
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

/// Texts in a row that say something of a person, and are long enough not to match by chance:
/// names, descriptions, addresses, numbers of accounts and documents, but not the ids of Belvo and
/// times.
fn personal_data(row: &Value) -> Vec<String> {
    match row {
        Value::String(text) if is_telling(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(personal_data).collect(),
        Value::Object(fields) => fields.values().flat_map(personal_data).collect(),
        _ => Vec::new(),
    }
}

fn is_telling(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let month = text.get(..7).unwrap_or_default();
    let is_time = QuotaMonth::parse(month).is_some();
    let is_id = Uuid::parse_str(text).is_ok();
    text.len() >= 6 && !is_time && !is_id && (text.contains([' ', '@']) || digits >= 6)
}
