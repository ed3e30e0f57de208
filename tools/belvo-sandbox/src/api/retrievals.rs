//! `POST /api/transactions/` and its like: asks the institution for fresh data. Asynchronously it
//! is answered with a request id and ends in a webhook; otherwise the answer holds the rows.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    Effects, Issued,
    pages::{json as json_text, uuid},
    rows::date,
};
use crate::{
    errors::ApiError,
    link::Link,
    resource::Resource,
    row::{Filter, array},
    rules::Action,
    sender,
    state::{App, State as Sandbox},
    webhooks::{envelope, plan},
};

/// What is asked for, once it is known to make sense.
struct Retrieval {
    link: String,
    /// The first day, where days are asked for.
    from: Option<Date>,
    window: Filter,
    save_data: bool,
}

/// Counts one retrieval for the link, and answers in the mode that was asked for.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(effects): Extension<Effects>,
    Extension(resource): Extension<&'static Resource>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body: Value = serde_json::from_slice(&body).map_err(|_| ApiError::new("parse_error"))?;
    let wants_async = headers
        .get("x-belvo-request-mode")
        .is_some_and(|mode| mode == "async");
    let ignored = effects.has(|action| matches!(action, Action::IgnoreAsync(_)));
    let (request, planned) = {
        let mut state = app.state();
        let retrieval = check(&state, resource, &body)?;
        let customer = state
            .link(&retrieval.link)
            .map(|link| link.object["institution_user_id"].clone());
        let counted = retrieval.from.filter(|_| resource.is_banking);
        if counted.is_some_and(|from| !state.limits.admit(&customer.unwrap_or_default(), from)) {
            return Err(ApiError::new("operational_limits_reached"));
        }
        state.journal.retrieved(&retrieval.link);
        let link = state
            .link(&retrieval.link)
            .ok_or_else(|| ApiError::field("does_not_exist", "link"))?;
        if !wants_async || ignored {
            let status = if retrieval.save_data {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            let rows = array(link.rows(&retrieval.window), &link.accounts);
            return Ok((status, json_text(rows)).into_response());
        }
        let request = Uuid::new_v4();
        let webhook = envelope::retrieved(link, request, &retrieval.window);
        (
            request,
            plan(&mut state.rules, &app.config, &retrieval.link, webhook),
        )
    };
    if let Some(planned) = planned {
        let early = planned.early;
        let answered = sender::submit(&app, planned);
        if early {
            // Fails only if the webhook is held, and then there is nothing to wait for.
            let _ = answered.await;
        }
    }
    let request = request.simple().to_string();
    let body = Json(json!({ "request_id": request }));
    Ok((StatusCode::ACCEPTED, Extension(Issued(request)), body).into_response())
}

/// Everything Belvo refuses without asking the bank.
fn check(
    state: &Sandbox,
    resource: &'static Resource,
    body: &Value,
) -> Result<Retrieval, ApiError> {
    let mut errors: Vec<ApiError> = Vec::new();
    for field in resource.required.iter().copied() {
        match &body[field] {
            Value::Null if body.get(field).is_some() => errors.push(ApiError::field("null", field)),
            Value::Null => errors.push(ApiError::field("required", field)),
            Value::String(text) if text.is_empty() => errors.push(ApiError::field("blank", field)),
            Value::String(_) => {}
            _ => errors.push(ApiError::field("invalid", field)),
        }
    }
    if let Some(error) = ApiError::all(errors) {
        return Err(error);
    }
    let text = |field: &str| body[field].as_str().unwrap_or_default();
    let id = uuid("link", text("link"))?;
    let day = |field: &str| {
        body[field]
            .as_str()
            .map(|text| date(field, text))
            .transpose()
    };
    let (from, to) = match resource.date_field {
        Some(_) => (day("date_from")?, day("date_to")?),
        None => (None, None),
    };
    let flows = resource.required.contains(&"type").then(|| text("type"));
    if flows.is_some_and(|flow| !["INFLOW", "OUTFLOW"].contains(&flow)) {
        return Err(ApiError::field("invalid_choice", "type"));
    }
    let link = state
        .link(&id)
        .ok_or_else(|| ApiError::does_not_exist("link", &id))?;
    let account = if resource.is_banking {
        account(link, &body["account"])?
    } else {
        None
    };
    if from.zip(to).is_some_and(|(from, to)| from > to)
        || to.is_some_and(|to| to > latest_day(link))
    {
        return Err(ApiError::new("invalid_period"));
    }
    match link.status() {
        "invalid" => return Err(ApiError::new("invalid_link")),
        "unconfirmed" => return Err(ApiError::new("unconfirmed_link")),
        "token_required" => return Err(ApiError::new("token_required").with("link", &id)),
        _ => {}
    }
    let window = Filter {
        from: from.map(|day| day.to_string()),
        to: to.map(|day| day.to_string()),
        accounts: account.map(|account| vec![account]),
        flows: flows.map(|flow| vec![flow.to_owned()]),
        ..Filter::all(resource)
    };
    Ok(Retrieval {
        link: id,
        from,
        window,
        save_data: body["save_data"] != false,
    })
}

fn account(link: &Link, value: &Value) -> Result<Option<String>, ApiError> {
    let Some(account) = value.as_str() else {
        return if value.is_null() {
            Ok(None)
        } else {
            Err(ApiError::field("invalid", "account"))
        };
    };
    let account = uuid("account", account)?;
    if link.has_account(&account) {
        Ok(Some(account))
    } else {
        Err(ApiError::does_not_exist("account", &account))
    }
}

/// Today, by the calendar or by the link's own, whichever is later: a link may be made for any day.
fn latest_day(link: &Link) -> Date {
    link.today().max(OffsetDateTime::now_utc().date())
}
