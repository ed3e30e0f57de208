//! Delivering webhooks: attempts, time limits, and the ones sent by hand.

use belvo_sandbox::{Config, Webhook};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Harness, eventually},
    receiver::{AUTHORIZATION, Receiver},
};

/// The attempts of the only delivery, as soon as there are at least `count`.
async fn attempts(harness: &Harness, count: usize) -> Vec<Value> {
    let ask = || async {
        let journal = harness.journal().await;
        let attempts = journal["deliveries"][0]["attempts"].as_array()?.clone();
        (attempts.len() >= count).then_some(attempts)
    };
    eventually(ask).await
}

#[tokio::test]
async fn a_delivery_is_repeated_with_the_same_bytes_until_it_is_answered_with_2xx() {
    let receiver = Receiver::answering(&[500, 400, 204]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;

    harness.retrieve(&link).await;

    let deliveries = receiver.wait_for(3).await;
    let first = &deliveries[0].text;
    assert!(deliveries.iter().all(|delivery| delivery.text == *first));

    let attempts = attempts(&harness, 3).await;
    let statuses: Vec<&Value> = attempts.iter().map(|attempt| &attempt["status"]).collect();
    assert_eq!(statuses, [500, 400, 204]);
    for attempt in attempts {
        assert!(attempt["latency_ms"].is_u64());
        assert!(attempt["at"].is_string());
    }
}

#[tokio::test]
async fn a_delivery_is_abandoned_after_four_attempts() {
    let receiver = Receiver::answering(&[500, 301, 404, 503]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.retrieve(&link).await;
    attempts(&harness, 4).await;

    let next = harness.notify(&link, json!({})).await.json();

    // The next webhook is the fifth POST: there was none in between.
    let fifth = receiver.wait_for(5).await[4].json();
    assert_eq!(fifth["webhook_id"], next["webhook_id"]);
    assert_eq!(receiver.received(), 5);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_in_time_gets_another_attempt() {
    let receiver = Receiver::answering(&[0]).await;
    let harness = Harness::start_with(Config {
        webhook_timeout_ms: 500,
        webhook_retry_ms: 1,
        ..Config::default()
    })
    .await;
    let registration = json!({ "url": receiver.url(), "authorization": AUTHORIZATION });
    harness.control(Method::PUT, "/webhook", registration).await;
    let link = harness.link(1).await;

    harness.retrieve(&link).await;

    let attempts = attempts(&harness, 2).await;
    assert_eq!(attempts[0]["status"], Value::Null);
    assert_eq!(attempts[0]["error"], "timeout");
    assert_eq!(attempts[1]["status"], 202);
}

#[tokio::test]
async fn a_refused_connection_is_an_error_in_the_journal() {
    let webhook = Webhook {
        url: "http://127.0.0.1:1/".to_owned(),
        authorization: None,
    };
    let harness = Harness::start_with(Config {
        webhook: Some(webhook),
        webhook_retry_ms: 1,
        ..Config::default()
    })
    .await;
    let link = harness.link(1).await;

    harness.retrieve(&link).await;

    for attempt in attempts(&harness, 4).await {
        assert!(attempt["error"].is_string());
    }
}

/// Sends a webhook with these fields and returns what the receiver gets.
async fn announce(fields: Value) -> Value {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(10).await;

    let shown = harness.notify(&link, fields).await;
    assert_eq!(shown.status, 202);
    let delivered = receiver.wait_for(1).await[0].json();
    assert_eq!(delivered, shown.json());
    delivered
}

#[tokio::test]
async fn events_of_a_link_have_the_documented_fields() {
    let invalid = json!({ "webhook_type": "LINK", "webhook_code": "invalid_credentials" });
    let webhook = announce(invalid).await;
    assert_eq!(webhook["data"]["error_code"], "login_error");
    assert_eq!(webhook["data"]["status"], 400);

    let expired = json!({ "webhook_type": "CONSENT", "webhook_code": "consent_expired" });
    let webhook = announce(expired).await;
    assert_eq!(webhook.get("request_id"), None);
    assert_eq!(webhook["external_id"], Value::Null);
    assert_eq!(webhook["data"]["action"], "renew");
}

#[tokio::test]
async fn given_fields_override_the_documented_ones() {
    let data = json!({ "new_transactions": 3 });
    let refreshed = json!({ "webhook_code": "new_transactions_available", "data": data });
    let webhook = announce(refreshed).await;
    assert_eq!(webhook["process_type"], "recurrent_update");
    assert_eq!(webhook["data"], data);

    let removed = json!({ "request_id": null, "process_type": null, "external_id": null });
    let webhook = announce(removed).await;
    assert_eq!(webhook.get("request_id"), None);
    assert_eq!(webhook.get("process_type"), None);
    assert_eq!(webhook.get("external_id"), Some(&Value::Null));
    assert_eq!(webhook["data"]["total_transactions"], 10);
}

#[tokio::test]
async fn a_body_given_by_hand_is_delivered_once_and_its_answer_shown() {
    let receiver = Receiver::answering(&[400]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let deliver = async |body| harness.control(Method::POST, "/deliver", body).await.json();

    let raw = json!({ "raw": "{\"request_id\": ", "headers": { "x-test": "1" } });
    assert_eq!(deliver(raw).await["status"], 400);
    assert_eq!(receiver.received(), 1);
    let signed = json!({ "body": { "any": [1.10] }, "authorization": AUTHORIZATION });
    assert_eq!(deliver(signed).await["status"], 202);

    let deliveries = receiver.wait_for(2).await;
    assert_eq!(deliveries[0].text, "{\"request_id\": ");
    assert_eq!(deliveries[0].authorization, None);
    assert_eq!(deliveries[1].authorization.as_deref(), Some(AUTHORIZATION));

    let journal = harness.journal().await;
    let records = journal["deliveries"].as_array().unwrap().iter();
    let ok: Vec<&Value> = records.map(|one| &one["authorization_ok"]).collect();
    assert_eq!(ok, [false, true]);
}

#[tokio::test]
async fn the_last_delivery_or_any_other_is_delivered_again_with_the_same_bytes() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let (one, other) = (harness.link(1).await, harness.link(1).await);
    harness.retrieve(&one).await;
    receiver.wait_for(1).await;
    harness.retrieve(&other).await;
    receiver.wait_for(2).await;
    let redeliver = async |body| harness.control(Method::POST, "/redeliver", body).await;

    let last = redeliver(json!({})).await.json();
    assert_eq!(last["status"], 202);
    let journal = harness.journal().await;
    redeliver(json!({ "delivery": journal["deliveries"][0]["id"] })).await;

    let deliveries = receiver.wait_for(4).await;
    assert_eq!(deliveries[2].text, deliveries[1].text);
    assert_eq!(deliveries[3].text, deliveries[0].text);
    assert_eq!(deliveries[3].authorization.as_deref(), Some(AUTHORIZATION));
}
