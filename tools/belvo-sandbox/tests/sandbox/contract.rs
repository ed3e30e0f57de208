//! Every kind of answer is valid by Belvo's specification.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Harness, answer, id, with_json},
    receiver::Receiver,
    specification::{Specification, assert_valid},
    widget::token_request,
};

#[tokio::test]
async fn every_page_of_a_large_link_is_valid() {
    let harness = Harness::start().await;
    let settings = json!({ "transactions": 3_000, "today": "2026-06-30", "loan_account": true });
    let link = harness.create(settings).await.id();
    let valid_page = Specification::read().page_of("TransactionOpenFinanceBrazil");

    for number in 1..=3 {
        let path = format!("/api/transactions/?link={link}&page_size=1000&page={number}");
        let page = harness.get(&path).await;

        assert_eq!(page.status, 200);
        assert_eq!(page.json()["results"].as_array().unwrap().len(), 1_000);
        assert_valid(&valid_page, &page.json());
    }
}

#[tokio::test]
async fn a_single_row_and_a_single_account_are_valid() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    let row = harness.truth(&link).await.remove(0);
    let specification = Specification::read();

    for (kind, object, schema) in [
        ("transactions", &row, "TransactionOpenFinanceBrazil"),
        ("accounts", &row["account"], "AccountOpenFinanceBrazil"),
    ] {
        let answer = harness.get(&format!("/api/{kind}/{}/", id(object))).await;

        assert_valid(&specification.schema(schema), &answer.json());
    }
}

#[tokio::test]
async fn accounts_are_valid_with_and_without_a_loan() {
    let harness = Harness::start().await;
    harness.link(0).await;
    let with_loan = json!({ "transactions": 0, "loan_account": true });
    harness.create(with_loan).await;

    let page = harness.get("/api/accounts/").await.json();

    let valid_page = Specification::read().page_of("AccountOpenFinanceBrazil");
    assert_valid(&valid_page, &page);
    let accounts = page["results"].as_array().unwrap();
    assert_eq!(accounts.len(), 7);
    let mut categories = accounts.iter().map(|account| &account["category"]);
    assert!(categories.any(|category| category == "LOAN_ACCOUNT"));
}

#[tokio::test]
async fn links_are_valid_in_a_page_and_alone_whichever_way_they_were_created() {
    let harness = Harness::start().await;
    let specification = Specification::read();
    let valid_link = specification.schema("Link");

    let credentials = json!({
        "institution": "ofmockbank_br_retail",
        "username": "231.002.999-00",
        "password": "something",
    });
    let created = harness.post("/api/links/", &credentials).await;
    assert_eq!(created.status, 201);
    assert_valid(&valid_link, &created.json());

    harness.create(json!({ "access_mode": "single" })).await;
    let page = harness.get("/api/links/").await.json();
    assert_eq!(page["count"], 2);
    assert_valid(&specification.page_of("Link"), &page);

    let link = harness.shown(&created.id()).await;
    assert_valid(&valid_link, &link);
}

#[tokio::test]
async fn both_answers_to_a_retrieval_are_valid() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(500).await;
    let specification = Specification::read();

    let asynchronous = harness.retrieve(&link).await;
    assert_eq!(asynchronous.status, 202);
    let accepted = specification.response("202_accepted_response");
    assert_valid(&accepted, &asynchronous.json());

    let body = json!({ "link": link, "date_from": "2026-01-01", "date_to": "2026-06-30" });
    let synchronous = harness.post("/api/transactions/", &body).await;
    assert_eq!(synchronous.status, 201);
    let rows = specification.array_of("TransactionOpenFinanceBrazil");
    assert_valid(&rows, &synchronous.json());
}

#[tokio::test]
async fn a_token_is_given_for_keys_in_the_body_without_a_header() {
    let harness = Harness::start().await;
    let keys = |password: &str| token_request(&json!({ "password": password }));

    let request = harness.request(Method::POST, "/api/token/");
    let request = with_json(request, &keys("sandbox-password"));
    let token = answer(request).await.unwrap();
    assert_eq!(token.status, 200);
    let valid_token = Specification::read().schema("WidgetToken");
    assert_valid(&valid_token, &token.json());

    let refused = harness.post("/api/token/", &keys("no")).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.code(), "authentication_failed");
}

/// A path into a row, and a value that the specification does not allow there.
fn mistakes() -> Vec<(&'static str, Value)> {
    let rate = "/account/loan_data/interest_rates/0/interest_rate_data/rate_type";
    vec![
        ("/id", Value::Null),
        ("/id", json!("7")),
        ("/amount", json!("1.00")),
        ("/value_date", json!("2026-06-31")),
        ("/transacted_at", json!("2026-06-30T10:00:00.123456Z")),
        ("/status", json!("DONE")),
        ("/mcc", json!(1.5)),
        ("/undocumented", json!(1)),
        ("/account/agency", json!("12345")),
        ("/account/credit_data/limits/0/type", json!("SOME_LIMIT")),
        (rate, json!("SIMPLE_RATE")),
        ("/counterparty/document_number", json!("1234567890")),
        ("/credit_card_data/undocumented", json!(1)),
        ("/loan_data/charges/0/amount", json!("1.00")),
    ]
}

/// Enough rows that every mistake has one in which it can be made.
async fn varied_rows(harness: &Harness) -> Vec<Value> {
    let settings = json!({ "transactions": 500, "today": "2026-06-30", "loan_account": true });
    let link = harness.create(settings).await.id();
    let path = format!("/api/transactions/?link={link}&page_size=500");
    let page = harness.get(&path).await.json();
    page["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_validation_finds_wrong_values() {
    let harness = Harness::start().await;
    let rows = varied_rows(&harness).await;
    let validator = Specification::read().schema("TransactionOpenFinanceBrazil");

    for (pointer, wrong) in mistakes() {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let has_parent = |row: &&Value| row.pointer(parent).is_some_and(Value::is_object);
        let mut row = rows.iter().find(has_parent).unwrap().clone();
        assert!(validator.is_valid(&row));

        row.pointer_mut(parent).unwrap()[field] = wrong;

        assert!(!validator.is_valid(&row), "{pointer}");
    }
}

#[tokio::test]
async fn the_validation_finds_missing_fields() {
    let harness = Harness::start().await;
    let rows = varied_rows(&harness).await;
    let validator = Specification::read().schema("TransactionOpenFinanceBrazil");

    for required in ["observations", "account", "mcc"] {
        let mut row = rows[0].clone();
        row.as_object_mut().unwrap().remove(required);

        assert!(!validator.is_valid(&row), "{required}");
    }
}
