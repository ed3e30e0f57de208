//! What a message asks for: rows of some days, for a request or for none, or only to be remembered.

use lambda_runtime::tracing;
use shared::{
    belvo::{LINK_DELETED, NO_RETRIEVAL_LEFT, Scope, Subject},
    domain::{
        Days, Failure, LookAfter, RequestId, RequestRecord, Resource, RetrievalClass, Timestamp,
        parse_date,
    },
    queue::{Delivery, SILENT, Unfinished},
    store::{Event, Notified},
};
use time::Duration;

use crate::{
    Collect, CollectError,
    job::{Claim, Job},
    links,
};

/// How far before the newest stored row a refresh of Belvo's is looked for. A refresh reads the
/// last six days again ("OFDA Brazil Data Retrieval Limits"), and finds movements "from a few days
/// ago that were only just added" (webhooks of transactions, Belvo's documentation).
const OVERLAP: Duration = Duration::days(10);
/// Codes that announce new rows and nothing else, and our own for a link that was silent: rows are
/// looked for among the latest days first.
const NEWS: [&str; 3] = [
    "new_transactions_available",
    "new_transactions_updated",
    SILENT,
];

/// Finds out what a message asks for. What asks for no rows is recorded here and done. May be
/// repeated: facts are recorded once.
pub(crate) async fn prepare(
    collect: &Collect,
    delivery: Delivery,
) -> Result<Option<Job>, CollectError> {
    let resource = match &delivery.notification.subject {
        Subject::Rows(resource) => *resource,
        Subject::Other(webhook_type) => {
            links::note(collect, &delivery, webhook_type).await?;
            keep(collect, &delivery, webhook_type).await?;
            return Ok(None);
        }
    };
    if !links::hear(collect, &delivery).await? {
        end_with_link(collect, &delivery).await?;
        return Ok(None);
    }
    if let Some(unfinished) = delivery.unfinished.clone() {
        return Ok(Some(resume(collect, delivery, resource, unfinished).await?));
    }
    if let Some(next) = delivery.overdue {
        return look_after(collect, delivery, resource, next).await;
    }
    let record = record_notified(collect, &delivery, resource).await?;
    // What was asked for counts, whatever the webhook calls it.
    let issued = record.as_ref().filter(|record| record.issued_at.is_some());
    let resource = issued.map_or(resource, |record| record.resource);
    if let Some(failure) = delivery.notification.failure() {
        note_exhausted(collect, &delivery, record.as_ref(), &failure).await?;
        end(
            collect,
            &delivery,
            record.map(|record| record.id).as_ref(),
            &failure,
        )
        .await?;
        return Ok(None);
    }
    let (days, counts_after) = choose_days(collect, &delivery, resource, record.as_ref()).await?;
    let account = record.as_ref().and_then(|record| record.account.clone());
    let scope = Scope {
        resource,
        link: delivery.notification.link.clone(),
        days,
        account,
    };
    Ok(Some(Job {
        scope,
        counts_after,
        progress: None,
        claims: vec![Claim { delivery, record }],
    }))
}

/// Fetches what an overdue request asked for, unless it has ended meanwhile, or a later message
/// looks after it.
async fn look_after(
    collect: &Collect,
    delivery: Delivery,
    resource: Resource,
    next: Timestamp,
) -> Result<Option<Job>, CollectError> {
    let Some(id) = delivery.notification.request_id.clone() else {
        return links::look_after(collect, delivery, resource).await;
    };
    let Some(record) = collect.requests.get(&id).await? else {
        return Ok(None);
    };
    match record.facts().look_after(next) {
        LookAfter::Fetch if record.link == delivery.notification.link => {}
        LookAfter::Forget => {
            collect.requests.postpone(&id, None).await?;
            return Ok(None);
        }
        LookAfter::Fetch | LookAfter::Superseded => return Ok(None),
    }
    let days = resource.days(record.window);
    let scope = Scope {
        resource,
        link: record.link.clone(),
        days,
        account: record.account.clone(),
    };
    let claims = vec![Claim {
        delivery,
        record: Some(record),
    }];
    Ok(Some(Job {
        scope,
        counts_after: false,
        progress: None,
        claims,
    }))
}

/// Ends what a message asks for whose link is gone, and all that the message speaks of with it.
pub(crate) async fn end_with_link(
    collect: &Collect,
    delivery: &Delivery,
) -> Result<(), CollectError> {
    let message = "Belvo no longer has the link".to_owned();
    let gone = Failure {
        code: LINK_DELETED.to_owned(),
        message,
    };
    let requests = requests_of(delivery);
    if requests.is_empty() {
        return end(collect, delivery, None, &gone).await;
    }
    for request in requests {
        end(collect, delivery, Some(&request), &gone).await?;
    }
    Ok(())
}

/// Takes Belvo's word that a link has no such retrieval left this month.
async fn note_exhausted(
    collect: &Collect,
    delivery: &Delivery,
    record: Option<&RequestRecord>,
    failure: &Failure,
) -> Result<(), CollectError> {
    let exhausted = failure.code == NO_RETRIEVAL_LEFT;
    let Some(record) = record.filter(|known| exhausted && known.resource == Resource::TRANSACTIONS)
    else {
        return Ok(());
    };
    let Some(window) = record.window else {
        return Ok(());
    };
    // The class and the month in which it was counted.
    let at = record.issued_at.unwrap_or(delivery.received_at);
    let class = RetrievalClass::of(&window, at.day());
    let holder = collect.requests.quota_holder(&record.link).await?;
    Ok(collect.requests.exhausted(&holder, class, at).await?)
}

/// The requests that a message is to end.
pub(crate) fn requests_of(delivery: &Delivery) -> Vec<RequestId> {
    match &delivery.unfinished {
        Some(unfinished) => unfinished.requests.clone(),
        None => delivery.notification.request_id.iter().cloned().collect(),
    }
}

/// Ends a retrieval without rows. A failure that names no request is kept as an event.
pub(crate) async fn end(
    collect: &Collect,
    delivery: &Delivery,
    request: Option<&RequestId>,
    failure: &Failure,
) -> Result<(), CollectError> {
    let resource = match &delivery.notification.subject {
        Subject::Rows(resource) => *resource,
        Subject::Other(webhook_type) => return keep(collect, delivery, webhook_type).await,
    };
    match request {
        Some(id) => {
            let link = &delivery.notification.link;
            if !collect
                .requests
                .failed(id, link, resource, failure, Timestamp::now())
                .await?
            {
                return keep(collect, delivery, resource.webhook_type()).await;
            }
        }
        None => keep(collect, delivery, resource.webhook_type()).await?,
    }
    tracing::warn!(
        correlation.id = request.map_or(delivery.correlation_id.as_str(), RequestId::as_str),
        link.id = delivery.notification.link.as_str(),
        failure.code = failure.code,
        "retrieval failed"
    );
    Ok(())
}

/// The rest of a collection, with what is known of its requests, once it may go on.
async fn resume(
    collect: &Collect,
    delivery: Delivery,
    resource: Resource,
    unfinished: Unfinished,
) -> Result<Job, CollectError> {
    let Unfinished {
        requests,
        account,
        counts_after,
        not_before,
        progress,
    } = unfinished;
    let wait_ms = not_before.map_or(0, |at| at.millis_since(Timestamp::now()));
    if wait_ms > 0 {
        return Err(CollectError::TooEarly(std::time::Duration::from_millis(
            wait_ms,
        )));
    }
    let mut claims = Vec::with_capacity(requests.len());
    for id in &requests {
        claims.push(Claim {
            delivery: delivery.clone(),
            record: collect.requests.get(id).await?,
        });
    }
    let link = delivery.notification.link.clone();
    if claims.is_empty() {
        claims.push(Claim {
            delivery,
            record: None,
        });
    }
    let scope = Scope {
        resource,
        link,
        days: progress.days(),
        account,
    };
    Ok(Job {
        scope,
        counts_after,
        progress: Some(progress),
        claims,
    })
}

/// Records that the webhook came, if it names a request.
async fn record_notified(
    collect: &Collect,
    delivery: &Delivery,
    resource: Resource,
) -> Result<Option<RequestRecord>, CollectError> {
    let Some(id) = delivery.notification.request_id.clone() else {
        return Ok(None);
    };
    let notified = Notified {
        id,
        link: delivery.notification.link.clone(),
        resource,
        code: delivery.notification.code.clone(),
        declared: delivery.notification.declared(),
        at: delivery.received_at,
        due_at: delivery
            .received_at
            .plus_seconds(collect.deadlines.due_s.into()),
    };
    let Some(record) = collect.requests.notified(&notified).await? else {
        tracing::warn!(
            correlation.id = delivery.correlation_id,
            link.id = delivery.notification.link.as_str(),
            "webhook names another link's request"
        );
        return Ok(None);
    };
    if record.issued_at.is_none() {
        // Perhaps it answers a retrieval whose sending was cut off; then that need not stay
        // unknown.
        collect
            .requests
            .claim(
                &record.link,
                record.resource,
                &record.id,
                delivery.received_at,
            )
            .await?;
    }
    Ok(Some(record))
}

/// The narrowest span of days that surely holds what a webhook is about, and whether the link's
/// rows are to be counted afterwards. A webhook is unsigned and its payload mostly undocumented, so
/// nothing in it narrows the span (docs/decisions/0008).
///
/// | webhook | days |
/// |---|---|
/// | answers a request of ours | those that were asked for, where the listing chooses by the same date |
/// | announces new rows | the latest ones; all of the link's if the numbers then differ |
/// | announces changed or deleted rows, a link's history, or anything yet unknown | all of the link's |
pub(crate) async fn choose_days(
    collect: &Collect,
    delivery: &Delivery,
    resource: Resource,
    record: Option<&RequestRecord>,
) -> Result<(Days, bool), CollectError> {
    if let Some(window) = record.and_then(|record| record.window) {
        return Ok((resource.days(Some(window)), false));
    }
    if !NEWS.contains(&delivery.notification.code.as_str()) {
        return Ok((Days::ALL, false));
    }
    let newest = collect
        .transactions
        .of(resource)
        .newest_day(&delivery.notification.link)
        .await?;
    let newest = newest.and_then(|day| parse_date(&day));
    let latest = newest.map(|day| Days::since(day.min(Timestamp::now().day()) - OVERLAP));
    Ok((latest.unwrap_or(Days::ALL), latest.is_some()))
}

/// Keeps a webhook that asks for no collection: an unknown type, an event of a link or a consent, a
/// failure that names no request.
async fn keep(
    collect: &Collect,
    delivery: &Delivery,
    webhook_type: &str,
) -> Result<(), CollectError> {
    let notification = &delivery.notification;
    let event = Event {
        delivery_id: delivery.id.clone(),
        link: notification.link.clone(),
        webhook_type: webhook_type.to_owned(),
        webhook_code: notification.code.clone(),
        request_id: notification.request_id.clone(),
        received_at: delivery.received_at,
        body: delivery.webhook.get().to_owned(),
    };
    collect.requests.event(&event).await?;
    tracing::info!(
        correlation.id = delivery.correlation_id,
        link.id = notification.link.as_str(),
        webhook.r#type = webhook_type,
        webhook.code = notification.code,
        "webhook recorded"
    );
    Ok(())
}
