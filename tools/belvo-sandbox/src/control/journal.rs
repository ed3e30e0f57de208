//! Reading and clearing the journal.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde_json::Value;

use crate::state::App;

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
