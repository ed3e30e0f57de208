//! The control API: makes links and data, sends webhooks, sets rules, shows what happened. Open to
//! whoever reaches 127.0.0.1; a body is JSON whatever its content type says.

mod events;
mod links;
mod rows;
mod webhooks;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post, put},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::state::App;

/// What is wrong with a call of the control API.
pub(crate) struct ControlError(StatusCode, String);

impl ControlError {
    fn bad(reason: &impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.to_string())
    }

    fn unknown(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("no such {what}"))
    }

    fn conflict(reason: &str) -> Self {
        Self(StatusCode::CONFLICT, reason.to_owned())
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// Every route under `/_control`.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route(
            "/webhook",
            get(webhooks::registered).put(webhooks::register),
        )
        .route("/links", post(links::create))
        .route("/links/{id}", patch(links::change))
        .route("/links/{id}/reconnect", post(links::reconnect))
        .route("/links/{id}/accounts", get(links::accounts))
        .route(
            "/links/{id}/accounts/{account}",
            patch(links::patch_account),
        )
        .route("/links/{id}/transactions", get(rows::truth).post(rows::add))
        .route(
            "/links/{id}/transactions/{row}",
            patch(rows::patch).delete(rows::delete),
        )
        .route(
            "/links/{id}/resources/{resource}",
            get(rows::truth).post(rows::add),
        )
        .route(
            "/links/{id}/resources/{resource}/{row}",
            patch(rows::patch).delete(rows::delete),
        )
        .route("/links/{id}/event", post(events::happen))
        .route("/links/{id}/refresh", post(events::refresh))
        .route("/links/{id}/settle", post(rows::settle))
        .route("/links/{id}/notify", post(webhooks::notify))
        .route("/limits", put(events::limit))
        .route("/deliver", post(webhooks::deliver))
        .route("/redeliver", post(webhooks::redeliver))
        .route("/rules", get(rules).post(add_rule).delete(remove_rules))
        .route("/rules/{id}", delete(remove_rule))
        .route("/log", get(log).delete(clear_log))
        .route("/counters", get(counters))
        .fallback(|| async { ControlError::unknown("control call") })
        .with_state(Arc::clone(app))
}

/// Reads a body; an empty one is an empty object.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, ControlError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| ControlError::bad(&error))
}

async fn rules(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.state().rules.list())
}

async fn add_rule(State(app): State<Arc<App>>, body: Bytes) -> Result<Response, ControlError> {
    let id = app
        .state()
        .rules
        .add(parse(&body)?)
        .map_err(|reason| ControlError::bad(&reason))?;
    Ok((StatusCode::CREATED, Json(json!({ "rule": id }))).into_response())
}

async fn remove_rules(State(app): State<Arc<App>>) -> StatusCode {
    app.state().rules.remove(None);
    StatusCode::NO_CONTENT
}

async fn remove_rule(
    State(app): State<Arc<App>>,
    Path(id): Path<u64>,
) -> Result<StatusCode, ControlError> {
    if app.state().rules.remove(Some(id)) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ControlError::unknown("rule"))
    }
}

async fn log(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.state().journal.report())
}

async fn clear_log(State(app): State<Arc<App>>) -> StatusCode {
    app.state().journal.clear();
    StatusCode::NO_CONTENT
}

async fn counters(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.state().journal.counters())
}
