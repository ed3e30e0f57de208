//! Secrets are checked without being shown.

use axum::{Router, http::StatusCode, routing::post};
use serde_json::Value;
use test_harness::Stack;
use tokio::net::TcpListener;

use crate::command::{Ended, command, run};

#[tokio::test]
async fn the_secrets_in_use_are_accepted_and_never_shown() {
    let stack = Stack::of_this_run();
    // 3 where other tests have called the webhook with a wrong value within the hour.
    let ended = run(&["secrets", "check", "--json"]).await;
    assert!(matches!(ended.code, 0 | 3), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let results = report["checks"].as_array().unwrap();
    let results: Vec<_> = results
        .iter()
        .map(|check| check["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["accepted", "accepted", "missing"]);

    let page = run(&["secrets", "check"]).await;
    let password = stack.belvo_keys().await["secret_password"].clone();
    for secret in [stack.authorization.as_str(), password.as_str().unwrap()] {
        assert!(!page.stdout.contains(secret) && !page.stderr.contains(secret));
        assert!(!report.to_string().contains(secret));
    }
}

#[tokio::test]
async fn a_value_that_the_webhook_refuses_needs_attention() {
    for (status, result) in [
        (StatusCode::UNAUTHORIZED, "refused"),
        (StatusCode::FORBIDDEN, "forbidden_address"),
        (StatusCode::SERVICE_UNAVAILABLE, "unanswered"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let webhook = Router::new().route("/", post(move || async move { status }));
        let server = tokio::spawn(async move { axum::serve(listener, webhook).await });

        let state = tempfile::tempdir().unwrap();
        let mut check = command(&["secrets", "check", "--json"], state.path());
        let ended = Ended::from(check.env("WEBHOOK_URL", address).output().await.unwrap());
        assert_eq!(ended.code, 3, "{ended:?}");
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["checks"][1]["result"], result, "{report}");
        server.abort();
    }
}
