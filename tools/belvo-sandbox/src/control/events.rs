//! What happens to a link at Belvo without a call, together with the webhook that Belvo then sends;
//! and Belvo's limits.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{error::ControlError, input::parse, webhooks::announce};
use crate::{limits::PerMonth, resource::Resource, state::App, webhooks::envelope::fields};

/// Code, type and, if it changes, the status of the link afterwards. It is a guess that a link
/// whose consent has ended is `invalid`.
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

/// Makes an event happen to a link; answers with the body of its webhook.
pub(crate) async fn trigger(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let Event { code } = parse(&body)?;
    let event = EVENTS.iter().find(|(known, ..)| *known == code);
    let (code, webhook_type, status) = *event.ok_or_else(|| {
        let known: Vec<_> = EVENTS.iter().map(|(code, ..)| *code).collect();
        ControlError::bad(&format!("code must be one of {}", known.join(", ")))
    })?;

    announce(&app, &id, |link| {
        if let Some(status) = status {
            link.object["status"] = json!(status);
        }
        let mut given = fields([
            ("webhook_type", json!(webhook_type)),
            ("webhook_code", json!(code)),
        ]);
        if let Some(data) = expiry(code) {
            given.insert("data".to_owned(), data);
        }
        given
    })
}

/// When the consent ends, for the events that announce it.
fn expiry(code: &str) -> Option<Value> {
    let days = match code {
        "openfinance_consent_about_to_expire" => 5,
        "openfinance_consent_expiration_changed" => 365,
        _ => return None,
    };
    let due = OffsetDateTime::now_utc() + Duration::days(days);
    Some(json!({
        "consent_id": "9e763d19-15a4-410c-a106-18c0f60ca5eb",
        "consent_due_date": due.format(&Rfc3339).unwrap_or_default(),
    }))
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
    announce(&app, &id, |link| {
        link.add(Resource::transactions(), count, Some(link.today()));
        fields([
            ("webhook_code", json!("new_transactions_available")),
            ("data", json!({ "new_transactions": count })),
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
