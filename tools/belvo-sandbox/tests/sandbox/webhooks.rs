//! Delivering webhooks: attempts, time limits, and the ones sent by hand.

use belvo_sandbox::{Config, Webhook};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Harness, eventually},
    receiver::{AUTHORIZATION, Receiver},
};

/// The attempts of the only delivery, once there are so many.
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
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.text == deliveries[0].text)
    );
    let attempts = attempts(&harness, 3).await;
    assert_eq!(
        attempts
            .iter()
            .map(|attempt| &attempt["status"])
            .collect::<Vec<_>>(),
        [500, 400, 204]
    );
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt["latency_ms"].is_u64() && attempt["at"].is_string())
    );
}

#[tokio::test]
async fn a_delivery_is_given_up_after_four_attempts() {
    let receiver = Receiver::answering(&[500, 301, 404, 503]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.retrieve(&link).await;
    attempts(&harness, 4).await;
    // The next webhook is the fifth POST: there was none in between.
    let next = harness
        .control(Method::POST, &format!("/links/{link}/notify"), json!({}))
        .await
        .json();
    assert_eq!(
        receiver.wait_for(5).await[4].json()["webhook_id"],
        next["webhook_id"]
    );
    assert_eq!(receiver.received(), 5);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_in_time_or_at_all_is_tried_again() {
    let receiver = Receiver::answering(&[0]).await;
    let url = receiver.url();
    let config = Config {
        webhook_timeout_ms: 500,
        webhook_retry_ms: 1,
        ..Config::default()
    };
    let harness = Harness::start_with(config).await;
    harness
        .control(
            Method::PUT,
            "/webhook",
            json!({ "url": url, "authorization": AUTHORIZATION }),
        )
        .await;
    let link = harness.link(1).await;
    harness.retrieve(&link).await;
    let attempts = attempts(&harness, 2).await;
    assert_eq!(
        (&attempts[0]["status"], &attempts[0]["error"]),
        (&Value::Null, &json!("timeout"))
    );
    assert_eq!(attempts[1]["status"], 202);
}

#[tokio::test]
async fn nobody_listening_is_an_error_in_the_journal() {
    let webhook = Some(Webhook {
        url: "http://127.0.0.1:1/".to_owned(),
        authorization: None,
    });
    let harness = Harness::start_with(Config {
        webhook,
        webhook_retry_ms: 1,
        ..Config::default()
    })
    .await;
    let link = harness.link(1).await;
    harness.retrieve(&link).await;
    assert!(
        attempts(&harness, 4)
            .await
            .iter()
            .all(|attempt| attempt["error"].is_string())
    );
}

#[tokio::test]
async fn documented_events_are_sent_for_a_link_with_given_fields_over_them() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(10).await;
    let events = [
        json!({ "webhook_code": "new_transactions_available", "data": { "new_transactions": 3 } }),
        json!({ "webhook_type": "LINK", "webhook_code": "invalid_credentials" }),
        json!({ "webhook_type": "CONSENT", "webhook_code": "consent_expired" }),
        json!({ "request_id": null, "process_type": null, "external_id": null }),
    ];
    let mut got = Vec::new();
    for (at, event) in events.into_iter().enumerate() {
        let sent = harness
            .control(Method::POST, &format!("/links/{link}/notify"), event)
            .await;
        assert_eq!(sent.status, 202);
        got.push(receiver.wait_for(at + 1).await[at].json());
        assert_eq!(got[at], sent.json());
    }
    assert_eq!(
        (&got[0]["process_type"], &got[0]["data"]),
        (
            &json!("recurrent_update"),
            &json!({ "new_transactions": 3 })
        )
    );
    assert_eq!(
        (&got[1]["data"]["error_code"], &got[1]["data"]["status"]),
        (&json!("login_error"), &json!(400))
    );
    assert_eq!(
        (
            got[2].get("request_id"),
            &got[2]["external_id"],
            &got[2]["data"]["action"]
        ),
        (None, &Value::Null, &json!("renew"))
    );
    assert_eq!(
        (got[3].get("request_id"), got[3].get("process_type")),
        (None, None)
    );
    assert_eq!(
        (
            got[3].get("external_id"),
            &got[3]["data"]["total_transactions"]
        ),
        (Some(&Value::Null), &json!(10))
    );
}

#[tokio::test]
async fn a_body_of_ones_own_is_delivered_once_and_its_answer_shown() {
    let receiver = Receiver::answering(&[400]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let raw = json!({ "raw": "{\"request_id\": ", "headers": { "x-test": "1" } });
    let answer = harness.control(Method::POST, "/deliver", raw).await.json();
    assert_eq!((&answer["status"], receiver.received()), (&json!(400), 1));
    let signed = json!({ "body": { "any": [1.10] }, "authorization": AUTHORIZATION });
    assert_eq!(
        harness
            .control(Method::POST, "/deliver", signed)
            .await
            .json()["status"],
        202
    );
    let deliveries = receiver.wait_for(2).await;
    assert_eq!(
        (deliveries[0].text.as_str(), &deliveries[0].authorization),
        ("{\"request_id\": ", &None)
    );
    assert_eq!(deliveries[1].authorization.as_deref(), Some(AUTHORIZATION));
    let ok: Vec<Value> = harness.journal().await["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["authorization_ok"].clone())
        .collect();
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
    let first = harness.journal().await["deliveries"][0]["id"].clone();
    let again = harness
        .control(Method::POST, "/redeliver", json!({}))
        .await
        .json();
    assert_eq!(again["status"], 202);
    harness
        .control(Method::POST, "/redeliver", json!({ "delivery": first }))
        .await;
    let deliveries = receiver.wait_for(4).await;
    assert_eq!(
        (&deliveries[2].text, &deliveries[3].text),
        (&deliveries[1].text, &deliveries[0].text)
    );
    assert_eq!(deliveries[3].authorization.as_deref(), Some(AUTHORIZATION));
}
