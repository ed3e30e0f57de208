//! Misbehaviour of webhooks.

use serde_json::{Value, json};

use crate::{
    harness::{Harness, eventually},
    receiver::{AUTHORIZATION, Delivery, Receiver},
};

/// What the receiver gets after one retrieval under one rule.
async fn one_webhook_under(action: Value) -> Delivery {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(10).await;
    let rule = json!({ "on": "webhook", "link": link, "times": 1, "action": action });
    harness.rule(rule).await;

    harness.retrieve(&link).await;
    receiver.wait_for(1).await.remove(0)
}

#[tokio::test]
async fn bodies_are_changed_as_the_rules_say() {
    let error = json!({ "code": "login_error", "message": "No" });
    let errors = one_webhook_under(json!({ "data_errors": error })).await;
    assert_eq!(errors.json()["data"], json!({ "errors": [error] }));

    let code = "new_transactions_available";
    let other = one_webhook_under(json!({ "code": code })).await;
    assert_eq!(other.json()["webhook_code"], code);

    let anonymous = one_webhook_under(json!({ "without_request_id": true })).await;
    assert_eq!(anonymous.json().get("request_id"), None);

    let large = one_webhook_under(json!({ "extra_bytes": 300_000 })).await;
    assert!(large.text.len() > 300_000);
    assert!(large.json()["link_id"].is_string());
}

#[tokio::test]
async fn a_malformed_body_still_contains_its_request_id() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness
        .always("webhook", json!({ "malformed": true }))
        .await;

    let request_id = harness.retrieve(&link).await.request_id();

    let delivery = receiver.wait_for(1).await.remove(0);
    assert!(serde_json::from_str::<Value>(&delivery.text).is_err());
    assert!(delivery.text.replace('-', "").contains(&request_id));
}

#[tokio::test]
async fn a_wrong_authorization_is_not_the_registered_one() {
    let delivery = one_webhook_under(json!({ "wrong_authorization": true })).await;

    let authorization = delivery.authorization.unwrap();
    assert_ne!(authorization, AUTHORIZATION);
}

#[tokio::test]
async fn an_early_webhook_is_answered_before_the_202() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.always("webhook", json!({ "early": true })).await;

    let accepted = harness.retrieve(&link).await;

    assert_eq!(accepted.status, 202);
    assert_eq!(receiver.received(), 1);
}

#[tokio::test]
async fn duplicates_have_the_same_bytes() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.once("webhook", json!({ "duplicate": 2 })).await;

    harness.retrieve(&link).await;

    let deliveries = receiver.wait_for(3).await;
    let first = &deliveries[0].text;
    assert!(deliveries.iter().all(|delivery| delivery.text == *first));
}

#[tokio::test]
async fn a_dropped_webhook_is_never_sent_and_the_next_one_is() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.once("webhook", json!({ "drop": true })).await;

    harness.retrieve(&link).await;
    let second = harness.retrieve(&link).await;

    let delivery = receiver.wait_for(1).await.remove(0);
    assert_eq!(delivery.request_id(), second.request_id());
    let journal = harness.journal().await;
    assert_eq!(journal["deliveries"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_held_webhook_is_sent_after_the_next_one_of_its_link() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let (link, other) = (harness.link(1).await, harness.link(1).await);
    let action = json!({ "hold_until_next": true });
    let rule = json!({ "on": "webhook", "link": link, "times": 1, "action": action });
    harness.rule(rule).await;

    let held = harness.retrieve(&link).await.request_id();
    let elsewhere = harness.retrieve(&other).await.request_id();
    receiver.wait_for(1).await;
    let next = harness.retrieve(&link).await.request_id();

    let deliveries = receiver.wait_for(3).await;
    let sent: Vec<String> = deliveries.iter().map(Delivery::request_id).collect();
    assert_eq!(sent, [elsewhere, next, held]);
}

#[tokio::test]
async fn a_delayed_webhook_is_overtaken() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.once("webhook", json!({ "delay_ms": 1_000 })).await;

    let slow = harness.retrieve(&link).await.request_id();
    let update = json!({ "webhook_code": "transactions_updated" });
    harness.notify(&link, update).await;

    let deliveries = receiver.wait_for(2).await;
    assert_eq!(deliveries[0].json()["webhook_code"], "transactions_updated");
    assert_eq!(deliveries[1].request_id(), slow);
    let counted = || async { (harness.journal().await["retrievals"][&link] == 1).then_some(()) };
    eventually(counted).await;
}
