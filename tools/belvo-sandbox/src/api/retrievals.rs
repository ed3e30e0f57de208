//! `POST /api/transactions/` and its counterparts for the other resources: fetch fresh data from
//! the institution. An asynchronous call is answered with a request id, and a webhook follows; a
//! synchronous one is answered with the rows.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    body,
    extensions::Issued,
    mode::Mode,
    pages::json_response,
    query::{date, uuid},
};
use crate::{
    errors::ApiError,
    link::Link,
    resource::Resource,
    row::{Filter, array},
    sender,
    state::{self, App},
    webhooks::{Planned, envelope, plan},
};

/// A request that passed every check.
struct Retrieval {
    link: String,
    /// The customer whose monthly limit it counts against.
    customer: Value,
    /// The first requested day, where the request has days.
    from: Option<Date>,
    filter: Filter,
    /// Of a synchronous answer.
    status: StatusCode,
}

/// What a retrieval leads to.
enum Outcome {
    Rows(Response),
    Accepted {
        request: Uuid,
        /// `None` if a rule drops the webhook.
        webhook: Option<Planned>,
    },
}

/// Counts one retrieval for the link, and answers in the requested mode.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(resource): Extension<&'static Resource>,
    mode: Mode,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body = body::parse(&body)?;
    let (request, webhook) = match retrieve(&app, resource, mode, &body)? {
        Outcome::Rows(rows) => return Ok(rows),
        Outcome::Accepted { request, webhook } => (request, webhook),
    };

    if let Some(webhook) = webhook {
        let is_early = webhook.early;
        let first_attempt = sender::submit(&app, webhook);
        if is_early {
            // Fails only if the webhook is held, and then there is nothing to wait for.
            let _ = first_attempt.await;
        }
    }

    let request = request.simple().to_string();
    let accepted = Json(json!({ "request_id": request }));
    Ok((StatusCode::ACCEPTED, Extension(Issued(request)), accepted).into_response())
}

/// A retrieval that is always synchronous: what `fetch` finds at a link, which is nothing new.
pub(crate) fn at_once(
    app: &App,
    body: &[u8],
    fetch: impl FnOnce(&mut Link) -> Vec<Value>,
) -> Result<Response, ApiError> {
    let body = body::parse(body)?;
    let id = uuid("link", text(&body, "link"))?;
    let mut state = app.state();
    check_status(find(&state, &id)?)?;
    let found = state.link_mut(&id).map(fetch).unwrap_or_default();
    Ok((status(&body), Json(found)).into_response())
}

/// Belvo: 201, or 200 if nothing is kept.
fn status(body: &Value) -> StatusCode {
    if body["save_data"] == false {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    }
}

/// A session to resume, after a one-time password: the sandbox opens none.
pub(crate) async fn resume() -> ApiError {
    ApiError::new("session_expired")
}

/// Everything that happens under the lock.
fn retrieve(
    app: &App,
    resource: &'static Resource,
    mode: Mode,
    body: &Value,
) -> Result<Outcome, ApiError> {
    let mut state = app.state();
    let retrieval = check(&state, resource, body)?;
    // Only banking data has monthly limits.
    let limited = retrieval.from.filter(|_| resource.is_banking);
    if limited.is_some_and(|from| !state.limits.admit(&retrieval.customer, from)) {
        return Err(ApiError::new("operational_limits_reached"));
    }
    state.journal.retrieved(&retrieval.link);

    let link = find(&state, &retrieval.link)?;
    if mode == Mode::Synchronous {
        return Ok(Outcome::Rows(rows(link, &retrieval)));
    }
    let request = Uuid::new_v4();
    let body = envelope::retrieved(link, request, &retrieval.filter);
    let webhook = plan(&mut state.rules, &app.config, &retrieval.link, body);
    Ok(Outcome::Accepted { request, webhook })
}

fn rows(link: &Link, retrieval: &Retrieval) -> Response {
    let rows = array(link.rows(&retrieval.filter), &link.accounts);
    (retrieval.status, json_response(rows)).into_response()
}

/// Refuses everything that Belvo refuses without contacting the bank.
fn check(
    state: &state::State,
    resource: &'static Resource,
    body: &Value,
) -> Result<Retrieval, ApiError> {
    check_required(resource, body)?;
    let id = uuid("link", text(body, "link"))?;
    let (from, to) = days(resource, body)?;
    let flow = flow(resource, body)?;

    let link = find(state, &id)?;
    let account = if resource.is_banking {
        account(link, &body["account"])?
    } else {
        None
    };
    check_period(link, from, to)?;
    check_length(resource, from, to)?;
    check_status(link)?;

    let filter = Filter {
        from: from.map(|day| day.to_string()),
        to: to.map(|day| day.to_string()),
        accounts: account.map(|account| vec![account]),
        flows: flow.map(|flow| vec![flow.to_owned()]),
        ..Filter::all(resource)
    };
    Ok(Retrieval {
        customer: link.object["institution_user_id"].clone(),
        link: id,
        from,
        filter,
        status: status(body),
    })
}

/// Every required field must be a text that is not empty; one answer names all that are not.
fn check_required(resource: &Resource, body: &Value) -> Result<(), ApiError> {
    let complaint = |field: &'static str| match &body[field] {
        Value::Null if body.get(field).is_some() => Some(("null", field)),
        Value::Null => Some(("required", field)),
        Value::String(text) if text.is_empty() => Some(("blank", field)),
        Value::String(_) => None,
        _ => Some(("invalid", field)),
    };
    let complaints = resource.required.iter().copied().filter_map(complaint);
    let errors = complaints.map(|(code, field)| ApiError::field(code, field));
    ApiError::all(errors)
}

/// The first and last requested day, of a resource that is listed by date.
fn days(resource: &Resource, body: &Value) -> Result<(Option<Date>, Option<Date>), ApiError> {
    if resource.date_field.is_none() {
        return Ok((None, None));
    }
    let day = |field: &str| {
        let text = body[field].as_str();
        text.map(|text| date(field, text)).transpose()
    };
    Ok((day("date_from")?, day("date_to")?))
}

/// `INFLOW` or `OUTFLOW`, of a resource that requires a choice.
fn flow<'a>(resource: &Resource, body: &'a Value) -> Result<Option<&'a str>, ApiError> {
    if !resource.required.contains(&"type") {
        return Ok(None);
    }
    match text(body, "type") {
        flow @ ("INFLOW" | "OUTFLOW") => Ok(Some(flow)),
        _ => Err(ApiError::field("invalid_choice", "type")),
    }
}

fn account(link: &Link, value: &Value) -> Result<Option<String>, ApiError> {
    let account = match value {
        Value::Null => return Ok(None),
        Value::String(account) => uuid("account", account)?,
        _ => return Err(ApiError::field("invalid", "account")),
    };
    if link.has_account(&account) {
        Ok(Some(account))
    } else {
        Err(ApiError::does_not_exist("account", &account))
    }
}

fn check_period(link: &Link, from: Option<Date>, to: Option<Date>) -> Result<(), ApiError> {
    // A link may have been created for a day in the future.
    let latest = link.today().max(OffsetDateTime::now_utc().date());
    let is_reversed = from.zip(to).is_some_and(|(from, to)| from > to);
    let is_in_future = to.is_some_and(|to| to > latest);
    if is_reversed || is_in_future {
        return Err(ApiError::new("invalid_period"));
    }
    Ok(())
}

fn check_length(resource: &Resource, from: Option<Date>, to: Option<Date>) -> Result<(), ApiError> {
    let days = from.zip(to).map(|(from, to)| (to - from).whole_days());
    match (days, resource.longest_days) {
        (Some(days), Some(longest)) if days > longest => {
            let message = format!("The period has more than {longest} days.");
            Err(ApiError::new("validation_error").with("message", &message))
        }
        _ => Ok(()),
    }
}

fn check_status(link: &Link) -> Result<(), ApiError> {
    match link.status() {
        "invalid" => Err(ApiError::new("invalid_link")),
        "unconfirmed" => Err(ApiError::new("unconfirmed_link")),
        "token_required" => Err(ApiError::new("token_required").with("link", &link.id)),
        _ => Ok(()),
    }
}

fn find<'a>(state: &'a state::State, id: &str) -> Result<&'a Link, ApiError> {
    let link = state.link(id);
    link.ok_or_else(|| ApiError::does_not_exist("link", id))
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap_or_default()
}
