//! What happens to a link at Belvo by itself, with the webhook that Belvo sends then; and Belvo's
//! limits.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{ControlError, parse};
use crate::{
    limits::PerMonth,
    link::Link,
    resource::Resource,
    sender,
    state::App,
    webhooks::{envelope, plan},
};

/// Code, type and, where it changes, the link's status afterwards. That a link whose consent has
/// ended is `invalid` is a guess.
const EVENTS: &[(&str, &str, Option<&str>)] = &[
    ("invalid_credentials", "LINK", Some("invalid")),
    ("token_required", "LINK", Some("token_required")),
    ("consent_expired", "CONSENT", Some("invalid")),
    ("openfinance_consent_expired", "CONSENT", Some("invalid")),
    ("openfinance_consent_about_to_expire", "CONSENT", None),
    (
        "openfinance_consent_expiration_changed",
        "CONSENT",
        Some("valid"),
    ),
    (
        "openfinance_consent_with_unrecoverable_resources",
        "CONSENT",
        None,
    ),
    (
        "openfinance_consent_with_temporarily_unavailable_resources",
        "CONSENT",
        None,
    ),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    code: String,
}

/// Lets an event happen; answers with the webhook's body.
pub(crate) async fn happen(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let Event { code } = parse(&body)?;
    let known = EVENTS.iter().find(|(known, ..)| *known == code);
    let (code, webhook_type, status) = *known.ok_or_else(|| {
        let known: Vec<_> = EVENTS.iter().map(|(code, ..)| *code).collect();
        ControlError::bad(&format!("code must be one of {}", known.join(", ")))
    })?;
    send(&app, &id, |link| {
        if let Some(status) = status {
            link.object["status"] = json!(status);
        }
        let mut given = Map::from_iter([
            ("webhook_type".to_owned(), json!(webhook_type)),
            ("webhook_code".to_owned(), json!(code)),
        ]);
        if let Some(days) = match code {
            "openfinance_consent_about_to_expire" => Some(5),
            "openfinance_consent_expiration_changed" => Some(365),
            _ => None,
        } {
            let due = (OffsetDateTime::now_utc() + Duration::days(days))
                .format(&Rfc3339)
                .unwrap_or_default();
            let data = json!({ "consent_id": "9e763d19-15a4-410c-a106-18c0f60ca5eb", "consent_due_date": due });
            given.insert("data".to_owned(), data);
        }
        given
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[serde(default = "one")]
    count: usize,
}

fn one() -> usize {
    1
}

/// Belvo's own refresh of a recurrent link: new rows, and a webhook that says so.
pub(crate) async fn refresh(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let Refresh { count } = parse(&body)?;
    send(&app, &id, |link| {
        link.add(Resource::transactions(), count, Some(link.today()));
        Map::from_iter([
            (
                "webhook_code".to_owned(),
                json!("new_transactions_available"),
            ),
            ("data".to_owned(), json!({ "new_transactions": count })),
        ])
    })
}

/// Sets Belvo's limits per customer and month; `null` switches them off.
pub(crate) async fn limit(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<StatusCode, ControlError> {
    let per_month: Option<PerMonth> =
        serde_json::from_slice(&body).map_err(|error| ControlError::bad(&error))?;
    app.state().limits.set(per_month);
    Ok(StatusCode::NO_CONTENT)
}

/// Changes a link, and sends the webhook with the fields that the change gives.
fn send(
    app: &Arc<App>,
    id: &str,
    change: impl FnOnce(&mut Link) -> Map<String, Value>,
) -> Result<Response, ControlError> {
    let mut state = app.state();
    let link = state
        .link_mut(id)
        .ok_or_else(|| ControlError::unknown("link"))?;
    let given = change(link);
    let body = envelope::event(link, &given);
    let shown = Value::Object(body.clone());
    let planned = plan(&mut state.rules, &app.config, id, body);
    drop(state);
    if let Some(planned) = planned {
        drop(sender::submit(app, planned));
    }
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}
