//! A link's accounts and their balances.

use domain::{Account, Balance, RequestId, Timestamp};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use shared::{http, problem::Problem, store::Cursor};

use crate::{App, parameters, unavailable};

/// A balance as the API shows it; unknown fields are left out.
#[derive(Serialize)]
struct BalanceView<'a> {
    /// When Belvo read it from the institution, in Belvo's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    collected_at: Option<&'a str>,
    observed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_by: Option<&'a RequestId>,
    balance: &'a Value,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let accounts = app.transactions.accounts().of(&link).await;
    let accounts = accounts.map_err(unavailable)?;

    let documents: Vec<_> = accounts.iter().map(Account::document).collect();
    let listing = json!({ "accounts": documents });
    Ok(http::json(StatusCode::OK, &listing))
}

pub(crate) async fn list_balances(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let (link, account) = (parameters::link(request)?, parameters::account_id(request)?);
    let (after, limit) = (
        parameters::cursor(request, Cursor::is_of_an_instant)?,
        parameters::limit(request)?,
    );
    let is_of_this_account = |cursor: &Cursor| cursor.is_about(account.as_str());
    if !after.as_ref().is_none_or(is_of_this_account) {
        let detail = "cursor belongs to the balances of another account";
        return Err(Problem::field("cursor", detail));
    }
    let balances = app
        .transactions
        .accounts()
        .balances(&link, &account, after.as_ref(), limit)
        .await;
    let (balances, next) = balances.map_err(unavailable)?;

    let listing = json!({
        "balances": balances.iter().map(BalanceView::from).collect::<Vec<_>>(),
        "next_cursor": next.map(|cursor| cursor.encode()),
    });
    Ok(http::json(StatusCode::OK, &listing))
}

impl<'a> From<&'a Balance> for BalanceView<'a> {
    fn from(balance: &'a Balance) -> Self {
        Self {
            collected_at: balance.collected_at.as_deref(),
            observed_at: balance.observed_at,
            observed_by: balance.request.as_ref(),
            balance: &balance.balance,
        }
    }
}
