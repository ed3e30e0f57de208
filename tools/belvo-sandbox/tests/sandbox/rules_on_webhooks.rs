//! Misbehaviour of webhooks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Harness, eventually},
    receiver::{AUTHORIZATION, Delivery, Receiver},
};

/// What a receiver gets of one retrieval under one rule.
async fn one_webhook_under(action: Value) -> Delivery {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(10).await;
    harness
        .rule(json!({ "on": "webhook", "link": link, "times": 1, "action": action }))
        .await;
    harness.retrieve(&link).await;
    receiver.wait_for(1).await.remove(0)
}

#[tokio::test]
async fn bodies_are_changed_as_the_rules_say() {
    let errors =
        one_webhook_under(json!({ "data_errors": { "code": "login_error", "message": "No" } }))
            .await
            .json();
    assert_eq!(
        errors["data"],
        json!({ "errors": [{ "code": "login_error", "message": "No" }] })
    );
    let code = one_webhook_under(json!({ "code": "new_transactions_available" }))
        .await
        .json();
    assert_eq!(code["webhook_code"], "new_transactions_available");
    let anonymous = one_webhook_under(json!({ "without_request_id": true }))
        .await
        .json();
    assert_eq!(anonymous.get("request_id"), None);
    let large = one_webhook_under(json!({ "extra_bytes": 300_000 })).await;
    assert!(large.text.len() > 300_000 && large.json()["link_id"].is_string());
}

#[tokio::test]
async fn a_malformed_body_still_says_its_request_id() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness
        .rule(json!({ "on": "webhook", "action": { "malformed": true } }))
        .await;
    let request = harness.retrieve(&link).await.json()["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let delivery = receiver.wait_for(1).await.remove(0);
    assert!(serde_json::from_str::<Value>(&delivery.text).is_err());
    assert!(delivery.text.replace('-', "").contains(&request));
}

#[tokio::test]
async fn a_wrong_authorization_is_not_the_registered_one() {
    let delivery = one_webhook_under(json!({ "wrong_authorization": true })).await;
    assert!(
        delivery
            .authorization
            .is_some_and(|value| value != AUTHORIZATION)
    );
}

#[tokio::test]
async fn an_early_webhook_is_answered_before_the_202() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness
        .rule(json!({ "on": "webhook", "action": { "early": true } }))
        .await;
    let accepted = harness.retrieve(&link).await;
    assert_eq!((accepted.status, receiver.received()), (202, 1));
}

#[tokio::test]
async fn duplicates_have_the_same_bytes() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness
        .rule(json!({ "on": "webhook", "times": 1, "action": { "duplicate": 2 } }))
        .await;
    harness.retrieve(&link).await;
    let deliveries = receiver.wait_for(3).await;
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.text == deliveries[0].text)
    );
}

#[tokio::test]
async fn a_dropped_webhook_never_comes_and_the_next_one_does() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness
        .rule(json!({ "on": "webhook", "times": 1, "action": { "drop": true } }))
        .await;
    harness.retrieve(&link).await;
    let second = harness.retrieve(&link).await.json()["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let got = receiver.wait_for(1).await[0].json()["request_id"]
        .as_str()
        .unwrap()
        .replace('-', "");
    assert_eq!(got, second);
    assert_eq!(
        harness.journal().await["deliveries"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_held_webhook_comes_after_the_next_one_of_its_link() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let (link, other) = (harness.link(1).await, harness.link(1).await);
    harness.rule(json!({ "on": "webhook", "link": link, "times": 1, "action": { "hold_until_next": true } })).await;
    let mut requests = Vec::new();
    for (link, expected) in [(&link, 0), (&other, 1), (&link, 3)] {
        requests.push(
            harness.retrieve(link).await.json()["request_id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        receiver.wait_for(expected).await;
    }
    let got: Vec<String> = receiver
        .wait_for(3)
        .await
        .iter()
        .map(|delivery| {
            delivery.json()["request_id"]
                .as_str()
                .unwrap()
                .replace('-', "")
        })
        .collect();
    assert_eq!(got, [&*requests[1], &*requests[2], &*requests[0]]);
}

#[tokio::test]
async fn a_delayed_webhook_is_overtaken() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness
        .rule(json!({ "on": "webhook", "times": 1, "action": { "delay_ms": 1_000 } }))
        .await;
    let slow = harness.retrieve(&link).await.json()["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    harness
        .control(
            Method::POST,
            &format!("/links/{link}/notify"),
            json!({ "webhook_code": "transactions_updated" }),
        )
        .await;
    let deliveries = receiver.wait_for(2).await;
    assert_eq!(deliveries[0].json()["webhook_code"], "transactions_updated");
    assert_eq!(
        deliveries[1].json()["request_id"]
            .as_str()
            .unwrap()
            .replace('-', ""),
        slow
    );
    let counted = || async { (harness.journal().await["retrievals"][&link] == 1).then_some(()) };
    eventually(counted).await;
}
