//! A webhook about rows: Belvo has them, or says why it does not.

use domain::{Failure, RequestRecord, Resource, Retrieval, RetrievalClass};
use lambda_runtime::tracing;
use shared::{
    belvo::NO_RETRIEVAL_LEFT,
    queue::{Delivery, Trigger},
    store::{Control, Notified},
    telemetry::Event,
};

use super::{
    days::{self, DaysToFetch},
    intent, unnamed,
};
use crate::{
    App, CollectError, archive,
    ending::{self, Origin},
    job::Job,
    link_record::Standing,
    waiter::Waiter,
};

pub(super) async fn plan(
    app: &App,
    delivery: &Delivery,
    resource: Resource,
    standing: Standing,
) -> Result<Option<Job>, CollectError> {
    let webhook = &delivery.webhook;
    let record = record(app, delivery, resource, standing).await?;
    if let Some(failure) = webhook.failure() {
        fail(&app.control, delivery, resource, record.as_ref(), &failure).await?;
        return Ok(None);
    }

    // The resource that was requested applies, whatever the webhook says.
    let issued = record
        .as_ref()
        .filter(|record| record.facts().issued_at.is_some());
    let resource = issued.map_or(resource, |record| record.retrieval.resource);
    let retrieval = match &record {
        Some(record) => Retrieval {
            resource,
            ..record.retrieval.clone()
        },
        None => Retrieval::of(webhook.link.clone(), resource),
    };
    let days =
        days::of_webhook(&app.transactions.rows(resource), &webhook.code, &retrieval).await?;
    let mut job = Job::new(retrieval, days, waiter(delivery, record));
    if webhook.request_id.is_none()
        && let Some(answered) = unnamed::answer(app, delivery, resource).await?
    {
        let days = DaysToFetch::certain(answered.retrieval.rows().days);
        let retrieval = answered.retrieval.clone();
        job.absorb(Job::new(retrieval, days, waiter(delivery, Some(answered))));
    }
    Ok(Some(job))
}

fn waiter(delivery: &Delivery, record: Option<RequestRecord>) -> Waiter {
    let trigger = Trigger::Webhook(Box::new(delivery.clone()));
    Waiter::new(trigger, &delivery.correlation_id, record)
}

/// Records that the webhook was received, if it names a request.
async fn record(
    app: &App,
    delivery: &Delivery,
    resource: Resource,
    standing: Standing,
) -> Result<Option<RequestRecord>, CollectError> {
    let (control, deadlines) = (&app.control, app.deadlines);
    let webhook = &delivery.webhook;
    let Some(id) = webhook.request_id.clone() else {
        return Ok(None);
    };
    let notified = Notified {
        id,
        link: webhook.link.clone(),
        resource,
        code: webhook.code.clone(),
        answered_by: None,
        declared: webhook.declared(),
        at: delivery.received_at,
        due_at: delivery.received_at.plus_seconds(deadlines.due_s.into()),
        is_known: standing == Standing::Known,
    };
    let Some(record) = control.requests.notified(&notified).await? else {
        tracing::warn!(
            event = Event::RequestOfAnotherLink.name(),
            correlation.id = delivery.correlation_id,
            link.id = webhook.link.as_str(),
            "the webhook names another link's request"
        );
        return Ok(None);
    };

    intent::claim(app, &record, delivery.received_at).await?;
    Ok(Some(record))
}

/// Fails the retrieval that the webhook reports as failed, and archives the webhook.
async fn fail(
    control: &Control,
    delivery: &Delivery,
    resource: Resource,
    record: Option<&RequestRecord>,
    failure: &Failure,
) -> Result<(), CollectError> {
    if let Some(record) = record.filter(|_| failure.code == NO_RETRIEVAL_LEFT) {
        close_quota(control, delivery, record).await?;
    }
    let origin = Origin {
        link: &delivery.webhook.link,
        resource,
        delivery: Some(delivery),
    };
    let request = record.map(|record| &record.id);
    ending::fail(control, origin, request, failure).await?;
    Ok(archive::archive(control, delivery, &ending::failed(failure)).await?)
}

/// Records that Belvo had no retrieval left for a link, in the class and the month that this one
/// was counted in.
async fn close_quota(
    control: &Control,
    delivery: &Delivery,
    record: &RequestRecord,
) -> Result<(), CollectError> {
    let retrieval = &record.retrieval;
    let Some(window) = retrieval.window.filter(|_| retrieval.resource.is_metered()) else {
        return Ok(());
    };
    let at = record.facts().issued_at.unwrap_or(delivery.received_at);
    let class = RetrievalClass::of(&window, at.day());
    let holder = control.links.quota_holder(&retrieval.link).await?;
    Ok(control.quotas.refused(&holder, class, at).await?)
}
