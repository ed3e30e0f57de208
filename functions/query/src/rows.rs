//! Listings of rows, newest first.

use std::collections::HashMap;

use domain::{Account, LinkId, Listed, Resource};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};
use shared::{
    http,
    problem::Problem,
    store::{Cursor, Rows},
};

use crate::{App, parameters, unavailable};

#[derive(Serialize)]
struct TransactionsView {
    transactions: Vec<Box<RawValue>>,
    same_as: Map<String, Value>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct RowsView {
    rows: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// A link's transactions, each with its account as Belvo sent it. The duplicates of an older link's
/// transactions are listed beside the rows, not in them: a row is exactly what Belvo sent.
pub(crate) async fn list_transactions(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let rows = app.transactions.rows(Resource::TRANSACTIONS);
    let stored = app.transactions.accounts();
    let accounts = async { stored.of(&link).await.map_err(unavailable) };
    let page = page(&rows, &link, request);
    let ((listed, next), accounts) = tokio::try_join!(page, accounts)?;
    let same_as = duplicates(&rows, &listed).await?;

    let accounts: HashMap<&str, &Account> = accounts
        .iter()
        .map(|account| (account.id().as_str(), account))
        .collect();
    let rows: Vec<_> = listed
        .into_iter()
        .map(|listed| {
            let id = listed.row.account_id();
            let account = id.and_then(|id| accounts.get(&*id).copied());
            listed.row.into_row(account)
        })
        .collect();
    let listing = TransactionsView {
        transactions: rows,
        same_as,
        next_cursor: next.map(|cursor| cursor.encode()),
    };
    Ok(http::json(StatusCode::OK, &listing))
}

/// The rows of a resource other than transactions, as Belvo sent them.
pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let rows = app.transactions.rows(parameters::resource(request)?);
    let (rows, next) = page(&rows, &link, request).await?;

    let rows: Vec<_> = rows
        .into_iter()
        .map(|listed| listed.row.into_row(None))
        .collect();
    let listing = RowsView {
        rows,
        next_cursor: next.map(|cursor| cursor.encode()),
    };
    Ok(http::json(StatusCode::OK, &listing))
}

/// The rows that the request's parameters select, and where the listing continues.
async fn page(
    rows: &Rows,
    link: &LinkId,
    request: &Request,
) -> Result<(Vec<Listed>, Option<Cursor>), Problem> {
    let (filter, after) = parameters::filter(request)?;
    let (after, limit) = (after.as_ref(), parameters::limit(request)?);
    let listed = match parameters::as_of(request)? {
        Some(instant) => rows.list_as_of(link, &filter, instant, after, limit).await,
        None => rows.list(link, &filter, after, limit).await,
    };
    listed.map_err(unavailable)
}

/// By row id, the transaction of an older link that it duplicates. A mark applies only while the
/// other row is stored.
async fn duplicates(rows: &Rows, listed: &[Listed]) -> Result<Map<String, Value>, Problem> {
    let marked = listed
        .iter()
        .filter_map(|listed| listed.duplicate_of.clone());
    let live = rows.live(marked.collect()).await;
    let live = live.map_err(unavailable)?;

    let same_as = listed.iter().filter_map(|listed| {
        let original = listed
            .duplicate_of
            .as_ref()
            .filter(|one| live.contains(one))?;
        Some((listed.row.id().to_string(), json!(original)))
    });
    Ok(same_as.collect())
}
