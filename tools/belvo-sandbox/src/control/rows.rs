//! Control of rows, and the truth about them: what the institution has, whatever the API is made to
//! answer.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    ControlError,
    links::{day, resource},
    parse,
};
use crate::{
    api::pages::json_response,
    resource::Resource,
    row::{Filter, array},
    state::App,
};

/// A resource of a link, or one row of it.
#[derive(Deserialize)]
pub(crate) struct Place {
    id: String,
    /// Transactions, where the path names none.
    resource: Option<String>,
    #[serde(default)]
    row: String,
}

impl Place {
    fn resource(&self) -> Result<&'static Resource, ControlError> {
        self.resource
            .as_deref()
            .map_or(Ok(Resource::transactions()), resource)
    }
}

#[derive(Deserialize)]
pub(crate) struct Window {
    from: Option<String>,
    to: Option<String>,
}

/// All rows, unpaged, in the order of the pages.
pub(crate) async fn truth(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    Query(window): Query<Window>,
) -> Result<Response, ControlError> {
    let state = app.state();
    let link = state
        .link(&place.id)
        .ok_or_else(|| ControlError::unknown("link"))?;
    let filter = Filter {
        from: window.from,
        to: window.to,
        ..Filter::all(place.resource()?)
    };
    Ok(json_response(array(link.rows(&filter), &link.accounts)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRows {
    count: usize,
    date: Option<String>,
}

/// Adds rows, all on `date` or spread over the window; answers with their ids.
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let new: NewRows = parse(&body)?;
    let date = new.date.as_deref().map(day).transpose()?;
    let mut state = app.state();
    let link = state
        .link_mut(&place.id)
        .ok_or_else(|| ControlError::unknown("link"))?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "ids": link.add(place.resource()?, new.count, date) })),
    )
        .into_response())
}

/// Merges fields into a row, whose collection time moves on; answers with the row without its
/// account.
pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let changes: Map<String, Value> = parse(&body)?;
    if changes.contains_key("id") || changes.contains_key("account") {
        return Err(ControlError::bad(&"a row keeps its id and its account"));
    }
    let mut state = app.state();
    let link = state
        .link_mut(&place.id)
        .ok_or_else(|| ControlError::unknown("link"))?;
    let row = link.patch(&place.row, &Value::Object(changes));
    row.map(Json).ok_or_else(|| ControlError::unknown("row"))
}

/// Takes a row away.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
) -> Result<StatusCode, ControlError> {
    let mut state = app.state();
    let link = state
        .link_mut(&place.id)
        .ok_or_else(|| ControlError::unknown("link"))?;
    if link.delete(&place.row) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ControlError::unknown("row"))
    }
}

/// Books all pending rows.
pub(crate) async fn settle(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ControlError> {
    let mut state = app.state();
    let link = state
        .link_mut(&id)
        .ok_or_else(|| ControlError::unknown("link"))?;
    Ok(Json(json!({ "settled": link.settle() })))
}
