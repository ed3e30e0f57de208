//! The versions of a row as the API shows them, each with its differences from the previous one.

use std::collections::BTreeMap;

use domain::{RequestId, Resource, RowId, RowRef, Timestamp};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use shared::{
    http,
    problem::Problem,
    store::{Cursor, History},
};

use crate::{App, parameters, unavailable};

#[derive(Serialize)]
struct HistoryView<'a> {
    id: &'a RowId,
    same_as: Option<&'a RowRef>,
    /// Oldest first.
    versions: Vec<VersionView<'a>>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct VersionView<'a> {
    observed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_by: Option<&'a RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// Whether Belvo then stopped returning the row, instead of returning another version.
    deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_by: Option<&'a RequestId>,
    /// The fields in which it differs from the previous version; none for the first version.
    differs_in: Vec<String>,
    /// Under `transaction`, or `row` for another resource: the row as Belvo returned it, with its
    /// account's id in place of the account.
    #[serde(flatten)]
    row: BTreeMap<&'static str, Box<RawValue>>,
}

/// Shows every version of a row, each under `name`.
pub(crate) async fn show(
    app: &App,
    request: &Request,
    resource: Resource,
    name: &'static str,
) -> Result<Response<Body>, Problem> {
    let (link, id) = (parameters::link(request)?, parameters::row_id(request)?);
    let (after, limit) = (
        parameters::cursor(request, Cursor::is_of_an_instant)?,
        parameters::limit(request)?,
    );
    if !after
        .as_ref()
        .is_none_or(|cursor| cursor.is_about(id.as_str()))
    {
        let detail = "cursor belongs to the history of another row";
        return Err(Problem::field("cursor", detail));
    }
    let rows = app.transactions.rows(resource);
    let history = rows.history(&link, &id, after.as_ref(), limit).await;
    let Some(history) = history.map_err(unavailable)? else {
        return Err(Problem::not_found(
            "No row with this id was ever stored for this link.",
        ));
    };

    let answer = HistoryView {
        id: &id,
        same_as: history.latest.duplicate_of.as_ref(),
        versions: views(&history, name),
        next_cursor: history.next.as_ref().map(Cursor::encode),
    };
    Ok(http::json(StatusCode::OK, &answer))
}

/// The versions, oldest first.
fn views<'a>(history: &'a History, name: &'static str) -> Vec<VersionView<'a>> {
    let versions = &history.versions;
    let before = std::iter::once(history.previous.as_ref()).chain(versions.iter().map(Some));
    versions
        .iter()
        .zip(before)
        .map(|(version, before)| VersionView {
            observed_at: version.from,
            observed_by: version.request.as_ref(),
            until: version.until,
            deleted: version.deleted,
            deleted_by: version.deleted_by.as_ref(),
            differs_in: before.map_or_else(Vec::new, |before| {
                version.row.fields_that_differ_from(&before.row)
            }),
            row: BTreeMap::from([(name, version.row.clone().into_row(None))]),
        })
        .collect()
}
