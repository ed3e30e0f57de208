//! Requests that Belvo's OpenAPI document does not allow: refused as Belvo would, and remembered.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Harness, answer},
    widget::token_request,
};

/// What the control API shows of the violations: field and code of each.
async fn remembered(harness: &Harness) -> Vec<(String, String)> {
    let request = harness.request(Method::GET, "/_control/violations");
    let violations = answer(request).await.unwrap().json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let violations = violations.as_array().unwrap().iter();
    violations
        .map(|violation| (text(&violation["field"]), text(&violation["code"])))
        .collect()
}

fn pair(field: &str, code: &str) -> (String, String) {
    (field.to_owned(), code.to_owned())
}

#[tokio::test]
async fn a_whole_day_of_valid_calls_leaves_no_violation() {
    let harness = Harness::start().await;
    let link = harness.link(3).await;

    for path in [
        "/api/".to_owned(),
        "/api/links/".to_owned(),
        format!("/api/links/{link}/"),
        format!("/api/accounts/?link={link}&page_size=100"),
        format!("/api/transactions/?link={link}&value_date__range=2026-01-01,2026-06-30"),
        format!("/api/transactions/?link={}", link.to_uppercase()),
    ] {
        assert_eq!(harness.get(&path).await.status, 200, "{path}");
    }
    assert_eq!(harness.retrieve(&link).await.status, 202);
    let token = harness
        .post("/api/token/", &token_request(&json!({})))
        .await;
    assert_eq!(token.status, 200);

    assert_eq!(remembered(&harness).await, []);
    assert!(harness.violations().is_empty());
}

#[tokio::test]
async fn a_token_needs_what_the_document_requires_of_it() {
    let harness = Harness::start().await;
    for (missing, field) in [("stale_in", "stale_in"), ("widget", "widget")] {
        let body = token_request(&json!({ missing: null }));
        let refused = harness.post("/api/token/", &body).await;
        assert_eq!((refused.status, refused.code()), (400, "required".into()));
        assert_eq!(refused.json()[0]["field"], field);
    }
    for (pointer, field) in [
        ("branding", "widget.branding"),
        ("consent", "widget.consent"),
    ] {
        let mut body = token_request(&json!({}));
        body["widget"].as_object_mut().unwrap().remove(pointer);
        let refused = harness.post("/api/token/", &body).await;
        assert_eq!(refused.json()[0]["field"], field, "{}", refused.text);
    }

    let stale = token_request(&json!({ "stale_in": "a year" }));
    harness.post("/api/token/", &stale).await;
    let last = harness.violations().pop().unwrap();
    assert_eq!(last.field.as_deref(), Some("stale_in"));
    assert!(!last.to_string().contains("a year"), "{last}");
}

#[tokio::test]
async fn a_token_of_update_mode_needs_what_the_guide_shows() {
    let harness = Harness::start().await;
    let link = harness.link(0).await;
    let keys = token_request(&json!({ "fetch_resources": null, "stale_in": null, "widget": null }));
    let mut update = keys.clone();
    update["link_id"] = json!(link);
    assert_eq!(harness.post("/api/token/", &update).await.status, 200);

    // What else it carries has to be as in any other token.
    update["widget"] = json!({ "branding": { "company_name": "ACME" } });
    let refused = harness.post("/api/token/", &update).await;
    assert_eq!(refused.code(), "required");
    update["widget"] = json!({});
    let refused = harness.post("/api/token/", &update).await;
    assert_eq!(refused.json()[0]["field"], "widget.branding");
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_remembered_until_it_is_forgotten() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    for (path, status, expected) in [
        ("/api/transactions/", 400, pair("link", "required")),
        ("/api/transactions/?link=me", 400, pair("link", "invalid")),
        (
            "/api/accounts/?colour=red",
            400,
            pair("colour", "validation_error"),
        ),
        (
            "/api/accounts/?page_size=0",
            400,
            pair("page_size", "invalid"),
        ),
        (
            "/api/invoices/?type=BOTH",
            400,
            pair("type", "invalid_choice"),
        ),
        ("/api/links/me/", 404, pair("id", "not_found")),
        ("/api/statements/", 404, pair("", "not_found")),
    ] {
        assert_eq!(harness.get(path).await.status, status, "{path}");
        assert_eq!(remembered(&harness).await, [expected], "{path}");
        harness.delete("/violations").await;
    }

    let account = json!({
        "link": link, "account": "a1", "date_from": "2026-06-01", "date_to": "2026-06-30",
    });
    assert_eq!(
        harness.post("/api/transactions/", &account).await.status,
        400
    );
    assert_eq!(remembered(&harness).await, [pair("account", "invalid")]);
    let counters = harness.request(Method::GET, "/_control/counters");
    let counters = answer(counters).await.unwrap().json();
    assert_eq!(counters["retrievals"], 0, "it costs no retrieval");
}

#[tokio::test]
async fn a_body_that_is_not_sent_as_json_is_refused() {
    let harness = Harness::start().await;
    let body = token_request(&json!({})).to_string();
    let request = harness.request(Method::POST, "/api/token/").body(body);
    assert_eq!(answer(request).await.unwrap().code(), "parse_error");
    assert_eq!(harness.violations().len(), 1);
}
