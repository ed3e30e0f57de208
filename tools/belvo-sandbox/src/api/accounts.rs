//! `/api/accounts/`: the accounts of one link or of all links.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde_json::{Value, json};

use super::{
    conditions::Conditions,
    extensions::Effects,
    pages::{ListRequest, json_response},
    retrievals,
};
use crate::{errors::ApiError, link::Link, rules::Action, state::App};

/// One page of accounts. Unlike for rows, the filter `link` is optional.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    request: ListRequest,
    Extension(effects): Extension<Effects>,
) -> Result<Response, ApiError> {
    let listing = request.parse();
    let conditions = Conditions::of(&listing.query, |_| false);
    let state = app.state();
    // Not necessary, but there may be thousands of others.
    let of_link = listing.query.uuid("link").ok().flatten();
    let is_its = |link: &&Link| of_link.as_ref().is_none_or(|id| *id == link.id);
    let links = state.links.iter().filter(is_its);
    let accounts: Vec<&Value> = links
        .flat_map(Link::listed_accounts)
        .map(|account| &account.value)
        .filter(|account| conditions.hold(account))
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
    let id = id.to_lowercase();
    let state = app.state();
    let mut accounts = state.links.iter().flat_map(Link::listed_accounts);
    accounts
        .find(|account| account.id == id)
        .map(|account| json_response(account.json.clone()))
        .ok_or_else(|| ApiError::new("not_found"))
}

/// Fetches the accounts of a link again, also those that were deleted.
pub(crate) async fn retrieve(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Response, ApiError> {
    retrievals::at_once(&app, &body, |link| {
        let accounts = link.accounts.iter_mut();
        accounts
            .map(|account| {
                account.is_deleted = false;
                account.value.clone()
            })
            .collect()
    })
}

/// Deletes an account with its transactions.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = id.to_lowercase();
    let mut state = app.state();
    let mut links = state.links.iter_mut();
    if links.any(|link| link.delete_account(&id)) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::new("not_found"))
    }
}
