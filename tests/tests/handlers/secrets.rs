//! A Secrets Manager that stops answering.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use shared::{
    aws::{CallBudget, sdk_config},
    secret::CachedSecret,
};
use test_harness::eventually;
use tokio::net::TcpListener;

/// More than a read takes that gets no answer.
const LEAST_AGE: Duration = Duration::from_secs(5);
const PATIENCE: CallBudget = CallBudget {
    call: Duration::from_millis(200),
    attempt: Duration::from_millis(100),
};

type Calls = Arc<AtomicUsize>;

/// Answers the first call only.
async fn answer_once(State(calls): State<Calls>) -> Json<Value> {
    if calls.fetch_add(1, Ordering::SeqCst) > 0 {
        std::future::pending::<()>().await;
    }
    Json(json!({"SecretString": "{\"current\": \"Bearer abc\"}", "VersionId": "first"}))
}

async fn secrets_manager() -> (String, Calls) {
    let calls = Calls::default();
    let routes = Router::new().route("/", post(answer_once));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = axum::serve(listener, routes.with_state(Arc::clone(&calls)));
    tokio::spawn(server.into_future());
    (url, calls)
}

#[tokio::test]
async fn a_secrets_manager_that_hangs_is_asked_once_in_a_while_as_long_as_a_value_is_known() {
    let (url, calls) = secrets_manager().await;
    let aws = sdk_config(PATIENCE).unwrap();
    let aws = aws.into_builder().endpoint_url(url).build();
    let secret = CachedSecret::<Value>::new(&aws, "a secret".to_owned());
    let secret = secret.with_ages(LEAST_AGE, Duration::ZERO);
    let known = async || secret.get().await.unwrap().value["current"].clone();
    assert_eq!(known().await, "Bearer abc");

    let asked = || calls.load(Ordering::SeqCst);
    eventually("it is asked again, and hangs", || async {
        known().await;
        (asked() > 1).then_some(())
    })
    .await;

    let asked_before = asked();
    for _ in 0..100 {
        assert_eq!(known().await, "Bearer abc");
    }
    assert_eq!(asked(), asked_before);
}
