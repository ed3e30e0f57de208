//! Webhooks as the API shows them, with what became of them.

use domain::{LinkId, RequestId, Timestamp, WebhookId, WebhookOutcome};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use shared::{
    belvo::Webhook,
    http,
    problem::Problem,
    store::{ArchivedWebhook, Cursor, StoreError},
};

use crate::{App, parameters, unavailable};

#[derive(Serialize)]
struct WebhookView<'a> {
    id: &'a WebhookId,
    link: &'a LinkId,
    webhook_type: String,
    webhook_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
    received_at: Timestamp,
    last_received_at: Timestamp,
    deliveries: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed_at: Option<Timestamp>,
    ended_at: Timestamp,
    outcome: &'a WebhookOutcome,
}

#[derive(Serialize)]
struct WholeWebhookView<'a> {
    #[serde(flatten)]
    webhook: WebhookView<'a>,
    body: &'a RawValue,
}

pub(crate) async fn show(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let id = parameters::webhook_id(request)?;
    let archived = app.control.webhooks.get(&id).await.map_err(unavailable)?;
    let archived = archived.ok_or_else(|| Problem::not_found("Unknown webhook."))?;
    let view = WholeWebhookView {
        webhook: view(&archived)?,
        body: serde_json::from_str(&archived.body).map_err(|_| unreadable())?,
    };
    Ok(http::json(StatusCode::OK, &view))
}

pub(crate) async fn list_of_link(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let (after, limit) = (
        parameters::cursor(request, Cursor::is_of_an_instant)?,
        parameters::limit(request)?,
    );
    let listed = app.control.webhooks.of_link(&link, after.as_ref(), limit);
    let (webhooks, next) = listed.await.map_err(unavailable)?;

    let views: Result<Vec<_>, _> = webhooks.iter().map(view).collect();
    let listing = json!({
        "webhooks": views?,
        "next_cursor": next.map(|cursor| cursor.encode()),
    });
    Ok(http::json(StatusCode::OK, &listing))
}

fn view(archived: &ArchivedWebhook) -> Result<WebhookView<'_>, Problem> {
    let webhook = Webhook::parse(&archived.body).map_err(|_| unreadable())?;
    Ok(WebhookView {
        id: &archived.id,
        link: &archived.link,
        webhook_type: webhook.subject.webhook_type().to_owned(),
        webhook_code: webhook.code,
        request_id: webhook.request_id,
        received_at: archived.received_at,
        last_received_at: archived.last_received_at,
        deliveries: archived.deliveries,
        replayed_at: archived.replayed_at,
        ended_at: archived.ended_at,
        outcome: &archived.outcome,
    })
}

/// A body that was accepted once can be read.
fn unreadable() -> Problem {
    unavailable(StoreError::Corrupt("a webhook"))
}
