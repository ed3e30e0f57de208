//! `GET /api/accounts/`: the accounts of one link or of all links.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    extensions::Effects,
    pages::{ListRequest, json_response},
};
use crate::{errors::ApiError, rules::Action, state::App};

/// One page of accounts. Unlike for rows, the filter `link` is optional.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    request: ListRequest,
    Extension(effects): Extension<Effects>,
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
    if !effects.has(|action| matches!(action, Action::WithoutId(_))) {
        return Ok(page.answer(&accounts));
    }
    let mut page_accounts: Vec<Value> = page.cut(&accounts).into_iter().cloned().collect();
    if let Some(Value::Object(first)) = page_accounts.first_mut() {
        first.remove("id");
    }
    Ok(json_response(
        page.envelope(&json!(page_accounts).to_string()),
    ))
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
