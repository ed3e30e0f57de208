//! `/api/links/`: listing links, creating one that is valid at once and has data, changing one.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{body, pages::ListRequest};
use crate::{
    errors::ApiError,
    state::{App, NewLink},
};

/// One page of links.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    request: ListRequest,
) -> Result<Response, ApiError> {
    let state = app.state();
    let links = state.links.iter().map(|link| &link.object);
    request.parse().answer(&app.config, links)
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let state = app.state();
    state
        .link(&id.to_lowercase())
        .map(|link| Json(link.object.clone()))
        .ok_or_else(|| ApiError::new("not_found"))
}

/// Creates a link. Credentials are required but never checked, and no webhook is sent.
pub(crate) async fn create(State(app): State<Arc<App>>, body: Bytes) -> Result<Response, ApiError> {
    let body = body::parse(&body)?;
    body::require(&body, &["institution", "username", "password"])?;
    let recurrent = match body["access_mode"].as_str() {
        None | Some("recurrent") => true,
        Some("single") => false,
        Some(_) => return Err(ApiError::field("invalid_choice", "access_mode")),
    };

    let text = |field: &str| body[field].as_str().map(str::to_owned);
    let new = NewLink {
        recurrent,
        external_id: text("external_id"),
        institution: text("institution"),
        ..NewLink::with_defaults(app.config.seed)
    };
    let object = app.state().create(new).object.clone();
    Ok((StatusCode::CREATED, Json(object)).into_response())
}

/// New credentials, which make a link valid and are never checked.
pub(crate) async fn renew(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let mut state = app.state();
    let link = state.link_mut(&id.to_lowercase());
    let link = link.ok_or_else(|| ApiError::new("not_found"))?;
    link.object["status"] = json!("valid");
    Ok(Json(link.object.clone()))
}

/// Changes how a link is refreshed and how long its data is kept.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let body = body::parse(&body)?;
    let mut state = app.state();
    let link = state.link_mut(&id.to_lowercase());
    let link = link.ok_or_else(|| ApiError::new("not_found"))?;
    for field in ["access_mode", "stale_in", "fetch_resources"] {
        if let Some(value) = body.get(field) {
            link.object[field] = value.clone();
        }
    }
    link.object["refresh_rate"] = match link.object["access_mode"].as_str() {
        Some("single") => Value::Null,
        _ if link.object["refresh_rate"].is_null() => json!("7d"),
        _ => link.object["refresh_rate"].take(),
    };
    Ok(Json(link.object.clone()))
}
