//! A database that stops taking writes: what a test sees behind it is what a crash leaves.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use serde_json::json;
use tokio::net::TcpListener;

/// The operations that change a table.
const WRITES: [&str; 4] = ["BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"];

struct Gate {
    dynamodb: String,
    http: reqwest::Client,
    writes_left: AtomicU32,
}

/// A proxy of a database that lets this many more writes through, and refuses the others. Returns
/// its endpoint.
pub async fn behind_gate(dynamodb: &str, writes: u32) -> String {
    let gate = Arc::new(Gate {
        dynamodb: dynamodb.to_owned(),
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        writes_left: writes.into(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(pass).with_state(gate);
    tokio::spawn(async move { axum::serve(listener, router).await });
    endpoint
}

async fn pass(
    State(gate): State<Arc<Gate>>,
    mut headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let target = headers["x-amz-target"].to_str().unwrap().to_owned();
    let is_write = WRITES.iter().any(|write| target.ends_with(write));
    let one_less = |left: u32| left.checked_sub(1);
    let content_type = [("content-type", "application/x-amz-json-1.0")];
    if is_write {
        let left = &gate.writes_left;
        let passed = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        if passed.is_err() {
            // A kind of error that no client repeats.
            let refusal = json!({"__type": "com.amazon.coral.validate#ValidationException"});
            return (StatusCode::BAD_REQUEST, content_type, refusal.to_string());
        }
    }
    // The host stays as it is: it is signed.
    headers.remove("content-length");
    let sent = gate.http.post(&gate.dynamodb).headers(headers).body(body);
    let answer = sent.send().await.unwrap();
    (answer.status(), content_type, answer.text().await.unwrap())
}
