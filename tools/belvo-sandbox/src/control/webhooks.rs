//! Control of webhooks: registering the receiver, sending webhooks the usual way, and single POSTs
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

use super::{
    error::ControlError,
    input::{link_mut, parse},
};
use crate::{
    config::Webhook,
    link::Link,
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
    let state = app.state();
    Json(match &state.webhook {
        None => Value::Null,
        Some(Webhook { url, authorization }) => {
            json!({ "url": url, "has_authorization": authorization.is_some() })
        }
    })
}

/// Registers the receiver, as one does in Belvo's dashboard.
pub(crate) async fn register(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<StatusCode, ControlError> {
    let Registration { url, authorization } = parse(&body)?;
    url::Url::parse(&url).map_err(|error| ControlError::bad(&error))?;
    app.state().webhook = Some(Webhook { url, authorization });
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a webhook of this link the usual way, rules included.
pub(crate) async fn notify(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let given: Map<String, Value> = parse(&body)?;
    announce(&app, &id, |_| given)
}

/// Changes a link and sends a webhook with the fields that the change returns; answers with the
/// body before the rules change it.
pub(super) fn announce(
    app: &Arc<App>,
    id: &str,
    change: impl FnOnce(&mut Link) -> Map<String, Value>,
) -> Result<Response, ControlError> {
    let mut state = app.state();
    let link = link_mut(&mut state, id)?;
    let given = change(link);
    let body = envelope::event(link, &given);
    let shown = Value::Object(body.clone());
    let webhook = plan(&mut state.rules, &app.config, id, body);
    // The sender takes the lock itself.
    drop(state);

    if let Some(webhook) = webhook {
        drop(submit(app, webhook));
    }
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManualDelivery {
    body: Option<Value>,
    raw: Option<String>,
    authorization: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// Makes one POST to the receiver, at once and without retries; answers with what the receiver
/// answered.
pub(crate) async fn deliver(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let delivery: ManualDelivery = parse(&body)?;
    let text = match (delivery.body, delivery.raw) {
        (Some(body), None) => body.to_string(),
        (None, Some(raw)) => raw,
        _ => return Err(ControlError::bad(&"give either `body` or `raw`")),
    };
    let outgoing = Outgoing {
        text,
        authorization: delivery.authorization,
        headers: delivery.headers.into_iter().collect(),
    };
    send(&app, None, outgoing).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redelivery {
    delivery: Option<u64>,
}

/// Sends exactly the same bytes again, with the registered `Authorization`.
pub(crate) async fn redeliver(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<Json<Value>, ControlError> {
    let Redelivery { delivery } = parse(&body)?;
    let (link, outgoing) = repeat(&app, delivery)?;
    send(&app, link, outgoing).await
}

/// The POST that repeats a delivery, and the link of that delivery.
fn repeat(app: &App, delivery: Option<u64>) -> Result<(Option<String>, Outgoing), ControlError> {
    let state = app.state();
    let delivery = state.journal.delivery(delivery);
    let delivery = delivery.ok_or_else(|| ControlError::unknown("delivery"))?;
    let receiver = state.webhook.as_ref();
    let outgoing = Outgoing {
        text: delivery.text.clone(),
        authorization: receiver.and_then(|receiver| receiver.authorization.clone()),
        headers: Vec::new(),
    };
    Ok((delivery.link.clone(), outgoing))
}

async fn send(
    app: &App,
    link: Option<String>,
    outgoing: Outgoing,
) -> Result<Json<Value>, ControlError> {
    let (receiver, delivery) = open(app, link, &outgoing)?;
    let attempt = post(app, &receiver, outgoing).await;
    app.state().journal.attempted(delivery, attempt.clone());
    Ok(Json(json!({
        "delivery": delivery,
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "body": attempt.answer,
        "error": attempt.error,
    })))
}

/// Enters a delivery into the journal; returns the receiver and the id of the delivery.
fn open(
    app: &App,
    link: Option<String>,
    outgoing: &Outgoing,
) -> Result<(Webhook, u64), ControlError> {
    let mut state = app.state();
    let receiver = state.webhook.clone();
    let receiver = receiver.ok_or_else(|| ControlError::conflict("no webhook is registered"))?;
    let ok = outgoing.authorization == receiver.authorization;
    let text = outgoing.text.clone();
    let delivery = state.journal.opened(link, text, ok);
    Ok((receiver, delivery))
}
