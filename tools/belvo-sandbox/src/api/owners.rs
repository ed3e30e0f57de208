//! `/api/owners/`: who a link's accounts belong to.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde_json::Value;

use super::{pages::ListRequest, retrievals};
use crate::{errors::ApiError, link::Link, state::App};

/// One page of owners.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    request: ListRequest,
) -> Result<Response, ApiError> {
    let state = app.state();
    let owners = state.links.iter().filter_map(|link| link.owner.as_ref());
    request.parse().answer(&app.config, owners)
}

/// Fetches the owner of a link again, who is the same.
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Response, ApiError> {
    retrievals::at_once(&app, &body, |link| link.owner.iter().cloned().collect())
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let state = app.state();
    let mut owners = state.links.iter().filter_map(|link| link.owner.as_ref());
    owners
        .find(|owner| is(owner, &id))
        .map(|owner| Json(owner.clone()))
        .ok_or_else(|| ApiError::new("not_found"))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let mut state = app.state();
    let owns = |link: &&mut Link| link.owner.as_ref().is_some_and(|owner| is(owner, &id));
    let link = state.links.iter_mut().find(owns);
    let link = link.ok_or_else(|| ApiError::new("not_found"))?;
    link.owner = None;
    Ok(StatusCode::NO_CONTENT)
}

fn is(owner: &Value, id: &str) -> bool {
    owner["id"] == id.to_lowercase()
}
