//! `POST /api/transactions/`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::{
    harness::{Harness, id},
    receiver::{AUTHORIZATION, PATH, Receiver},
};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

#[tokio::test]
async fn a_202_is_followed_by_a_webhook_with_the_same_request_id_in_another_format() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;

    let accepted = harness.retrieve(&link).await;

    assert_eq!(accepted.status, 202);
    let request_id = accepted.request_id();
    assert_eq!(request_id.len(), 32);
    let is_lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    assert!(request_id.bytes().all(is_lower_hex));

    let webhook = receiver.wait_for(1).await.remove(0);
    assert_eq!(webhook.request_id(), request_id);
    let dashed = webhook.json()["request_id"].clone();
    assert_eq!(dashed.as_str().unwrap().len(), 36);
}

#[tokio::test]
async fn the_webhook_of_a_retrieval_goes_to_the_receiver_with_the_documented_fields() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(300).await;

    harness.retrieve(&link).await;

    let delivery = receiver.wait_for(1).await.remove(0);
    assert_eq!(delivery.authorization.as_deref(), Some(AUTHORIZATION));
    assert_eq!(delivery.path, PATH);
    let webhook = delivery.json();
    for (field, value) in [
        ("webhook_type", "TRANSACTIONS"),
        ("webhook_code", "historical_update"),
        ("process_type", "historical_update"),
        ("link_id", link.as_str()),
        ("external_id", "user-1"),
    ] {
        assert_eq!(webhook[field], value);
    }
}

#[tokio::test]
async fn the_webhook_declares_what_a_get_of_the_window_returns() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(2_000).await;

    harness.retrieve(&link).await;

    let webhook = receiver.wait_for(1).await[0].json();
    let list = format!("/api/transactions/?link={link}");
    let june = format!("{list}&value_date__range=2026-06-01,2026-06-30");
    let rows = harness.walk(&june).await;
    let count = |flow: &str| rows.iter().filter(|row| row["type"] == flow).count();
    let expected = json!({
        "total_transactions": rows.len(),
        "total_inflow_transactions": count("INFLOW"),
        "total_outflow_transactions": count("OUTFLOW"),
        "first_transaction_date": rows.last().unwrap()["value_date"],
        "last_transaction_date": rows[0]["value_date"],
    });
    assert_eq!(webhook["data"], expected);
}

#[tokio::test]
async fn without_the_header_the_answer_holds_the_rows_of_the_window_and_no_webhook_follows() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(600).await;
    let accounts = harness.look(&format!("/links/{link}/accounts")).await;
    let account = id(&accounts[0]);

    let body = json!({
        "link": link,
        "date_from": "2026-05-01",
        "date_to": "2026-05-31",
        "account": account,
    });
    let answer = harness.post("/api/transactions/", &body).await;

    assert_eq!(answer.status, 201);
    let list = format!("/api/transactions/?link={link}&account={account}");
    let may = format!("{list}&value_date__range=2026-05-01,2026-05-31");
    assert_eq!(answer.json(), Value::Array(harness.walk(&may).await));
    assert_eq!(harness.journal().await["deliveries"], json!([]));
}

/// A retrieval of June 2026 with one field changed.
fn request_with(link: &str, field: &str, value: Value) -> Value {
    let mut body = json!({ "link": link, "date_from": "2026-06-01", "date_to": "2026-06-30" });
    body[field] = value;
    body
}

/// The journal has this many POSTs and no retrieval.
async fn assert_nothing_retrieved(harness: &Harness, posts: usize) {
    let journal = harness.journal().await;
    assert_eq!(journal["retrievals"], json!({}));
    assert_eq!(journal["posts"].as_array().unwrap().len(), posts);
}

#[tokio::test]
async fn a_field_that_makes_no_sense_is_refused_and_costs_no_retrieval() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;

    for (field, value, code) in [
        ("link", Value::Null, "null"),
        ("link", json!(""), "blank"),
        ("link", json!("x"), "invalid"),
        ("link", json!(UNKNOWN), "does_not_exist"),
        ("date_from", json!("2026-13-01"), "invalid"),
        ("date_to", json!("30/06/2026"), "invalid"),
        ("account", json!(UNKNOWN), "does_not_exist"),
    ] {
        let body = request_with(&link, field, value);
        let answer = harness.post("/api/transactions/", &body).await;

        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.code(), code, "{body}");
        assert_eq!(answer.json()[0]["field"], field);
    }
    assert_nothing_retrieved(&harness, 7).await;
}

#[tokio::test]
async fn a_period_of_more_than_a_year_is_refused_and_costs_no_retrieval() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;

    let mut body = request_with(&link, "date_to", json!("2026-06-30"));
    body["date_from"] = json!("2025-06-29");
    let answer = harness.post("/api/transactions/", &body).await;
    assert_eq!(answer.code(), "validation_error");
    assert_nothing_retrieved(&harness, 1).await;

    body["date_from"] = json!("2025-06-30");
    let answer = harness.post("/api/transactions/", &body).await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn a_period_that_is_reversed_or_in_the_future_is_refused_and_costs_no_retrieval() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;

    for (field, value) in [("date_from", "2026-07-01"), ("date_to", "2999-01-01")] {
        let body = request_with(&link, field, json!(value));
        let answer = harness.post("/api/transactions/", &body).await;

        assert_eq!(answer.code(), "invalid_period");
    }
    assert_nothing_retrieved(&harness, 2).await;
}

#[tokio::test]
async fn one_answer_names_every_missing_field_and_costs_no_retrieval() {
    let harness = Harness::start().await;

    let answer = harness.post("/api/transactions/", &json!({})).await.json();

    let errors = answer.as_array().unwrap().iter();
    let fields: Vec<&Value> = errors.map(|error| &error["field"]).collect();
    assert_eq!(fields, ["link", "date_from", "date_to"]);
    assert_nothing_retrieved(&harness, 1).await;
}

#[tokio::test]
async fn a_link_that_is_not_valid_is_refused_with_the_reason() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;

    for (status, code, http) in [
        ("invalid", "invalid_link", 400),
        ("unconfirmed", "unconfirmed_link", 400),
        ("token_required", "token_required", 428),
    ] {
        let path = format!("/links/{link}");
        harness.patch(&path, json!({ "status": status })).await;

        let answer = harness.retrieve(&link).await;

        assert_eq!(answer.status, http);
        assert_eq!(answer.code(), code);
    }
}

#[tokio::test]
async fn every_retrieval_is_counted_for_its_link() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let (one, other) = (harness.link(1).await, harness.link(1).await);

    for link in [&one, &other, &one] {
        harness.retrieve(link).await;
    }
    receiver.wait_for(3).await;

    let counters = harness.look("/counters").await;
    assert_eq!(counters["posts"], 3);
    assert_eq!(counters["deliveries"], 3);
    assert_eq!(counters["gets"], 0);
    let expected = json!({
        "gets": 0, "account_gets": 0, "posts": 2, "deliveries": 2, "retrievals": 2,
    });
    assert_eq!(counters["links"][&one], expected);
    assert_eq!(counters["links"][&other]["retrievals"], 1);
}
