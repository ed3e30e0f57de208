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
use serde_json::{Map, Value, json};

use super::{
    error::ControlError,
    input::{day, link, link_mut, parse, resource},
};
use crate::state::{App, NewLink};

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
    /// How often Belvo refreshes the link.
    refresh_rate: Option<String>,
    /// The user at the bank. All links with the same one belong to one customer.
    institution_user_id: Option<String>,
    /// Adds a loan as the fourth account.
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

impl LinkRequest {
    /// What to create; what the request leaves out has its default.
    fn into_new_link(self, default_seed: u64) -> Result<NewLink, ControlError> {
        let today = self.today.as_deref().map(day).transpose()?;
        let mut resources = Vec::new();
        for (name, count) in self.resources {
            resources.push((resource(&name)?, count));
        }

        let defaults = NewLink::with_defaults(self.seed.unwrap_or(default_seed));
        Ok(NewLink {
            recurrent: matches!(self.access_mode, AccessMode::Recurrent),
            external_id: self.external_id,
            institution: self.institution,
            today: today.unwrap_or(defaults.today),
            days: self.days.unwrap_or(defaults.days),
            with_loan: self.loan_account,
            transactions: self.transactions.unwrap_or(defaults.transactions),
            resources,
            refresh_rate: self.refresh_rate,
            customer: self.institution_user_id,
            ..defaults
        })
    }
}

/// Creates a link with accounts and rows.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let request: LinkRequest = parse(&body)?;
    let new = request.into_new_link(app.config.seed)?;
    let object = app.state().create(new).object.clone();
    Ok((StatusCode::CREATED, Json(object)).into_response())
}

/// Creates a link as when the same user connects the same bank again.
pub(crate) async fn reconnect(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ControlError> {
    let mut state = app.state();
    let link = state.reconnect(&id, app.config.seed);
    let link = link.ok_or_else(|| ControlError::unknown("link"))?;
    Ok((StatusCode::CREATED, Json(link.object.clone())).into_response())
}

/// Changes fields of a link, above all its `status`.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let changes: Map<String, Value> = parse(&body)?;
    let mut state = app.state();
    let link = link_mut(&mut state, &id)?;
    for (key, value) in changes {
        if key == "id" || link.object.get(&key).is_none() {
            let reason = format!("a link has no field `{key}` that can be changed");
            return Err(ControlError::bad(&reason));
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
    let accounts = link(&state, &id)?.accounts.iter();
    Ok(Json(
        accounts.map(|account| account.value.clone()).collect(),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccounts {
    count: Option<usize>,
}

/// Opens accounts without a movement; answers with their ids.
pub(crate) async fn open_accounts(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let NewAccounts { count } = parse(&body)?;
    let mut state = app.state();
    let ids = link_mut(&mut state, &id)?.open_accounts(count.unwrap_or(1));
    Ok((StatusCode::CREATED, Json(json!({ "ids": ids }))).into_response())
}

/// Merges fields into an account, whose collection time moves on; answers with the account.
pub(crate) async fn patch_account(
    State(app): State<Arc<App>>,
    Path((id, account)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let changes: Map<String, Value> = parse(&body)?;
    if changes.contains_key("id") || changes.contains_key("link") {
        let reason = "the id and the link of an account cannot be changed";
        return Err(ControlError::bad(&reason));
    }

    let mut state = app.state();
    let link = link_mut(&mut state, &id)?;
    let account = link.patch_account(&account, &Value::Object(changes));
    account
        .map(Json)
        .ok_or_else(|| ControlError::unknown("account"))
}
