//! `/api/links/`: listing links and making one that is valid at once and has data.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::pages::{Page, Query};
use crate::{
    errors::ApiError,
    state::{App, NewLink},
};

/// One page of links.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let filters = ["id", "external_id", "access_mode", "status"];
    let query = Query::parse(query.as_deref(), &filters)?;
    query.uuid("id")?;
    let state = app.state();
    let matches = |link: &&Value| {
        filters
            .iter()
            .all(|field| query.get(field).is_none_or(|only| link[*field] == *only))
    };
    let links: Vec<&Value> = state
        .links
        .iter()
        .map(|link| &link.object)
        .filter(matches)
        .collect();
    let page = Page::new(&app, &headers, "/api/links/", &query, links.len())?;
    Ok(page.of(&links))
}

/// One link.
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

/// Makes a link. Credentials are required and not looked at; no webhook is sent by this alone.
pub(crate) async fn create(State(app): State<Arc<App>>, body: Bytes) -> Result<Response, ApiError> {
    let body: Value = serde_json::from_slice(&body).map_err(|_| ApiError::new("parse_error"))?;
    let missing = ["institution", "username", "password"]
        .into_iter()
        .filter(|field| body[*field].is_null());
    if let Some(error) = ApiError::all(missing.map(|field| ApiError::field("required", field))) {
        return Err(error);
    }
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
    Ok((
        StatusCode::CREATED,
        Json(app.state().create(new).object.clone()),
    )
        .into_response())
}
