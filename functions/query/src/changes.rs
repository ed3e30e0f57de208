//! What has changed at a link since a reader last asked.

use domain::{Account, Digest, Resource, Row, RowId};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};
use shared::{
    api::{ChangesPlace, LinkStateView},
    http,
    problem::Problem,
    store::{ChangedRows, ChangesPage, opaque},
};

use crate::{App, parameters, unavailable};

#[derive(Serialize)]
struct ChangesView<'a> {
    /// Whether everything that the reader has of the link was erased.
    #[serde(skip_serializing_if = "is_false")]
    erased: bool,
    /// The link, if it has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<LinkStateView<'a>>,
    /// All accounts, if one has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<&'a Map<String, Value>>>,
    added: Vec<RowView>,
    modified: Vec<RowView>,
    removed: Vec<RemovedView>,
    next_cursor: String,
    has_more: bool,
}

/// A row as it is now. Its account is named by its id.
#[derive(Serialize)]
struct RowView {
    resource: Resource,
    row: Box<RawValue>,
}

#[derive(Serialize)]
struct RemovedView {
    resource: Resource,
    id: RowId,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let (link, limit) = (parameters::link(request)?, parameters::limit(request)?);
    let mut before: ChangesPlace = parameters::place(request)?;
    let changes = app.transactions.changes(&link, before.at.take(), limit);
    let ChangesPage::Changed {
        rows,
        next,
        has_more,
    } = changes.await.map_err(unavailable)?
    else {
        return Err(expired());
    };
    if rows.is_erased {
        // The reader forgets everything of the link, and hears all of it again.
        before = ChangesPlace::default();
    }

    // After the rows: the account of a row is stored before it.
    let store = app.transactions.accounts();
    let accounts = async { store.of(&link).await.map_err(unavailable) };
    let record = async { app.control.links.get(&link).await.map_err(unavailable) };
    let (accounts, record) = tokio::try_join!(accounts, record)?;
    let accounts: Vec<_> = accounts.iter().map(Account::document).collect();
    let state = record.as_ref().map(LinkStateView::from);
    let place = ChangesPlace {
        at: Some(next),
        accounts: Some(digest(&accounts)),
        link: state.as_ref().map(digest),
    };
    let view = ChangesView {
        link: state.filter(|_| place.link != before.link),
        accounts: Some(accounts).filter(|_| place.accounts != before.accounts),
        ..view(rows, place.cursor(), has_more)
    };
    Ok(http::json(StatusCode::OK, &view))
}

fn view<'a>(changed: ChangedRows, next_cursor: String, has_more: bool) -> ChangesView<'a> {
    let row = |(resource, row, _): (Resource, Row, bool)| RowView {
        resource,
        row: row.into_row(None),
    };
    let rows = changed.rows.into_iter();
    let (added, modified): (Vec<_>, Vec<_>) = rows.partition(|(_, _, is_new)| *is_new);
    let removed = changed.removed.into_iter();
    ChangesView {
        erased: changed.is_erased,
        link: None,
        accounts: None,
        added: added.into_iter().map(row).collect(),
        modified: modified.into_iter().map(row).collect(),
        removed: removed
            .map(|(resource, id)| RemovedView { resource, id })
            .collect(),
        next_cursor,
        has_more,
    }
}

fn expired() -> Problem {
    let detail = "The changes since this cursor are no longer kept. Forget what you have of the \
                  link, and begin again without a cursor.";
    Problem::cursor_expired(detail)
}

/// Tells two states apart, in a cursor.
fn digest(state: &impl Serialize) -> String {
    let digest = Digest::of(&json!(state).to_string());
    opaque(&digest)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}
