//! How requests and webhooks end without rows. No other module fails or expires a request.

use domain::{
    Failure, LinkId, RequestId, RequestRecord, Resource, Retrieval, Timestamp, WebhookOutcome,
};
use lambda_runtime::tracing;
use shared::{
    belvo::{LINK_DELETED, Subject},
    cause::chain,
    queue::{Delivery, Task},
    store::{Control, Recorded, Requests, StoreError},
    telemetry::{ALWAYS, Event},
};

use crate::archive;

/// What asked for rows.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) link: &'a LinkId,
    pub(crate) resource: Resource,
    /// The webhook that announced them, if one did.
    pub(crate) delivery: Option<&'a Delivery>,
}

/// Records a retrieval as failed, if there is one of this link.
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
            let is_known = link.is_some_and(|link| link.is_known() && !link.is_erased());
            let at = (Timestamp::now(), is_known);
            Some(control.requests.failed(id, &retrieval, failure, at).await?)
        }
        None => None,
    };
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

/// Fails every request that a task was for, because Belvo no longer has its link, and archives its
/// webhooks.
pub(crate) async fn fail_with_link(control: &Control, task: &Task) -> Result<(), StoreError> {
    let Some(origin) = Origin::of(task) else {
        return Ok(());
    };
    let gone = link_gone();
    let requests = task.requests();
    for request in &requests {
        fail(control, origin, Some(request), &gone).await?;
    }
    if requests.is_empty() && origin.delivery.is_some() {
        fail(control, origin, None, &gone).await?;
    }
    for delivery in task.deliveries() {
        archive::archive(control, delivery, &failed(&gone)).await?;
    }
    Ok(())
}

/// What becomes of a webhook with the retrieval that it is about.
pub(crate) fn failed(failure: &Failure) -> WebhookOutcome {
    WebhookOutcome::Failed {
        code: failure.code.clone(),
    }
}

/// Fails every request that a task was for, because its message was dead-lettered, and archives its
/// webhooks. What cannot be recorded is only logged.
pub(crate) async fn dead_letter(control: &Control, task: &Task, failure: &Failure) {
    let origin = Origin::of(task);
    for request in &task.requests() {
        let Some(origin) = origin else { break };
        if let Err(error) = fail(control, origin, Some(request), failure).await {
            tracing::error!(
                event = Event::RequestNotFailed.name(),
                correlation.id = request.as_str(),
                cause = %chain(&error),
                "could not mark the request of a dead-lettered message as failed"
            );
        }
    }

    let outcome = WebhookOutcome::DeadLettered {
        reason: failure.message.clone(),
    };
    for delivery in task.deliveries() {
        if let Err(error) = archive::archive(control, delivery, &outcome).await {
            tracing::error!(
                event = Event::WebhookNotArchived.name(),
                correlation.id = delivery.correlation_id,
                webhook.id = delivery.webhook_id().as_str(),
                cause = %chain(&error),
                "could not archive the webhook of a dead-lettered message"
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
        target: ALWAYS,
        event = Event::RequestExpired.name(),
        correlation.id = record.id.as_str(),
        link.id = record.retrieval.link.as_str(),
        age_s = record.facts().age_s(now),
        "request expired"
    );
    Ok(())
}

/// Logs the line behind the metric of incomplete requests (template.yaml).
pub(crate) fn log_incomplete(record: &RequestRecord) {
    tracing::warn!(
        target: ALWAYS,
        event = Event::RequestIncomplete.name(),
        correlation.id = record.id.as_str(),
        link.id = record.retrieval.link.as_str(),
        age_s = record.facts().age_s(Timestamp::now()),
        "request stays incomplete"
    );
}

/// The failure of a retrieval whose link Belvo no longer has.
pub(crate) fn link_gone() -> Failure {
    Failure {
        code: LINK_DELETED.to_owned(),
        message: "Belvo no longer has the link".to_owned(),
    }
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
