//! `POST /webhooks/{id}/replays`: processes an archived webhook again. It spends no retrieval.

use domain::{LinkId, Timestamp, WebhookId};
use lambda_http::{Body, Request, Response, http::StatusCode, tracing};
use serde::Serialize;
use shared::{
    cause::chain,
    http::{self, gateway_request_id, path_parameter},
    problem::Problem,
    queue::{Delivery, Task},
    store::ArchivedWebhook,
    telemetry::Event,
};

use crate::{App, collections::gone, problems};

/// What is processed again. That has ended once the webhook shows this `replayed_at`.
#[derive(Serialize)]
struct Accepted<'a> {
    webhook: &'a WebhookId,
    link: &'a LinkId,
    replayed_at: Timestamp,
}

/// Answers 202 once the webhook is queued, behind the link's other work. Each call queues it once
/// more, whatever became of it before.
pub(crate) async fn replay(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let id = Problem::named("id", WebhookId::parse(&path_parameter(request, "id")))?;
    let archived = app.control.webhooks.get(&id).await;
    let archived = archived.map_err(|error| problems::unrecorded(&error))?;
    let archived = archived.ok_or_else(|| Problem::not_found("Unknown webhook."))?;
    let known = app.control.links.get(&archived.link).await;
    let known = known.map_err(|error| problems::unrecorded(&error))?;
    if let Some(block) = known.as_ref().and_then(gone) {
        return Err(problems::blocked(block));
    }

    let replayed_at = Timestamp::now();
    queue(app, &archived, gateway_request_id(request), replayed_at).await?;
    tracing::info!(
        event = Event::WebhookReplayed.name(),
        webhook.id = id.as_str(),
        link.id = archived.link.as_str(),
        "webhook is processed again"
    );
    let accepted = Accepted {
        webhook: &id,
        link: &archived.link,
        replayed_at,
    };
    Ok(http::json(StatusCode::ACCEPTED, &accepted))
}

/// Queues the webhook as it was received: the facts that it brings are those of that time, and what
/// is known of the link since then is newer.
async fn queue(
    app: &App,
    archived: &ArchivedWebhook,
    correlation_id: &str,
    at: Timestamp,
) -> Result<(), Problem> {
    let failed = |cause: String| {
        tracing::error!(
            event = Event::ReplayNotQueued.name(),
            webhook.id = archived.id.as_str(),
            cause,
            "the webhook could not be queued to be processed again"
        );
        let detail = "The webhook could not be queued. Try again.";
        Problem::unavailable(detail).retry_after(1)
    };
    let delivery = Delivery::new(&archived.body, correlation_id, archived.received_at);
    let delivery = delivery.map_err(|error| failed(error.to_string()))?;
    let task = Task::Webhook(delivery.replayed(&archived.id, at));
    let sent = app.queue.send(&task).await;
    sent.map_err(|error| failed(chain(&error).to_string()))
}
