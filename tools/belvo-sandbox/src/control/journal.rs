//! Reading and clearing the journal.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde_json::Value;

use crate::{openapi::Violation, state::App};

/// Every call, retrieval and delivery.
pub(crate) async fn report(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.state().journal.report())
}

/// Forgets everything that happened.
pub(crate) async fn clear(State(app): State<Arc<App>>) -> StatusCode {
    app.state().journal.clear();
    StatusCode::NO_CONTENT
}

/// How often each thing happened.
pub(crate) async fn counters(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.state().journal.counters())
}

/// Every request that Belvo's OpenAPI document does not allow, since the start of the sandbox.
pub(crate) async fn violations(State(app): State<Arc<App>>) -> Json<Vec<Violation>> {
    Json(app.state().violations.clone())
}

/// Forgets them; answers with them, so that a test that sends one on purpose can look at it.
pub(crate) async fn forgive(State(app): State<Arc<App>>) -> Json<Vec<Violation>> {
    Json(std::mem::take(&mut app.state().violations))
}
