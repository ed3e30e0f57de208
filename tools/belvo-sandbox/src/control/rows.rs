//! Control of rows, and the truth about them: what the institution has, whatever the rules make the
//! API answer.

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
    error::ControlError,
    input::{day, link, link_mut, parse, resource},
};
use crate::{
    api::pages::json_response,
    resource::Resource,
    row::{Filter, array},
    state::App,
};

/// The parts of a path that leads to a resource of a link, or to one row of it.
#[derive(Deserialize)]
pub(crate) struct RowPath {
    id: String,
    /// Absent in the paths of transactions.
    resource: Option<String>,
    /// Empty in a path that leads to all rows.
    #[serde(default)]
    row: String,
}

impl RowPath {
    fn resource(&self) -> Result<&'static Resource, ControlError> {
        let name = self.resource.as_deref();
        name.map_or(Ok(Resource::transactions()), resource)
    }
}

/// The first and the last day.
#[derive(Deserialize)]
pub(crate) struct Window {
    from: Option<String>,
    to: Option<String>,
}

/// All rows in the order of the pages, without pages.
pub(crate) async fn truth(
    State(app): State<Arc<App>>,
    Path(path): Path<RowPath>,
    Query(window): Query<Window>,
) -> Result<Response, ControlError> {
    let state = app.state();
    let link = link(&state, &path.id)?;
    let filter = Filter {
        from: window.from,
        to: window.to,
        ..Filter::all(path.resource()?)
    };
    let rows = array(link.rows(&filter), &link.accounts);
    Ok(json_response(rows))
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
    Path(path): Path<RowPath>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let new: NewRows = parse(&body)?;
    let date = new.date.as_deref().map(day).transpose()?;
    let mut state = app.state();
    let link = link_mut(&mut state, &path.id)?;
    let ids = link.add(path.resource()?, new.count, date);
    Ok((StatusCode::CREATED, Json(json!({ "ids": ids }))).into_response())
}

/// Merges fields into a row, whose collection time moves on; answers with the row without its
/// account.
pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    Path(path): Path<RowPath>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let changes: Map<String, Value> = parse(&body)?;
    if changes.contains_key("id") || changes.contains_key("account") {
        let reason = "the id and the account of a row cannot be changed";
        return Err(ControlError::bad(&reason));
    }

    let mut state = app.state();
    let link = link_mut(&mut state, &path.id)?;
    let row = link.patch(&path.row, &Value::Object(changes));
    row.map(Json).ok_or_else(|| ControlError::unknown("row"))
}

/// Adds a row as given, or puts it in the place of the one with its id. It needs that id, and, of a
/// resource whose rows have accounts, an `account` with the id of one of the link's.
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(path): Path<RowPath>,
    body: Bytes,
) -> Result<StatusCode, ControlError> {
    let row: Value = parse(&body)?;
    if row["id"] != path.row {
        return Err(ControlError::bad(&"the row has another id than the path"));
    }
    let resource = path.resource()?;
    let mut state = app.state();
    let link = link_mut(&mut state, &path.id)?;
    let account = row["account"]["id"].as_str().unwrap_or_default();
    if resource.is_banking && !link.has_account(account) {
        return Err(ControlError::bad(&"the row is of no account of the link"));
    }
    link.put(resource, row);
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a row.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(path): Path<RowPath>,
) -> Result<StatusCode, ControlError> {
    let mut state = app.state();
    if link_mut(&mut state, &path.id)?.delete(&path.row) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ControlError::unknown("row"))
    }
}

/// Brings a deleted row back.
pub(crate) async fn restore(
    State(app): State<Arc<App>>,
    Path(path): Path<RowPath>,
) -> Result<StatusCode, ControlError> {
    let mut state = app.state();
    if link_mut(&mut state, &path.id)?.restore(&path.row) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ControlError::unknown("deleted row"))
    }
}

/// Books all pending rows; answers with their number.
pub(crate) async fn settle(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ControlError> {
    let mut state = app.state();
    let settled = link_mut(&mut state, &id)?.settle();
    Ok(Json(json!({ "settled": settled })))
}
