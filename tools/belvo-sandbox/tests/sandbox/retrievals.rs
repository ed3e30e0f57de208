//! `POST /api/transactions/`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::Harness,
    receiver::{AUTHORIZATION, Receiver},
};

#[tokio::test]
async fn a_202_is_followed_by_a_webhook_with_the_same_request_id_in_another_format() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(300).await;
    let accepted = harness.retrieve(&link).await;
    let request = accepted.json()["request_id"].as_str().unwrap().to_owned();
    assert_eq!((accepted.status, request.len()), (202, 32));
    assert!(
        request
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    );

    let delivery = receiver.wait_for(1).await.remove(0);
    let webhook = delivery.json();
    let dashed = webhook["request_id"].as_str().unwrap();
    assert_eq!((dashed.len(), dashed.replace('-', "")), (36, request));
    assert_eq!(delivery.authorization.as_deref(), Some(AUTHORIZATION));
    assert_eq!(
        delivery.path,
        "/_aws/execute-api/abc123/$default/webhooks/belvo"
    );
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
    let data = receiver.wait_for(1).await[0].json()["data"].clone();
    let rows = harness
        .walk(&format!(
            "/api/transactions/?link={link}&value_date__range=2026-06-01,2026-06-30"
        ))
        .await;
    let of = |flow: &str| rows.iter().filter(|row| row["type"] == flow).count();
    assert_eq!(
        data,
        json!({
            "total_transactions": rows.len(),
            "total_inflow_transactions": of("INFLOW"),
            "total_outflow_transactions": of("OUTFLOW"),
            "first_transaction_date": rows.last().unwrap()["value_date"],
            "last_transaction_date": rows[0]["value_date"],
        })
    );
}

#[tokio::test]
async fn without_the_header_the_answer_holds_the_rows_of_the_window_and_no_webhook_follows() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(600).await;
    let account = harness
        .get(&format!("/api/accounts/?link={link}"))
        .await
        .json()["results"][0]["id"]
        .clone();
    let body = json!({ "link": link, "date_from": "2026-05-01", "date_to": "2026-05-31", "account": account });
    let answer = harness.post("/api/transactions/", &body).await;
    let path = format!(
        "/api/transactions/?link={link}&account={}&value_date__range=2026-05-01,2026-05-31",
        account.as_str().unwrap()
    );
    assert_eq!(
        (answer.status, answer.json()),
        (201, Value::Array(harness.walk(&path).await))
    );
    assert_eq!(harness.journal().await["deliveries"], json!([]));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_costs_no_retrieval() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    let good = json!({ "link": link, "date_from": "2026-06-01", "date_to": "2026-06-30" });
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (field, value, code) in [
        ("link", Value::Null, "null"),
        ("link", json!(""), "blank"),
        ("link", json!("x"), "invalid"),
        ("link", json!(nobody), "does_not_exist"),
        ("date_from", json!("2026-13-01"), "invalid"),
        ("date_to", json!("30/06/2026"), "invalid"),
        ("account", json!(nobody), "does_not_exist"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = harness.post("/api/transactions/", &body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, code),
            "{body}"
        );
        assert_eq!(answer.json()[0]["field"], field);
    }
    for (field, value) in [("date_from", "2026-07-01"), ("date_to", "2999-01-01")] {
        let mut body = good.clone();
        body[field] = json!(value);
        assert_eq!(
            harness.post("/api/transactions/", &body).await.code(),
            "invalid_period"
        );
    }
    let nothing = harness.post("/api/transactions/", &json!({})).await.json();
    let fields: Vec<&Value> = nothing
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["field"])
        .collect();
    assert_eq!(fields, ["link", "date_from", "date_to"]);
    let journal = harness.journal().await;
    assert_eq!(
        (
            &journal["retrievals"],
            journal["posts"].as_array().unwrap().len()
        ),
        (&json!({}), 10)
    );
}

#[tokio::test]
async fn a_link_that_is_not_valid_is_refused_with_its_reason() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    for (status, code, http) in [
        ("invalid", "invalid_link", 400),
        ("unconfirmed", "unconfirmed_link", 400),
        ("token_required", "token_required", 428),
    ] {
        harness
            .control(
                Method::PATCH,
                &format!("/links/{link}"),
                json!({ "status": status }),
            )
            .await;
        let answer = harness.retrieve(&link).await;
        assert_eq!((answer.status, answer.code().as_str()), (http, code));
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
    let counters = harness
        .control(Method::GET, "/counters", Value::Null)
        .await
        .json();
    assert_eq!(
        (
            &counters["posts"],
            &counters["deliveries"],
            &counters["gets"]
        ),
        (&json!(3), &json!(3), &json!(0))
    );
    assert_eq!(
        counters["links"][&one],
        json!({ "gets": 0, "posts": 2, "deliveries": 2, "retrievals": 2 })
    );
    assert_eq!(counters["links"][&other]["retrievals"], 1);
}
