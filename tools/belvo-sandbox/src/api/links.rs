//! `/api/links/`: listing links, and creating one that is valid at once and has data.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{body, pages::ListRequest};
use crate::{
    errors::ApiError,
    state::{App, NewLink},
};

const FILTERS: [&str; 4] = ["id", "external_id", "access_mode", "status"];

/// One page of links.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    request: ListRequest,
) -> Result<Response, ApiError> {
    let listing = request.parse(&FILTERS)?;
    // Only checked: an id is compared as it was written.
    listing.query.uuid("id")?;

    let state = app.state();
    let matches = |link: &&Value| {
        FILTERS.iter().all(|field| {
            let wanted = listing.query.get(field);
            wanted.is_none_or(|wanted| link[*field] == *wanted)
        })
    };
    let objects = state.links.iter().map(|link| &link.object);
    let links: Vec<&Value> = objects.filter(matches).collect();

    let page = listing.page(&app.config, links.len())?;
    Ok(page.answer(&links))
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
