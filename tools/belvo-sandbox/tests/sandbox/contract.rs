//! Every kind of answer is valid by Belvo's specification.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::Harness,
    receiver::Receiver,
    specification::{Specification, assert_valid},
};

#[tokio::test]
async fn every_page_of_a_large_link_is_valid() {
    let harness = Harness::start().await;
    let body = json!({ "transactions": 3_000, "today": "2026-06-30", "loan_account": true });
    let link = harness.control(Method::POST, "/links", body).await.json()["id"].clone();
    let page = Specification::read().page_of("TransactionOpenFinanceBrazil");
    for number in 1..=3 {
        let path = format!(
            "/api/transactions/?link={}&page_size=1000&page={number}",
            link.as_str().unwrap()
        );
        let answer = harness.get(&path).await;
        assert_eq!(
            (
                answer.status,
                answer.json()["results"].as_array().unwrap().len()
            ),
            (200, 1_000)
        );
        assert_valid(&page, &answer.json());
    }
}

#[tokio::test]
async fn a_single_row_and_a_single_account_are_valid() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    let row = harness.truth(&link).await.remove(0);
    let specification = Specification::read();
    for (kind, id, schema) in [
        ("transactions", &row["id"], "TransactionOpenFinanceBrazil"),
        (
            "accounts",
            &row["account"]["id"],
            "AccountOpenFinanceBrazil",
        ),
    ] {
        let answer = harness
            .get(&format!("/api/{kind}/{}/", id.as_str().unwrap()))
            .await;
        assert_valid(&specification.schema(schema), &answer.json());
    }
}

#[tokio::test]
async fn accounts_are_valid_with_and_without_a_loan() {
    let harness = Harness::start().await;
    harness.link(0).await;
    harness
        .control(
            Method::POST,
            "/links",
            json!({ "transactions": 0, "loan_account": true }),
        )
        .await;
    let answer = harness.get("/api/accounts/").await.json();
    assert_valid(
        &Specification::read().page_of("AccountOpenFinanceBrazil"),
        &answer,
    );
    let categories: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| &account["category"])
        .collect();
    assert_eq!(categories.len(), 7);
    assert!(categories.contains(&&json!("LOAN_ACCOUNT")));
}

#[tokio::test]
async fn links_are_valid_in_a_page_and_alone_however_they_were_made() {
    let harness = Harness::start().await;
    let made = json!({ "institution": "ofmockbank_br_retail", "username": "someone", "password": "something" });
    let made = harness.post("/api/links/", &made).await;
    harness
        .control(Method::POST, "/links", json!({ "access_mode": "single" }))
        .await;
    let specification = Specification::read();
    assert_eq!(made.status, 201);
    assert_valid(&specification.schema("Link"), &made.json());
    let page = harness.get("/api/links/").await.json();
    assert_eq!(page["count"], 2);
    assert_valid(&specification.page_of("Link"), &page);
    let one = harness
        .get(&format!(
            "/api/links/{}/",
            made.json()["id"].as_str().unwrap()
        ))
        .await;
    assert_valid(&specification.schema("Link"), &one.json());
}

#[tokio::test]
async fn both_answers_to_a_retrieval_are_valid() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(500).await;
    let specification = Specification::read();
    let asynchronous = harness.retrieve(&link).await;
    assert_eq!(asynchronous.status, 202);
    assert_valid(
        &specification.response("202_accepted_response"),
        &asynchronous.json(),
    );
    let body = json!({ "link": link, "date_from": "2026-01-01", "date_to": "2026-06-30" });
    let synchronous = harness.post("/api/transactions/", &body).await;
    assert_eq!(synchronous.status, 201);
    assert_valid(
        &specification.array_of("TransactionOpenFinanceBrazil"),
        &synchronous.json(),
    );
}

#[tokio::test]
async fn a_token_is_given_for_the_keys_in_the_body_and_no_header() {
    let harness = Harness::start().await;
    let keys = json!({ "id": "sandbox-id", "password": "sandbox-password", "scopes": "read_institutions,write_links" });
    let answer = harness
        .request(Method::POST, "/api/token/")
        .body(keys.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let token: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_valid(&Specification::read().schema("WidgetToken"), &token);
    let wrong = harness
        .post(
            "/api/token/",
            &json!({ "id": "sandbox-id", "password": "no", "scopes": "" }),
        )
        .await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (401, "authentication_failed")
    );
}

#[tokio::test]
async fn every_documented_error_has_a_valid_body_and_its_status() {
    let harness = Harness::start().await;
    let link = harness.link(0).await;
    let specification = Specification::read();
    for (status, response, codes) in [
        (
            400,
            "400_bad_request_error",
            "required null blank does_not_exist invalid invalid_choice not_a_list parse_error validation_error invalid_period invalid_credentials_storage invalid_fetch_resources unsupported_operation duplicated too_many_sessions login_error invalid_link unconfirmed_link session_expired session_expired_ob institution_down institution_unavailable institution_inactive unavailable_data operational_limits_reached activation_failed",
        ),
        (
            401,
            "401_unauthorized_error",
            "authentication_failed consent_without_accounts",
        ),
        (
            403,
            "403_access_denied_error",
            "access_to_production_denied access_to_resource_denied permission_denied quota_limit_reached",
        ),
        (404, "404_not_found_error", "not_found expired_credentials"),
        (408, "408_request_timeout_error", "request_timeout"),
        (
            428,
            "428_token_required_error",
            "token_required activation_required",
        ),
        (
            500,
            "500_unexpected_error",
            "unexpected_error service_unavailable",
        ),
    ] {
        let validator = specification.response(response);
        for code in codes.split(' ') {
            harness
                .rule(json!({ "on": "get", "times": 1, "action": { "error": { "code": code } } }))
                .await;
            let answer = harness
                .get(&format!("/api/transactions/?link={link}"))
                .await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code));
            assert_valid(&validator, &answer.json());
            assert_eq!(answer.json()[0]["request_id"].as_str().unwrap().len(), 32);
        }
    }
}

#[tokio::test]
async fn errors_say_what_belvo_says_with_a_new_request_id_each_time() {
    let harness = Harness::start().await;
    let link = harness.link(0).await;
    let mut seen = Vec::new();
    for (code, message) in [
        (
            "too_many_sessions",
            "Impossible to login, a session is already opened with the institution for these credentials",
        ),
        (
            "login_error",
            "Invalid credentials provided to login to the institution.",
        ),
        (
            "invalid_link",
            "The link has been invalidated. You may need to update link credentials",
        ),
        (
            "operational_limits_reached",
            "The institution has reached its operational limits",
        ),
        (
            "institution_down",
            "The financial institution is down, try again later",
        ),
        (
            "access_to_resource_denied",
            "You don't have access to this resource.",
        ),
        (
            "expired_credentials",
            "The credentials of this link have expired",
        ),
        (
            "token_required",
            "A MFA token is required by the institution to login",
        ),
        (
            "unexpected_error",
            "Belvo is unable to process the request due to an internal system issue or to an unsupported response from an institution",
        ),
    ] {
        harness
            .rule(json!({ "on": "post", "times": 1, "action": { "error": { "code": code } } }))
            .await;
        let error = harness.retrieve(&link).await.json();
        assert_eq!(error[0]["message"], message);
        seen.push(error[0]["request_id"].to_string());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9);
}

#[tokio::test]
async fn calls_without_the_right_keys_and_calls_that_do_not_exist_are_refused_in_belvos_shape() {
    let harness = Harness::start().await;
    for request in [
        harness.request(Method::GET, "/api/"),
        harness
            .request(Method::GET, "/api/transactions/")
            .basic_auth("sandbox-id", Some("wrong")),
        harness
            .request(Method::POST, "/api/transactions/")
            .bearer_auth("sandbox-password"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(
            (&body[0]["code"], &body[0]["message"]),
            (
                &json!("authentication_failed"),
                &json!("Invalid Secret Keys")
            )
        );
    }
    assert_eq!(harness.get("/api/").await.status, 200);
    assert_eq!(harness.get("/api/unknown/").await.code(), "not_found");
    assert_eq!(harness.get("/api/transactions").await.code(), "not_found");
    assert_eq!(harness.get("/api/token/").await.status, 405);
}

#[tokio::test]
async fn the_validation_sees_what_is_wrong() {
    let harness = Harness::start().await;
    let body = json!({ "transactions": 500, "today": "2026-06-30", "loan_account": true });
    let link = harness.control(Method::POST, "/links", body).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = harness
        .get(&format!("/api/transactions/?link={link}&page_size=500"))
        .await
        .json();
    let rows = page["results"].as_array().unwrap();
    let validator = Specification::read().schema("TransactionOpenFinanceBrazil");
    for (pointer, wrong) in [
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
        (
            "/account/loan_data/interest_rates/0/interest_rate_data/rate_type",
            json!("SIMPLE_RATE"),
        ),
        ("/counterparty/document_number", json!("1234567890")),
        ("/credit_card_data/undocumented", json!(1)),
        ("/loan_data/charges/0/amount", json!("1.00")),
    ] {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let mut row = rows
            .iter()
            .find(|row| row.pointer(parent).is_some_and(Value::is_object))
            .unwrap()
            .clone();
        assert!(validator.is_valid(&row));
        row.pointer_mut(parent).unwrap()[field] = wrong;
        assert!(!validator.is_valid(&row), "{pointer}");
    }
    for required in ["observations", "account", "mcc"] {
        let mut row = rows[0].clone();
        row.as_object_mut().unwrap().remove(required);
        assert!(!validator.is_valid(&row), "{required}");
    }
}
