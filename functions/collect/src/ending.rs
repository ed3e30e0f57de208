//! How requests end without rows, and which webhooks are logged. No other module fails or expires a
//! request, or logs a webhook.

use domain::{Failure, LinkId, RequestId, RequestRecord, Resource, Retrieval, Timestamp};
use lambda_runtime::tracing;
use shared::{
    belvo::{LINK_DELETED, Subject},
    cause::chain,
    queue::{Delivery, Task},
    store::{Control, LoggedWebhook, Recorded, Requests, StoreError, WebhookLog},
    telemetry::Event,
};

/// What asked for rows.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) link: &'a LinkId,
    pub(crate) resource: Resource,
    /// The webhook that announced them, if one did.
    pub(crate) delivery: Option<&'a Delivery>,
}

/// Records a retrieval as failed. If the failure came in a webhook but names no request of this
/// link, the webhook is logged.
pub(crate) async fn fail(
    control: &Control,
    origin: Origin<'_>,
    request: Option<&RequestId>,
    failure: &Failure,
) -> Result<(), StoreError> {
    let recorded = match request {
        Some(id) => {
            let retrieval = Retrieval::of(origin.link.clone(), origin.resource);
            let link = control.links.get(origin.link).await?;
            let is_known = link.is_some_and(|link| link.is_known());
            let at = (Timestamp::now(), is_known);
            Some(control.requests.failed(id, &retrieval, failure, at).await?)
        }
        None => None,
    };
    if let Some(delivery) = origin.delivery
        && recorded != Some(Recorded::Written)
    {
        log_webhook(&control.webhook_log, delivery).await?;
    }
    if recorded == Some(Recorded::AnotherLinks) {
        return Ok(());
    }

    log_failure(origin, request, failure);
    Ok(())
}

fn log_failure(origin: Origin<'_>, request: Option<&RequestId>, failure: &Failure) {
    let correlation_id = match (request, origin.delivery) {
        (Some(id), _) => id.as_str(),
        (None, Some(delivery)) => &delivery.correlation_id,
        (None, None) => origin.link.as_str(),
    };
    tracing::warn!(
        event = Event::RetrievalFailed.name(),
        correlation.id = correlation_id,
        link.id = origin.link.as_str(),
        failure.code = failure.code,
        "retrieval failed"
    );
}

/// Fails every request that a task was for, because Belvo no longer has its link. A webhook that
/// names no request is logged.
pub(crate) async fn fail_with_link(control: &Control, task: &Task) -> Result<(), StoreError> {
    let Some(origin) = Origin::of(task) else {
        return Ok(());
    };
    let gone = link_gone();
    let requests = task.requests();
    if requests.is_empty() && origin.delivery.is_some() {
        return fail(control, origin, None, &gone).await;
    }
    for request in &requests {
        fail(control, origin, Some(request), &gone).await?;
    }
    Ok(())
}

/// Fails every request that a task was for, because its message was dead-lettered. A failure that
/// cannot be recorded is only logged.
pub(crate) async fn fail_requests(control: &Control, task: &Task, failure: &Failure) {
    let Some(origin) = Origin::of(task) else {
        return;
    };
    for request in &task.requests() {
        if let Err(error) = fail(control, origin, Some(request), failure).await {
            tracing::error!(
                event = Event::RequestNotFailed.name(),
                correlation.id = request.as_str(),
                cause = %chain(&error),
                "could not mark the request of a dead-lettered message as failed"
            );
        }
    }
}

/// Expires a request whose rows Belvo never had, or whose checks were never processed. Logs the
/// line behind the metric of expired requests (template.yaml).
pub(crate) async fn expire(requests: &Requests, record: &RequestRecord) -> Result<(), StoreError> {
    let now = Timestamp::now();
    requests.expired(&record.id, now).await?;

    tracing::warn!(
        event = Event::RequestExpired.name(),
        correlation.id = record.id.as_str(),
        link.id = record.retrieval.link.as_str(),
        age_s = record.facts().age_s(now),
        "request expired"
    );
    Ok(())
}

/// The failure of a retrieval whose link Belvo no longer has.
pub(crate) fn link_gone() -> Failure {
    Failure {
        code: LINK_DELETED.to_owned(),
        message: "Belvo no longer has the link".to_owned(),
    }
}

/// Logs a webhook that leads to no collection: of an unknown type, about accounts, a link or a
/// consent, a failure that names no request, or one that is held.
pub(crate) async fn log_webhook(log: &WebhookLog, delivery: &Delivery) -> Result<(), StoreError> {
    let webhook = &delivery.webhook;
    let webhook_type = webhook.subject.webhook_type();
    let logged = LoggedWebhook {
        delivery_id: delivery.id.clone(),
        link: webhook.link.clone(),
        webhook_type: webhook_type.to_owned(),
        webhook_code: webhook.code.clone(),
        request_id: webhook.request_id.clone(),
        received_at: delivery.received_at,
        body: delivery.body.get().to_owned(),
    };
    log.log(&logged).await?;

    tracing::info!(
        event = Event::WebhookLogged.name(),
        correlation.id = delivery.correlation_id,
        link.id = webhook.link.as_str(),
        webhook.r#type = webhook_type,
        webhook.code = webhook.code,
        "webhook logged"
    );
    Ok(())
}

impl<'a> Origin<'a> {
    /// The origin of a task, if it is about rows.
    fn of(task: &'a Task) -> Option<Self> {
        let (resource, delivery) = match task {
            Task::Webhook(delivery) => match delivery.webhook.subject {
                Subject::Rows(resource) => (resource, Some(delivery)),
                Subject::Accounts | Subject::Link | Subject::Consent | Subject::Other(_) => {
                    return None;
                }
            },
            Task::DataReady { resource, .. } | Task::CheckOverdue { resource, .. } => {
                (*resource, None)
            }
            Task::Continue(continuation) => {
                (continuation.resource, continuation.trigger.delivery())
            }
            Task::LinkGone { .. } | Task::CheckLink { .. } | Task::Collect { .. } | Task::Sweep => {
                return None;
            }
        };
        let link = task.link()?;
        Some(Self {
            link,
            resource,
            delivery,
        })
    }
}
