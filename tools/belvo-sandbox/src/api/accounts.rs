//! `GET /api/accounts/`: the accounts of a link, or of all.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use serde_json::Value;

use super::pages::{Page, Query, json};
use crate::{errors::ApiError, state::App};

/// One page of accounts; `link` is optional here.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = Query::parse(query.as_deref(), &["link", "id", "category"])?;
    let (link, id) = (query.uuid("link")?, query.uuid("id")?);
    let state = app.state();
    let accounts: Vec<&Value> = state
        .links
        .iter()
        .filter(|known| link.as_ref().is_none_or(|link| *link == known.id))
        .flat_map(|link| &link.accounts)
        .filter(|account| id.as_ref().is_none_or(|id| *id == account.id))
        .filter(|account| {
            query
                .get("category")
                .is_none_or(|category| category == account.category)
        })
        .map(|account| &account.value)
        .collect();
    let page = Page::new(&app, &headers, "/api/accounts/", &query, accounts.len())?;
    Ok(page.of(&accounts))
}

/// One account.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let state = app.state();
    let account = state
        .links
        .iter()
        .flat_map(|link| &link.accounts)
        .find(|account| account.id == id);
    account
        .map(|account| json(account.json.clone()))
        .ok_or_else(|| ApiError::new("not_found"))
}
