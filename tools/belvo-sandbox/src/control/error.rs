//! What is wrong with a call of the control API.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An answer with `{"error": reason}`.
pub(crate) struct ControlError(StatusCode, String);

impl ControlError {
    /// The caller has to change the call.
    pub(super) fn bad(reason: &impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.to_string())
    }

    /// There is no such thing as the path or the body names.
    pub(super) fn unknown(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("no such {what}"))
    }

    /// Nobody should call from there.
    pub(super) fn forbidden(reason: &str) -> Self {
        Self(StatusCode::FORBIDDEN, reason.to_owned())
    }

    /// The sandbox is not in a state for this call.
    pub(super) fn conflict(reason: &str) -> Self {
        Self(StatusCode::CONFLICT, reason.to_owned())
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let Self(status, reason) = self;
        (status, Json(json!({ "error": reason }))).into_response()
    }
}
