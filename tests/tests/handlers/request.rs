//! The handler of the request function.

use std::time::Duration;

use lambda_http::{Request, http::HeaderValue};
use request::{App, handle};
use serde_json::json;
use shared::{belvo::Client, secret::CachedSecret};

use crate::surroundings::{
    AMPLE_LIMITS, LINK, Surroundings, good_keys, http_event, kind, read, read_of, route, signed_by,
};

async fn app(here: &Surroundings, keys: serde_json::Value) -> App {
    App {
        belvo: here.belvo(keys).await,
        control: here.own_control().await,
        queue: here.queue().await,
        limits: AMPLE_LIMITS,
        request_due_s: 1_800,
        widget_url: here.widget_url(),
        widget: test_harness::widget_settings(),
    }
}

#[tokio::test]
async fn every_request_event_gets_its_answer() {
    let here = Surroundings::new().await;
    let app = app(&here, good_keys()).await;
    let cases = [
        ("request-one-month", 202, None, None),
        ("request-one-account", 202, None, None),
        (
            "request-reversed-dates",
            400,
            Some("invalid-field"),
            Some("date_from"),
        ),
        (
            "request-unknown-field",
            400,
            Some("invalid-field"),
            Some("acount"),
        ),
        (
            "request-too-long-window",
            400,
            Some("invalid-field"),
            Some("date_from"),
        ),
        (
            "request-malformed-account",
            400,
            Some("invalid-field"),
            Some("account"),
        ),
        ("request-bad-json", 400, Some("invalid-body"), None),
        ("request-connect-token", 201, None, None),
        ("request-connect-token-update-mode", 201, None, None),
        (
            "request-register-link",
            422,
            Some("not-your-link"),
            Some("external_id"),
        ),
        ("request-delete-link", 202, None, None),
        ("request-replay-webhook", 404, Some("not-found"), None),
    ];
    for (name, status, problem, field) in cases {
        let event = http_event(name);
        let (answered, body) = read_of(&route(&event), &handle(&app, event).await);
        assert_eq!(
            (answered, kind(&body), body["field"].as_str()),
            (status, problem, field),
            "{name}: {body}"
        );
    }
}

/// The sandbox refuses what Belvo's OpenAPI does not allow.
#[tokio::test]
async fn every_token_that_can_be_asked_for_is_one_that_belvo_allows() {
    let here = Surroundings::new().await;
    let app = app(&here, good_keys()).await;
    let person = json!({"type": "CPF", "number": "76109277673", "name": "Ralph Bragg"});
    let company = json!({"type": "CNPJ", "number": "12345678000195", "name": "Bragg Ltda"});
    for body in [
        json!({"identification": person}),
        json!({"identification": company, "locale": "en"}),
        json!({"identification": person, "access_mode": "single", "external_id": "mine"}),
        json!({"identification": person, "purpose": "é".repeat(140)}),
        json!({"identification": person, "terms_and_conditions_url": "https://acme.example/a?b#c"}),
        json!({"link": LINK, "unregistered": "allow"}),
        json!({"link": LINK.to_uppercase(), "locale": "es", "unregistered": "allow"}),
    ] {
        let mut asked = body.clone();
        asked["callback_urls"] =
            json!({"success": "app://success", "exit": "app://exit", "event": "app://event"});
        let mut event = http_event("request-connect-token");
        *event.body_mut() = asked.to_string().into();

        let (status, answer) = read(&handle(&app, event).await);
        assert_eq!(status, 201, "{body}: {answer}");
    }
    assert!(here.violations().is_empty());
    assert_eq!(here.sandbox.counters().await.unwrap()["tokens"], 7);
}

#[tokio::test]
async fn keys_that_belvo_refuses_are_our_problem_and_not_the_callers() {
    let here = Surroundings::new().await;
    let app = app(
        &here,
        json!({"secret_id": "wrong", "secret_password": "planted-password"}),
    )
    .await;

    let (status, problem) = read(&handle(&app, http_event("request-one-month")).await);

    assert_eq!(status, 503);
    assert_eq!(
        here.sandbox.counters().await.unwrap()["posts"],
        1,
        "the same keys are not tried twice"
    );
    let text = problem.to_string();
    assert!(
        !text.contains("planted") && !text.contains("authentication"),
        "{text}"
    );
}

#[tokio::test]
async fn rotated_keys_are_noticed_without_a_second_retrieval() {
    let here = Surroundings::new().await;
    let arn = here
        .secret(json!({"secret_id": "old", "secret_password": "old"}))
        .await;
    let keys =
        CachedSecret::new(&here.stack.aws, arn.clone()).with_ages(Duration::ZERO, Duration::MAX);
    let belvo = Client::new(here.sandbox.url().parse().unwrap(), keys).unwrap();
    belvo.warm_up().await;
    let secrets = aws_sdk_secretsmanager::Client::new(&here.stack.aws);
    secrets
        .put_secret_value()
        .secret_id(&arn)
        .secret_string(good_keys().to_string())
        .send()
        .await
        .unwrap();

    let app = App {
        belvo,
        control: here.own_control().await,
        queue: here.queue().await,
        limits: AMPLE_LIMITS,
        request_due_s: 1_800,
        widget_url: here.widget_url(),
        widget: test_harness::widget_settings(),
    };
    let answer = handle(&app, http_event("request-one-month")).await;

    assert_eq!(answer.status(), 202);
    assert_eq!(here.sandbox.counters().await.unwrap()["retrievals"], 1);
}

/// A request for a month with an `Idempotency-Key`, signed by a session of a role.
fn keyed(event: &str, role: &str, session: &str) -> Request {
    let mut request = http_event(event);
    let key = HeaderValue::from_static("a key");
    request.headers_mut().insert("idempotency-key", key);
    signed_by(
        request,
        &format!("arn:aws:sts::123456789012:assumed-role/{role}/{session}"),
    )
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_its_caller() {
    let here = Surroundings::new().await;
    let app = app(&here, good_keys()).await;
    let status = async |event: &str, role: &str, session: &str| {
        let answer = handle(&app, keyed(event, role, session)).await;
        answer.status().as_u16()
    };
    assert_eq!(status("request-one-month", "payments", "1").await, 202);
    assert_eq!(status("request-one-month", "payments", "2").await, 202);
    assert_eq!(status("request-one-account", "payments", "3").await, 422);
    assert_eq!(status("request-one-account", "lending", "1").await, 202);
}
