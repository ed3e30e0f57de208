//! `GET /api/accounts/`: the accounts of one link or of all links.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde_json::Value;

use super::pages::{ListRequest, json_response};
use crate::{errors::ApiError, state::App};

/// One page of accounts. Unlike for rows, the filter `link` is optional.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    request: ListRequest,
) -> Result<Response, ApiError> {
    let listing = request.parse(&["link", "id", "category"])?;
    let link = listing.query.uuid("link")?;
    let id = listing.query.uuid("id")?;
    let category = listing.query.get("category");

    let state = app.state();
    let links = state.links.iter();
    let accounts: Vec<&Value> = links
        .filter(|known| link.as_ref().is_none_or(|link| *link == known.id))
        .flat_map(|link| &link.accounts)
        .filter(|account| id.as_ref().is_none_or(|id| *id == account.id))
        .filter(|account| category.is_none_or(|category| category == account.category))
        .map(|account| &account.value)
        .collect();

    let page = listing.page(&app.config, accounts.len())?;
    Ok(page.answer(&accounts))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let state = app.state();
    let mut accounts = state.links.iter().flat_map(|link| &link.accounts);
    accounts
        .find(|account| account.id == id)
        .map(|account| json_response(account.json.clone()))
        .ok_or_else(|| ApiError::new("not_found"))
}
