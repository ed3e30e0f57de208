//! The handler of the webhook function.

use std::{net::IpAddr, time::Duration};

use lambda_http::{Body, Request, http::StatusCode, tracing::subscriber::filter::LevelFilter};
use serde_json::{Value, json};
use shared::{queue::Queue, secret::CachedSecret};
use tokio::net::TcpListener;
use webhook::{App, WebhookSecret, handle};

use crate::{
    log::Log,
    surroundings::{AUTHORIZATION, Surroundings, http_event, kind, read, read_of, route},
};

/// Rereads the secret whenever a value does not match.
fn suspicious(secret: CachedSecret<WebhookSecret>) -> CachedSecret<WebhookSecret> {
    secret.with_ages(Duration::ZERO, Duration::MAX)
}

/// The function, which authenticates with this secret.
pub(crate) async fn webhook_function(here: &Surroundings, secret: Value) -> App {
    let secret = CachedSecret::new(&here.stack.aws, here.secret(secret).await);
    App {
        queue: here.queue().await,
        secret: suspicious(secret),
        ack_status: StatusCode::ACCEPTED,
        allowed_source_ips: Vec::new(),
    }
}

async fn status(webhook: &App, name: &str) -> u16 {
    let event = http_event(name);
    read_of(&route(&event), &handle(webhook, event).await).0
}

#[tokio::test]
async fn every_webhook_event_gets_its_answer() {
    let here = Surroundings::new().await;
    let webhook = webhook_function(&here, json!({"current": AUTHORIZATION})).await;
    let cases = [
        ("webhook-historical-update", 202, None),
        ("webhook-new-transactions-updated", 202, None),
        ("webhook-without-request-id", 202, None),
        ("webhook-link-token-required", 202, None),
        ("webhook-unknown-type", 202, None),
        ("webhook-wrong-authorization", 401, Some("unauthorized")),
        ("webhook-no-authorization", 401, Some("unauthorized")),
        ("webhook-bad-json", 400, Some("invalid-webhook")),
        ("webhook-missing-link", 400, Some("invalid-webhook")),
    ];
    for (name, status, problem) in cases {
        let event = http_event(name);
        let (answered, body) = read_of(&route(&event), &handle(&webhook, event).await);
        assert_eq!((answered, kind(&body)), (status, problem), "{name}: {body}");
        let is_queued = body["delivery_id"].is_string();
        assert_eq!(is_queued, problem.is_none(), "{name}: {body}");
    }
}

#[tokio::test]
async fn a_bad_body_is_answered_with_both_request_ids() {
    let here = Surroundings::new().await;
    let webhook = webhook_function(&here, json!({"current": AUTHORIZATION})).await;

    let (_, problem) = read(&handle(&webhook, http_event("webhook-bad-json")).await);

    assert_eq!(
        problem["request_id"], "b5d0106a-c9cc-43d5-b361-99fe831f6bbe",
        "as Belvo spells it"
    );
    assert!(
        problem["gateway_request_id"]
            .as_str()
            .unwrap()
            .starts_with("events-")
    );
}

/// An authenticated webhook with this body.
fn with_body(body: &str) -> Request {
    let mut request = http_event("webhook-historical-update");
    *request.body_mut() = Body::Text(body.to_owned());
    request
}

#[tokio::test]
async fn a_check_of_the_address_is_acknowledged_and_not_queued() {
    let here = Surroundings::new().await;
    let mut webhook = webhook_function(&here, json!({"current": AUTHORIZATION})).await;
    // Nothing answers there.
    let url = "http://127.0.0.1:1/queue.fifo".to_owned();
    webhook.queue = Queue::new(&here.stack.aws_at("http://127.0.0.1:1"), url);
    for body in ["", " ", "{}", "{ }\n"] {
        let answer = handle(&webhook, with_body(body)).await;
        assert_eq!(answer.status(), 202, "{body:?}");
    }
    let answer = handle(&webhook, with_body("[]")).await;
    assert_eq!(answer.status(), 400);
    let mut stranger = with_body("{}");
    stranger.headers_mut().remove("authorization");
    assert_eq!(handle(&webhook, stranger).await.status(), 401);
}

#[tokio::test]
async fn a_bad_body_is_answered_with_the_request_id_of_its_outermost_object_as_belvo_spells_it() {
    let here = Surroundings::new().await;
    let webhook = webhook_function(&here, json!({"current": AUTHORIZATION})).await;
    let id = "4363B08B-51EB-4350-9C74-5DF5AC92A7F6";
    let body = format!(r#"{{"data": {{"request_id": "inner"}}, "request_id": "{id}"}}"#);
    let (status, problem) = read(&handle(&webhook, with_body(&body)).await);
    assert_eq!((status, problem["request_id"].as_str()), (400, Some(id)));
}

#[tokio::test]
async fn the_acknowledgement_can_be_200() {
    let here = Surroundings::new().await;
    let webhook = App {
        ack_status: StatusCode::OK,
        ..webhook_function(&here, json!({"current": AUTHORIZATION})).await
    };
    assert_eq!(status(&webhook, "webhook-historical-update").await, 200);
}

#[tokio::test]
async fn a_rotated_secret_is_noticed_and_the_previous_value_stays_valid() {
    let here = Surroundings::new().await;
    let arn = here
        .secret(json!({"current": "Bearer first-of-four-authorizations"}))
        .await;
    let secret = suspicious(CachedSecret::new(&here.stack.aws, arn.clone()));
    let webhook = App {
        secret,
        ..webhook_function(&here, json!({"current": "unused"})).await
    };
    assert_eq!(status(&webhook, "webhook-historical-update").await, 401);

    let rotate = async |value: Value| {
        let secrets = aws_sdk_secretsmanager::Client::new(&here.stack.aws);
        secrets
            .put_secret_value()
            .secret_id(&arn)
            .secret_string(value.to_string())
            .send()
            .await
            .unwrap();
    };
    rotate(json!({"current": AUTHORIZATION, "previous": "Bearer first-of-four-authorizations"}))
        .await;
    assert_eq!(status(&webhook, "webhook-historical-update").await, 202);
    rotate(json!({"current": "Bearer third-of-four-authorizations", "previous": AUTHORIZATION}))
        .await;
    assert_eq!(status(&webhook, "webhook-historical-update").await, 202);
    rotate(json!({
        "current": "Bearer fourth-of-four-authorizations",
        "previous": "Bearer third-of-four-authorizations",
    }))
    .await;
    let mut other = http_event("webhook-historical-update");
    other.headers_mut().insert(
        "authorization",
        "Bearer fourth-of-four-authorizations".parse().unwrap(),
    );
    assert_eq!(handle(&webhook, other).await.status(), 202);
    assert_eq!(status(&webhook, "webhook-historical-update").await, 401);
}

#[tokio::test]
async fn a_withdrawn_secret_is_rejected_once_the_cached_one_expires() {
    let here = Surroundings::new().await;
    let arn = here.secret(json!({"current": AUTHORIZATION})).await;
    let secret =
        CachedSecret::new(&here.stack.aws, arn.clone()).with_ages(Duration::ZERO, Duration::ZERO);
    let webhook = App {
        secret,
        ..webhook_function(&here, json!({"current": "unused"})).await
    };
    assert_eq!(status(&webhook, "webhook-historical-update").await, 202);

    let secrets = aws_sdk_secretsmanager::Client::new(&here.stack.aws);
    let withdrawn = json!({"current": "Bearer another-authorization-than-before"}).to_string();
    secrets
        .put_secret_value()
        .secret_id(&arn)
        .secret_string(withdrawn)
        .send()
        .await
        .unwrap();

    assert_eq!(status(&webhook, "webhook-historical-update").await, 401);
}

#[tokio::test]
async fn a_missing_secret_is_a_503() {
    let here = Surroundings::new().await;
    let secret = CachedSecret::new(&here.stack.aws, "no-such-secret".to_owned());
    let webhook = App {
        secret,
        ..webhook_function(&here, json!({"current": AUTHORIZATION})).await
    };
    assert_eq!(status(&webhook, "webhook-historical-update").await, 503);
}

#[tokio::test]
async fn only_listed_addresses_may_send_if_any_is_listed() {
    let here = Surroundings::new().await;
    let listed = |ips: &[&str]| {
        ips.iter()
            .map(|ip| ip.parse::<IpAddr>().unwrap())
            .collect::<Vec<_>>()
    };
    let mut webhook = webhook_function(&here, json!({"current": AUTHORIZATION})).await;
    webhook.allowed_source_ips = listed(&["3.130.254.46"]);
    assert_eq!(status(&webhook, "webhook-historical-update").await, 403);
    webhook.allowed_source_ips = listed(&["3.130.254.46", "127.0.0.1"]);
    assert_eq!(status(&webhook, "webhook-historical-update").await, 202);
}

/// tokio's clock is paused and advances only to the next timer, so that the measured time is exact.
#[tokio::test]
async fn a_queue_that_does_not_answer_is_a_503_within_four_seconds() {
    let here = Surroundings::new().await;
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", deaf.local_addr().unwrap());
    let aws = shared::aws::sdk_config(webhook::CALL_BUDGET).unwrap();
    let aws = aws.into_builder().endpoint_url(&endpoint).build();
    let webhook = webhook_function(&here, json!({"current": AUTHORIZATION})).await;
    webhook.secret.get().await.unwrap();
    let webhook = App {
        queue: Queue::new(&aws, format!("{endpoint}/000000000000/webhooks.fifo")),
        ..webhook
    };

    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let (status, problem) = read(&handle(&webhook, http_event("webhook-historical-update")).await);

    assert_eq!(status, 503, "{problem}");
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn an_unavailable_queue_is_a_503() {
    let here = Surroundings::new().await;
    let webhook = webhook_function(&here, json!({"current": AUTHORIZATION})).await;
    let gone = format!(
        "{}-gone.fifo",
        here.stack.queue_url.trim_end_matches(".fifo")
    );
    let webhook = App {
        queue: Queue::new(&here.stack.aws, gone),
        ..webhook
    };
    assert_eq!(status(&webhook, "webhook-historical-update").await, 503);
}

#[tokio::test]
async fn a_secret_that_could_be_guessed_admits_nobody_and_is_reported() {
    let here = Surroundings::new().await;
    let short = &AUTHORIZATION[..31];
    let webhook = webhook_function(&here, json!({"current": short})).await;
    let log = Log::of("webhook", LevelFilter::ERROR);

    let mut call = http_event("webhook-historical-update");
    call.headers_mut()
        .insert("authorization", short.parse().unwrap());
    assert_eq!(handle(&webhook, call).await.status(), 503);

    let lines = log.lines();
    let unusable = lines
        .iter()
        .find(|line| line["fields"]["event"] == "secret_unreadable");
    let cause = unusable.unwrap()["fields"]["cause"].as_str().unwrap();
    assert!(cause.contains("fewer than 32 characters"), "{cause}");
    assert!(!cause.contains(short), "{cause}");
}
