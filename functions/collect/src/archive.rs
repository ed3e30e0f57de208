//! The archive of webhooks: whether one was processed before, and what became of it. No other
//! module adds to it.

use domain::{Timestamp, WebhookOutcome};
use lambda_runtime::tracing;
use serde_json::json;
use shared::{
    belvo::{LINK_DELETED, Webhook},
    queue::Delivery,
    store::{Control, ProcessedWebhook, StoreError, WebhookArchive},
    telemetry::Event,
};

/// Whether this is another delivery of a webhook that has nothing left to tell; if so, notes it.
/// Only one that names a request says the same each time (docs/decisions/0003), and whoever asks
/// for a replay wants it processed. Safe to repeat.
pub(crate) async fn is_redelivered(
    archive: &WebhookArchive,
    delivery: &Delivery,
) -> Result<bool, StoreError> {
    let webhook = &delivery.webhook;
    if webhook.request_id.is_none() || delivery.replayed_at.is_some() {
        return Ok(false);
    }
    let id = delivery.webhook_id();
    let Some(known) = archive.get(&id).await? else {
        return Ok(false);
    };
    if !known.outcome.is_settled(webhook.failure().is_some()) {
        return Ok(false);
    }

    archive.redelivered(&id, delivery.received_at).await?;
    tracing::info!(
        event = Event::WebhookRedelivered.name(),
        correlation.id = delivery.correlation_id,
        webhook.id = id.as_str(),
        link.id = webhook.link.as_str(),
        "webhook was processed before; nothing is fetched"
    );
    Ok(true)
}

/// Archives a webhook when it is done with. Safe to repeat; if this fails, so does the message, and
/// the webhook is processed again.
pub(crate) async fn archive(
    control: &Control,
    delivery: &Delivery,
    outcome: &WebhookOutcome,
) -> Result<(), StoreError> {
    let archive = &control.webhooks;
    if is_of_gone_link(control, &delivery.webhook, outcome).await? {
        let left = without_data(&delivery.webhook);
        return write(archive, delivery, &left, outcome).await;
    }
    write(archive, delivery, delivery.body.get(), outcome).await
}

/// What is left of a webhook about a link that Belvo no longer has: what was stored of the link may
/// have been erased already.
fn without_data(webhook: &Webhook) -> String {
    json!({
        "webhook_type": webhook.subject.webhook_type(),
        "webhook_code": webhook.code,
        "link_id": webhook.link,
        "request_id": webhook.request_id,
    })
    .to_string()
}

/// Whether the webhook says so, or the link's record does: of a deleted link, nothing is collected.
async fn is_of_gone_link(
    control: &Control,
    webhook: &Webhook,
    outcome: &WebhookOutcome,
) -> Result<bool, StoreError> {
    if webhook.code == LINK_DELETED {
        return Ok(true);
    }
    match outcome {
        WebhookOutcome::Collected { .. } => Ok(false),
        WebhookOutcome::Failed { code } if code == LINK_DELETED => Ok(true),
        _ => {
            let link = control.links.get(&webhook.link).await?;
            Ok(link.is_some_and(|link| link.is_deleted()))
        }
    }
}

async fn write(
    archive: &WebhookArchive,
    delivery: &Delivery,
    body: &str,
    outcome: &WebhookOutcome,
) -> Result<(), StoreError> {
    let (id, webhook) = (delivery.webhook_id(), &delivery.webhook);
    let processed = ProcessedWebhook {
        id: id.clone(),
        link: &webhook.link,
        body,
        received_at: delivery.received_at,
        replayed_at: delivery.replayed_at,
        ended_at: Timestamp::now(),
        outcome,
    };
    archive.processed(&processed).await?;

    tracing::info!(
        event = Event::WebhookArchived.name(),
        correlation.id = delivery.correlation_id,
        webhook.id = id.as_str(),
        webhook.r#type = webhook.subject.webhook_type(),
        webhook.code = webhook.code,
        link.id = webhook.link.as_str(),
        outcome = outcome.name(),
        "webhook archived"
    );
    Ok(())
}
