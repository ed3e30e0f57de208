//! Control of rules.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{error::ControlError, input::parse};
use crate::state::App;

/// All rules, oldest first.
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.state().rules.list())
}

/// Adds a rule; answers with its id.
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let rule = parse(&body)?;
    let added = app.state().rules.add(rule);
    let id = added.map_err(|reason| ControlError::bad(&reason))?;
    Ok((StatusCode::CREATED, Json(json!({ "rule": id }))).into_response())
}

/// Removes all rules.
pub(crate) async fn clear(State(app): State<Arc<App>>) -> StatusCode {
    app.state().rules.remove(None);
    StatusCode::NO_CONTENT
}

/// Removes one rule.
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Path(id): Path<u64>,
) -> Result<StatusCode, ControlError> {
    if app.state().rules.remove(Some(id)) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ControlError::unknown("rule"))
    }
}
