//! What happens to links by itself: events, refreshes, deletions, limits.

use reqwest::Method;
use serde_json::json;

use crate::{
    harness::{Answer, Harness, answer, eventually},
    receiver::Receiver,
};

async fn delete(harness: &Harness, link: &str, mode: Option<&str>) -> reqwest::Result<Answer> {
    let request = harness.request(Method::DELETE, &format!("/api/links/{link}/"));
    let request = request.basic_auth("sandbox-id", Some("sandbox-password"));
    let mode = mode.map(|mode| ("X-Belvo-Request-Mode", mode));
    answer(
        mode.into_iter()
            .fold(request, |request, (name, mode)| request.header(name, mode)),
    )
    .await
}

#[tokio::test]
async fn an_event_changes_the_link_and_is_told_by_its_webhook() {
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
        harness
            .control(
                Method::POST,
                &format!("/links/{link}/event"),
                json!({ "code": code }),
            )
            .await;
        let webhook = receiver.wait_for(number).await[number - 1].json();
        assert_eq!(
            (&webhook["webhook_type"], &webhook["webhook_code"]),
            (&json!(webhook_type), &json!(code))
        );
        assert_eq!(
            harness.get(&format!("/api/links/{link}/")).await.json()["status"],
            status
        );
        let body = json!({ "link": link, "date_from": "2026-01-01", "date_to": "2026-01-31" });
        assert_eq!(
            harness.post("/api/transactions/", &body).await.code(),
            refusal
        );
    }
}

#[tokio::test]
async fn a_consent_that_is_about_to_end_says_when() {
    let receiver = Receiver::answering(&[202]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    let event = json!({ "code": "openfinance_consent_about_to_expire" });
    harness
        .control(Method::POST, &format!("/links/{link}/event"), event)
        .await;
    assert!(receiver.wait_for(1).await[0].json()["data"]["consent_due_date"].is_string());
    assert_eq!(
        harness.get(&format!("/api/links/{link}/")).await.json()["status"],
        "valid"
    );
}

#[tokio::test]
async fn a_refresh_brings_new_rows_and_says_so() {
    let receiver = Receiver::answering(&[202]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(3).await;
    harness
        .control(
            Method::POST,
            &format!("/links/{link}/refresh"),
            json!({ "count": 2 }),
        )
        .await;
    let webhook = receiver.wait_for(1).await[0].json();
    assert_eq!(webhook["webhook_code"], "new_transactions_available");
    assert_eq!(harness.truth(&link).await.len(), 5);
}

#[tokio::test]
async fn a_link_is_deleted_at_once_or_with_a_webhook_when_it_is_gone() {
    let receiver = Receiver::answering(&[202]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let (now, later) = (harness.link(1).await, harness.link(1).await);
    assert_eq!(delete(&harness, &now, None).await.unwrap().status, 204);
    assert_eq!(delete(&harness, &now, None).await.unwrap().status, 404);

    let accepted = delete(&harness, &later, Some("async")).await.unwrap();
    assert_eq!(accepted.status, 202);
    let webhook = receiver.wait_for(1).await[0].json();
    assert_eq!(
        (&webhook["webhook_code"], &webhook["request_id"]),
        (&json!("link_deleted"), &accepted.json()["request_id"])
    );
    assert_eq!(
        harness.get(&format!("/api/links/{later}/")).await.status,
        404
    );
}

#[tokio::test]
async fn a_deletion_whose_webhook_is_dropped_is_a_deletion() {
    let receiver = Receiver::answering(&[202]).await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness
        .control(
            Method::POST,
            "/rules",
            json!({ "on": "webhook", "action": { "drop": true } }),
        )
        .await;
    delete(&harness, &link, Some("async")).await.unwrap();
    let path = format!("/api/links/{link}/");
    eventually(|| async { (harness.get(&path).await.status == 404).then_some(()) }).await;
    assert_eq!(receiver.received(), 0);
}

#[tokio::test]
async fn a_customer_has_so_many_retrievals_a_month_for_all_links_together() {
    let harness = Harness::start().await;
    let first = harness.link(1).await;
    let second = harness
        .control(
            Method::POST,
            &format!("/links/{first}/reconnect"),
            json!({}),
        )
        .await
        .json();
    let other = harness.link(1).await;
    harness
        .control(Method::PUT, "/limits", json!({ "long": 2, "short": 1 }))
        .await;
    let retrieve = async |link: &str| {
        let body = json!({ "link": link, "date_from": "2026-01-01", "date_to": "2026-01-31" });
        harness.post("/api/transactions/", &body).await
    };
    assert_eq!(retrieve(&first).await.status, 201);
    assert_eq!(retrieve(second["id"].as_str().unwrap()).await.status, 201);
    assert_eq!(retrieve(&first).await.code(), "operational_limits_reached");
    assert_eq!(retrieve(&other).await.status, 201);
}
