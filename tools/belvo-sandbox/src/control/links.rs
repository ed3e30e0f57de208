//! Control of links and their accounts.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use time::{Date, macros::format_description};

use super::{ControlError, parse};
use crate::{
    resource::Resource,
    state::{App, NewLink},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkRequest {
    #[serde(default)]
    access_mode: AccessMode,
    transactions: Option<usize>,
    /// How many rows of which other resources.
    #[serde(default)]
    resources: BTreeMap<String, usize>,
    external_id: Option<String>,
    institution: Option<String>,
    seed: Option<u64>,
    today: Option<String>,
    days: Option<u32>,
    /// How often Belvo refreshes it.
    refresh_rate: Option<String>,
    /// The user at the bank: links of the same one are one customer's.
    institution_user_id: Option<String>,
    /// A fourth account: a loan.
    #[serde(default)]
    loan_account: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AccessMode {
    Single,
    #[default]
    Recurrent,
}

/// Makes a link with accounts and rows.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let request: LinkRequest = parse(&body)?;
    let today = request.today.as_deref().map(day).transpose()?;
    let resources = request.resources.into_iter();
    let resources = resources
        .map(|(name, count)| Ok((resource(&name)?, count)))
        .collect::<Result<_, ControlError>>()?;
    let usual = NewLink::with_defaults(request.seed.unwrap_or(app.config.seed));
    let new = NewLink {
        recurrent: matches!(request.access_mode, AccessMode::Recurrent),
        external_id: request.external_id,
        institution: request.institution,
        today: today.unwrap_or(usual.today),
        days: request.days.unwrap_or(usual.days),
        with_loan: request.loan_account,
        transactions: request.transactions.unwrap_or(usual.transactions),
        resources,
        refresh_rate: request.refresh_rate,
        customer: request.institution_user_id,
        ..usual
    };
    Ok((
        StatusCode::CREATED,
        Json(app.state().create(new).object.clone()),
    )
        .into_response())
}

/// Makes a link as when the same user connects the same bank again.
pub(crate) async fn reconnect(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ControlError> {
    let mut state = app.state();
    let link = state
        .reconnect(&id, app.config.seed)
        .ok_or_else(|| ControlError::unknown("link"))?;
    Ok((StatusCode::CREATED, Json(link.object.clone())).into_response())
}

/// Merges fields into the link object, `status` above all.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let changes: Map<String, Value> = parse(&body)?;
    let mut state = app.state();
    let link = state
        .link_mut(&id)
        .ok_or_else(|| ControlError::unknown("link"))?;
    for (key, value) in changes {
        if key == "id" || link.object.get(&key).is_none() {
            return Err(ControlError::bad(&format!(
                "a link has no `{key}` that can be changed"
            )));
        }
        link.object[key] = value;
    }
    Ok(Json(link.object.clone()))
}

/// All accounts of a link.
pub(crate) async fn accounts(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Vec<Value>>, ControlError> {
    let state = app.state();
    let link = state
        .link(&id)
        .ok_or_else(|| ControlError::unknown("link"))?;
    Ok(Json(
        link.accounts
            .iter()
            .map(|account| account.value.clone())
            .collect(),
    ))
}

/// Merges fields into an account, whose collection time moves on; answers with the account.
pub(crate) async fn patch_account(
    State(app): State<Arc<App>>,
    Path((id, account)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let changes: Map<String, Value> = parse(&body)?;
    if changes.contains_key("id") || changes.contains_key("link") {
        return Err(ControlError::bad(&"an account keeps its id and its link"));
    }
    let mut state = app.state();
    let link = state
        .link_mut(&id)
        .ok_or_else(|| ControlError::unknown("link"))?;
    let account = link.patch_account(&account, &Value::Object(changes));
    account
        .map(Json)
        .ok_or_else(|| ControlError::unknown("account"))
}

pub(super) fn resource(name: &str) -> Result<&'static Resource, ControlError> {
    Resource::by_name(name).ok_or_else(|| ControlError::bad(&format!("`{name}` is no resource")))
}

pub(super) fn day(text: &str) -> Result<Date, ControlError> {
    let parsed = Date::parse(text, format_description!("[year]-[month]-[day]"));
    parsed.map_err(|_| ControlError::bad(&format!("`{text}` is not a date like 2025-06-30")))
}
