//! Belvo's firewall: what it counts, and what it answers above its limit.

use std::num::NonZeroU32;

use belvo_sandbox::Config;
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::{Answer, Harness, answer};

async fn limited_to(requests_per_30_s: u32) -> Harness {
    Harness::start_with(Config {
        requests_per_30_s: NonZeroU32::new(requests_per_30_s),
        ..Config::default()
    })
    .await
}

/// Sets the limit, or lifts it with `null`.
async fn limit(harness: &Harness, requests_per_30_s: Value) -> Answer {
    let body = json!({ "requests_per_30_s": requests_per_30_s });
    harness.control(Method::PUT, "/rate", body).await
}

/// Sends as many requests that are right, and returns the status of each answer.
async fn send(harness: &Harness, requests: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..requests {
        statuses.push(harness.get("/api/links/").await.status);
    }
    statuses
}

#[tokio::test]
async fn the_81st_request_is_answered_with_the_page_of_the_firewall() {
    let harness = limited_to(80).await;

    assert_eq!(send(&harness, 80).await, [200; 80]);
    let refused = harness.get("/api/links/").await;

    assert_eq!(refused.status, 403);
    assert_eq!(refused.headers[CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(refused.text.contains("openresty"), "{}", refused.text);
    assert!(serde_json::from_str::<Value>(&refused.text).is_err());
    let rate = json!({ "busiest_30_s": 81, "refused": 1, "limit": 80 });
    assert_eq!(harness.look("/rate").await, rate);
}

#[tokio::test]
async fn every_request_below_api_counts_whatever_its_method_and_its_answer() {
    let harness = Harness::start().await;

    for (number, (method, path, status)) in (1..).zip([
        (Method::GET, "/api/", 200),
        (Method::GET, "/api/links/not-an-id/", 404),
        (Method::GET, "/api/no-such-thing/", 404),
        (Method::GET, "/api/transactions/", 400),
        (Method::POST, "/api/token/", 400),
        (Method::PUT, "/api/", 405),
        (Method::DELETE, "/api/links/", 405),
    ]) {
        let answered = answer(harness.authorized(method, path)).await.unwrap();
        assert_eq!(answered.status, status, "{path}");
        assert_eq!(harness.look("/rate").await["busiest_30_s"], number);
    }
    let without_keys = harness.request(Method::GET, "/api/links/");
    assert_eq!(answer(without_keys).await.unwrap().status, 401);
    assert_eq!(harness.look("/rate").await["busiest_30_s"], 8);
}

#[tokio::test]
async fn the_control_api_the_widget_and_the_health_are_neither_counted_nor_refused() {
    let harness = limited_to(1).await;
    assert_eq!(send(&harness, 2).await, [200, 403]);

    for path in [
        "/_health",
        "/_control/log",
        "/belvo-widget-1-stable.js",
        "/widget/",
    ] {
        let answered = harness.get(path).await;
        assert_ne!(answered.status, 403, "{path}");
    }

    let rate = json!({ "busiest_30_s": 2, "refused": 1, "limit": 1 });
    assert_eq!(harness.look("/rate").await, rate);
}

#[tokio::test]
async fn a_refused_request_is_in_the_journal_and_changes_nothing_else() {
    let harness = limited_to(1).await;
    let link = harness.link(1).await;
    harness.once("get", json!({ "status": 500 })).await;
    assert_eq!(send(&harness, 1).await, [200]);

    // Not what Belvo's OpenAPI allows: the firewall stands before the check.
    assert_eq!(harness.get("/api/transactions/").await.status, 403);
    assert_eq!(harness.retrieve(&link).await.status, 403);

    let journal = harness.journal().await;
    assert_eq!(journal["gets"][0]["status"], 403);
    assert_eq!(journal["posts"][0]["status"], 403);
    assert_eq!(journal["retrievals"], json!({}));
    assert!(harness.violations().is_empty());
    limit(&harness, Value::Null).await;
    let list = format!("/api/transactions/?link={link}");
    assert_eq!(harness.get(&list).await.status, 500, "the rule is left");
}

#[tokio::test]
async fn a_sandbox_in_a_test_has_no_limit_until_one_is_set() {
    let harness = Harness::start().await;
    assert_eq!(send(&harness, 100).await, [200; 100]);
    let rate = json!({ "busiest_30_s": 100, "refused": 0, "limit": null });
    assert_eq!(harness.look("/rate").await, rate);

    assert_eq!(limit(&harness, json!(2)).await.status, 204);

    let rate = json!({ "busiest_30_s": 0, "refused": 0, "limit": 2 });
    assert_eq!(harness.look("/rate").await, rate);
    assert_eq!(send(&harness, 3).await, [200, 200, 403]);

    assert_eq!(limit(&harness, Value::Null).await.status, 204);

    assert_eq!(send(&harness, 3).await, [200; 3]);
    let rate = json!({ "busiest_30_s": 3, "refused": 0, "limit": null });
    assert_eq!(harness.look("/rate").await, rate);
}

#[tokio::test]
async fn a_limit_that_is_none_is_refused_and_changes_nothing() {
    let harness = limited_to(80).await;
    send(&harness, 1).await;

    for body in [
        json!({}),
        json!({ "limit": 80 }),
        json!({ "requests_per_30_s": 0 }),
        json!({ "requests_per_30_s": -1 }),
        json!({ "requests_per_30_s": "80" }),
        json!({ "requests_per_30_s": 80, "burst": 1 }),
        Value::Null,
    ] {
        let refused = harness.control(Method::PUT, "/rate", body.clone()).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.json()["error"].is_string(), "{body}");
    }

    let rate = json!({ "busiest_30_s": 1, "refused": 0, "limit": 80 });
    assert_eq!(harness.look("/rate").await, rate);
}
