//! Control of webhooks: registering the receiver, sending events the normal way, and single POSTs
//! by hand.

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

use super::{ControlError, parse};
use crate::{
    config::Webhook,
    sender::{Outgoing, post, submit},
    state::App,
    webhooks::{envelope, plan},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    url: String,
    authorization: Option<String>,
}

/// Where webhooks go. The `Authorization` value is not shown.
pub(crate) async fn registered(State(app): State<Arc<App>>) -> Json<Value> {
    Json(match &app.state().webhook {
        None => Value::Null,
        Some(webhook) => {
            json!({ "url": webhook.url, "has_authorization": webhook.authorization.is_some() })
        }
    })
}

/// What one types into Belvo's dashboard.
pub(crate) async fn register(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<StatusCode, ControlError> {
    let Registration { url, authorization } = parse(&body)?;
    url::Url::parse(&url).map_err(|error| ControlError::bad(&error))?;
    app.state().webhook = Some(Webhook { url, authorization });
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a webhook of this link the normal way, rules included.
pub(crate) async fn notify(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let given: Map<String, Value> = parse(&body)?;
    let (shown, planned) = {
        let mut state = app.state();
        let link = state
            .link(&id)
            .ok_or_else(|| ControlError::unknown("link"))?;
        let body = envelope::event(link, &given);
        (
            Value::Object(body.clone()),
            plan(&mut state.rules, &app.config, &id, body),
        )
    };
    if let Some(planned) = planned {
        drop(submit(&app, planned));
    }
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Letter {
    body: Option<Value>,
    raw: Option<String>,
    authorization: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// One POST to the receiver, at once, without retries; answers with what the receiver said.
pub(crate) async fn deliver(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let letter: Letter = parse(&body)?;
    let text = match (letter.body, letter.raw) {
        (Some(body), None) => body.to_string(),
        (None, Some(raw)) => raw,
        _ => return Err(ControlError::bad(&"give either `body` or `raw`")),
    };
    let headers = letter.headers.into_iter().collect();
    send(
        &app,
        None,
        Outgoing {
            text,
            authorization: letter.authorization,
            headers,
        },
    )
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Again {
    delivery: Option<u64>,
}

/// The very same bytes once more, with the registered `Authorization`.
pub(crate) async fn redeliver(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let again: Again = parse(&body)?;
    let (link, outgoing) = {
        let state = app.state();
        let delivery = state
            .journal
            .delivery(again.delivery)
            .ok_or_else(|| ControlError::unknown("delivery"))?;
        let authorization = state
            .webhook
            .as_ref()
            .and_then(|webhook| webhook.authorization.clone());
        (
            delivery.link.clone(),
            Outgoing {
                text: delivery.text.clone(),
                authorization,
                headers: Vec::new(),
            },
        )
    };
    send(&app, link, outgoing).await
}

async fn send(
    app: &App,
    link: Option<String>,
    outgoing: Outgoing,
) -> Result<Json<Value>, ControlError> {
    let (webhook, delivery) = {
        let mut state = app.state();
        let webhook = state
            .webhook
            .clone()
            .ok_or_else(|| ControlError::conflict("no webhook is registered"))?;
        let ok = outgoing.authorization == webhook.authorization;
        (
            webhook,
            state.journal.opened(link, outgoing.text.clone(), ok),
        )
    };
    let attempt = post(app, &webhook, outgoing).await;
    app.state().journal.attempted(delivery, attempt.clone());
    Ok(Json(json!({
        "delivery": delivery,
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "body": attempt.answer,
        "error": attempt.error,
    })))
}
