//! What happens to links at Belvo without a call: events, refreshes, deletions, limits.

use reqwest::Method;
use serde_json::json;

use crate::{
    harness::{Answer, Harness, answer, eventually},
    receiver::Receiver,
};

async fn delete(harness: &Harness, link: &str) -> reqwest::Result<Answer> {
    let path = format!("/api/links/{link}/");
    answer(harness.authorized(Method::DELETE, &path)).await
}

async fn delete_async(harness: &Harness, link: &str) -> reqwest::Result<Answer> {
    let path = format!("/api/links/{link}/");
    let request = harness.authorized(Method::DELETE, &path);
    answer(request.header("X-Belvo-Request-Mode", "async")).await
}

/// Makes an event happen to a link.
async fn trigger(harness: &Harness, link: &str, code: &str) {
    let path = format!("/links/{link}/event");
    let event = json!({ "code": code });
    harness.control(Method::POST, &path, event).await;
}

/// A synchronous retrieval of January 2026.
async fn retrieve(harness: &Harness, link: &str) -> Answer {
    let body = json!({ "link": link, "date_from": "2026-01-01", "date_to": "2026-01-31" });
    harness.post("/api/transactions/", &body).await
}

#[tokio::test]
async fn an_event_changes_the_link_and_is_announced_by_its_webhook() {
    let receiver = Receiver::answering(&[202]).await;
    let harness = Harness::delivering_to(&receiver).await;

    let cases = [
        ("invalid_credentials", "LINK", "invalid", "invalid_link"),
        ("token_required", "LINK", "token_required", "token_required"),
        (
            "openfinance_consent_expired",
            "CONSENT",
            "invalid",
            "invalid_link",
        ),
    ];
    for (number, (code, webhook_type, status, refusal)) in (1..).zip(cases) {
        let link = harness.link(1).await;
        trigger(&harness, &link, code).await;

        let webhook = receiver.wait_for(number).await[number - 1].json();
        assert_eq!(webhook["webhook_type"], webhook_type);
        assert_eq!(webhook["webhook_code"], code);
        assert_eq!(harness.shown(&link).await["status"], status);
        assert_eq!(retrieve(&harness, &link).await.code(), refusal);
    }
}

#[tokio::test]
async fn a_consent_that_is_about_to_expire_says_when() {
    let receiver = Receiver::answering(&[202]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;

    trigger(&harness, &link, "openfinance_consent_about_to_expire").await;

    let webhook = receiver.wait_for(1).await[0].json();
    assert!(webhook["data"]["consent_due_date"].is_string());
    assert_eq!(harness.shown(&link).await["status"], "valid");
}

#[tokio::test]
async fn a_refresh_adds_rows_and_says_so() {
    let receiver = Receiver::answering(&[202]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(3).await;

    let path = format!("/links/{link}/refresh");
    let refresh = json!({ "count": 2 });
    harness.control(Method::POST, &path, refresh).await;

    let webhook = receiver.wait_for(1).await[0].json();
    assert_eq!(webhook["webhook_code"], "new_transactions_available");
    assert_eq!(harness.truth(&link).await.len(), 5);
}

#[tokio::test]
async fn a_link_is_deleted_at_once() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;

    assert_eq!(delete(&harness, &link).await.unwrap().status, 204);
    assert_eq!(delete(&harness, &link).await.unwrap().status, 404);
}

#[tokio::test]
async fn a_link_is_deleted_asynchronously_with_a_webhook_when_it_is_gone() {
    let receiver = Receiver::answering(&[202]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;

    let accepted = delete_async(&harness, &link).await.unwrap();
    assert_eq!(accepted.status, 202);

    let webhook = receiver.wait_for(1).await[0].json();
    assert_eq!(webhook["webhook_code"], "link_deleted");
    assert_eq!(webhook["request_id"], accepted.request_id());
    let path = format!("/api/links/{link}/");
    assert_eq!(harness.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_link_is_deleted_even_if_its_webhook_is_dropped() {
    let receiver = Receiver::answering(&[202]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness.always("webhook", json!({ "drop": true })).await;

    delete_async(&harness, &link).await.unwrap();

    let path = format!("/api/links/{link}/");
    eventually(|| async { (harness.get(&path).await.status == 404).then_some(()) }).await;
    assert_eq!(receiver.received(), 0);
}

#[tokio::test]
async fn the_monthly_limit_of_a_customer_counts_all_of_its_links_together() {
    let harness = Harness::start().await;
    let first = harness.link(1).await;
    let path = format!("/links/{first}/reconnect");
    let second = harness.control(Method::POST, &path, json!({})).await.id();
    let other = harness.link(1).await;

    let limits = json!({ "long": 2, "short": 1 });
    harness.control(Method::PUT, "/limits", limits).await;

    assert_eq!(retrieve(&harness, &first).await.status, 201);
    assert_eq!(retrieve(&harness, &second).await.status, 201);
    let refused = retrieve(&harness, &first).await;
    assert_eq!(refused.code(), "operational_limits_reached");
    assert_eq!(retrieve(&harness, &other).await.status, 201);
}
