//! Belvo's errors: their codes, bodies and messages.

use reqwest::Method;
use serde_json::json;

use crate::{
    harness::{Harness, answer},
    specification::{Specification, assert_valid},
};

/// Status, the name of the response in the specification, and the codes that share both.
const CODES: [(u16, &str, &[&str]); 7] = [
    (
        400,
        "400_bad_request_error",
        &[
            "required",
            "null",
            "blank",
            "does_not_exist",
            "invalid",
            "invalid_choice",
            "not_a_list",
            "parse_error",
            "validation_error",
            "invalid_period",
            "invalid_credentials_storage",
            "invalid_fetch_resources",
            "unsupported_operation",
            "duplicated",
            "too_many_sessions",
            "login_error",
            "invalid_link",
            "unconfirmed_link",
            "session_expired",
            "session_expired_ob",
            "institution_down",
            "institution_unavailable",
            "institution_inactive",
            "unavailable_data",
            "operational_limits_reached",
            "activation_failed",
        ],
    ),
    (
        401,
        "401_unauthorized_error",
        &["authentication_failed", "consent_without_accounts"],
    ),
    (
        403,
        "403_access_denied_error",
        &[
            "access_to_production_denied",
            "access_to_resource_denied",
            "permission_denied",
            "quota_limit_reached",
        ],
    ),
    (
        404,
        "404_not_found_error",
        &["not_found", "expired_credentials"],
    ),
    (408, "408_request_timeout_error", &["request_timeout"]),
    (
        428,
        "428_token_required_error",
        &["token_required", "activation_required"],
    ),
    (
        500,
        "500_unexpected_error",
        &["unexpected_error", "service_unavailable"],
    ),
];

/// Codes with the message that Belvo documents.
const MESSAGES: [(&str, &str); 9] = [
    (
        "too_many_sessions",
        "Impossible to login, a session is already opened with the institution for these \
         credentials",
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
        "Belvo is unable to process the request due to an internal system issue or to an \
         unsupported response from an institution",
    ),
];

#[tokio::test]
async fn every_documented_error_has_a_valid_body_and_its_status() {
    let harness = Harness::start().await;
    let link = harness.link(0).await;
    let specification = Specification::read();

    for (status, response, codes) in CODES {
        let validator = specification.response(response);
        for code in codes {
            let action = json!({ "error": { "code": code } });
            harness.once("get", action).await;

            let path = format!("/api/transactions/?link={link}");
            let answer = harness.get(&path).await;

            assert_eq!(answer.status, status, "{code}");
            assert_eq!(answer.code(), *code);
            assert_valid(&validator, &answer.json());
            let request_id = answer.json()[0]["request_id"].clone();
            assert_eq!(request_id.as_str().unwrap().len(), 32);
        }
    }
}

#[tokio::test]
async fn errors_have_belvos_messages_and_a_new_request_id_each_time() {
    let harness = Harness::start().await;
    let link = harness.link(0).await;

    let mut request_ids = Vec::new();
    for (code, message) in MESSAGES {
        let action = json!({ "error": { "code": code } });
        harness.once("post", action).await;

        let error = harness.retrieve(&link).await.json();

        assert_eq!(error[0]["message"], message);
        request_ids.push(error[0]["request_id"].to_string());
    }

    request_ids.sort();
    request_ids.dedup();
    assert_eq!(request_ids.len(), 9);
}

#[tokio::test]
async fn calls_without_the_right_keys_are_refused() {
    let harness = Harness::start().await;
    let list = || harness.request(Method::GET, "/api/transactions/");
    let retrieval = harness.request(Method::POST, "/api/transactions/");

    for request in [
        harness.request(Method::GET, "/api/"),
        list().basic_auth("sandbox-id", Some("wrong")),
        retrieval.bearer_auth("sandbox-password"),
    ] {
        let answer = answer(request).await.unwrap();

        assert_eq!(answer.status, 401);
        assert_eq!(answer.code(), "authentication_failed");
        assert_eq!(answer.json()[0]["message"], "Invalid Secret Keys");
    }
    assert_eq!(harness.get("/api/").await.status, 200);
}

#[tokio::test]
async fn calls_that_do_not_exist_are_refused_in_belvos_form() {
    let harness = Harness::start().await;

    assert_eq!(harness.get("/api/unknown/").await.code(), "not_found");
    assert_eq!(harness.get("/api/transactions").await.code(), "not_found");
    assert_eq!(harness.get("/api/token/").await.status, 405);
}
