//! What webhooks ask for, turned into fetches: which rows, for which requests, and what the outcome means for them.

use lambda_runtime::tracing;
use shared::{
    belvo::{BelvoError, Scope, Subject},
    domain::{
        Collection, Days, Declared, Failure, Progress, RequestId, RequestRecord, Resource, Timestamp, parse_date,
    },
    queue::{Delivery, Unfinished},
    store::{Event, Notified},
};
use time::Duration;
use tokio::time::Instant;

use crate::{
    Collect, CollectError,
    fetch::{Fetched, begin, fetch},
};

/// How far before the newest stored row a refresh of Belvo's is looked for. A refresh reads the last six days again ("OFDA
/// Brazil Data Retrieval Limits"), and finds movements "from a few days ago that were only just added" (webhooks of
/// transactions, Belvo's documentation).
const OVERLAP: Duration = Duration::days(10);
/// Codes that announce new rows and nothing else: those are looked for among the latest days first.
const NEWS: [&str; 2] = ["new_transactions_available", "new_transactions_updated"];

/// One fetch to make, and the webhooks that it answers.
pub(crate) struct Job {
    /// The first of these webhooks.
    delivery: Delivery,
    scope: Scope,
    /// Whether afterwards the link's rows are counted here and at Belvo, and all of them fetched if the numbers differ.
    counts_after: bool,
    /// How far it has come, if this is the rest of one.
    progress: Option<Progress>,
    /// Whether the message was received before.
    again: bool,
    claims: Vec<Claim>,
}

/// One webhook that a fetch answers.
struct Claim {
    correlation_id: String,
    received_at: Timestamp,
    declared: Option<Declared>,
    record: Option<RequestRecord>,
}

/// Finds out what a message asks for. What asks for no rows is recorded here and done. May be repeated: facts are recorded
/// once.
pub(crate) async fn prepare(collect: &Collect, delivery: Delivery, again: bool) -> Result<Option<Job>, CollectError> {
    let resource = match &delivery.notification.subject {
        Subject::Rows(resource) => *resource,
        Subject::Other(webhook_type) => {
            keep(collect, &delivery, webhook_type).await?;
            return Ok(None);
        }
    };
    if let Some(unfinished) = delivery.unfinished.clone() {
        let mut job = continued(collect, delivery, resource, unfinished).await?;
        job.again = again;
        return Ok(Some(job));
    }
    let record = notified(collect, &delivery, resource).await?;
    if let Some(failure) = delivery.notification.failure() {
        end(collect, &delivery, resource, record.as_ref(), &failure).await?;
        return Ok(None);
    }
    let (days, counts_after) = days(collect, &delivery, record.as_ref()).await?;
    let account = record.as_ref().and_then(|record| record.account.clone());
    let claim = Claim {
        correlation_id: delivery.correlation_id.clone(),
        received_at: delivery.received_at,
        declared: delivery.notification.declared(),
        record,
    };
    let scope = Scope { resource, link: delivery.notification.link.clone(), days, account };
    Ok(Some(Job { delivery, scope, counts_after, progress: None, again, claims: vec![claim] }))
}

/// The requests that a message is to end.
pub(crate) fn requests_of(delivery: Delivery) -> Vec<RequestId> {
    match delivery.unfinished {
        Some(unfinished) => unfinished.requests,
        None => delivery.notification.request_id.into_iter().collect(),
    }
}

/// The rest of a collection, with what is known of its requests.
async fn continued(
    collect: &Collect,
    delivery: Delivery,
    resource: Resource,
    unfinished: Unfinished,
) -> Result<Job, CollectError> {
    let mut claims = Vec::new();
    for id in &unfinished.requests {
        let record = collect.requests.get(id).await?;
        let declared = record.as_ref().and_then(|record| record.declared.clone());
        let received_at = record.as_ref().and_then(|record| record.notified_at).unwrap_or(delivery.received_at);
        claims.push(Claim { correlation_id: id.to_string(), received_at, declared, record });
    }
    if claims.is_empty() {
        claims.push(Claim {
            correlation_id: delivery.correlation_id.clone(),
            received_at: delivery.received_at,
            declared: delivery.notification.declared(),
            record: None,
        });
    }
    let Unfinished { account, counts_after, progress, .. } = unfinished;
    let scope = Scope { resource, link: delivery.notification.link.clone(), days: progress.days(), account };
    Ok(Job { delivery, scope, counts_after, progress: Some(progress), again: false, claims })
}

/// Records that the webhook came, if it names a request.
async fn notified(
    collect: &Collect,
    delivery: &Delivery,
    resource: Resource,
) -> Result<Option<RequestRecord>, CollectError> {
    let Some(id) = delivery.notification.request_id.clone() else { return Ok(None) };
    let notified = Notified {
        id,
        link: delivery.notification.link.clone(),
        resource,
        code: delivery.notification.code.clone(),
        declared: delivery.notification.declared(),
        at: delivery.received_at,
    };
    Ok(Some(collect.requests.notified(&notified).await?))
}

/// The narrowest span of days that surely holds what a webhook is about, and whether the link's rows are to be counted
/// afterwards. A webhook is unsigned and its payload mostly undocumented, so nothing in it narrows the span.
///
/// | webhook | days |
/// |---|---|
/// | answers a request of ours | those that were asked for |
/// | announces new rows | the latest ones; all of the link's if the numbers then differ |
/// | announces changed or deleted rows, a link's history, or anything yet unknown | all of the link's |
async fn days(
    collect: &Collect,
    delivery: &Delivery,
    record: Option<&RequestRecord>,
) -> Result<(Days, bool), CollectError> {
    if let Some(window) = record.and_then(|record| record.window) {
        return Ok((window.into(), false));
    }
    if !NEWS.contains(&delivery.notification.code.as_str()) {
        return Ok((Days::ALL, false));
    }
    let newest = collect.transactions.newest_day(&delivery.notification.link).await?;
    let newest = newest.and_then(|day| parse_date(&day));
    let latest = newest.map(|day| Days::since(day.min(Timestamp::now().day()) - OVERLAP));
    Ok((latest.unwrap_or(Days::ALL), latest.is_some()))
}

impl Job {
    /// Whether this job's fetch, perhaps of some more days, answers another one's webhooks, too.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        let fresh = self.progress.is_none() && other.progress.is_none();
        let rows = |job: &Self| (job.scope.resource, job.scope.account.clone());
        fresh && rows(self) == rows(other) && self.scope.days.joined(&other.scope.days).is_some()
    }

    /// Answers the webhooks of a job that it [`takes`](Self::takes), too.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.scope.days = self.scope.days.joined(&other.scope.days).unwrap_or(Days::ALL);
        self.counts_after |= other.counts_after;
        self.again |= other.again;
        self.claims.extend(other.claims);
    }

    /// Fetches, stores, and records the outcome on every request. May be repeated at any point: rows that are stored
    /// already are not written again. What cannot be done by the deadline is handed on.
    pub(crate) async fn run(mut self, collect: &Collect, deadline: Instant) -> Result<(), CollectError> {
        loop {
            let request = self.requests().into_iter().next();
            let mut progress = match self.progress.take() {
                Some(progress) => progress,
                None => begin(collect, &self.scope).await?,
            };
            progress.resumed |= self.again;
            match fetch(collect, &self.scope, request, progress, deadline).await {
                Ok(Fetched::Unfinished(progress)) => return self.hand_on(collect, progress).await,
                Ok(Fetched::Whole(_)) if self.counts_after && self.misses_rows(collect).await? => {
                    self.counts_after = false;
                    self.scope.days = Days::ALL;
                }
                Ok(Fetched::Whole(collection)) => return self.conclude(collect, collection).await,
                // A refusal ends the requests; every other error lets the messages come back.
                Err(CollectError::Belvo(BelvoError::Rejected { code, message, .. })) => {
                    return self.refused(collect, &Failure { code, message }).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the link has other numbers of rows here and at Belvo, although its latest days are equal.
    async fn misses_rows(&self, collect: &Collect) -> Result<bool, CollectError> {
        if self.scope.days == Days::ALL {
            return Ok(false);
        }
        let all = Scope { days: Days::ALL, account: None, ..self.scope.clone() };
        let belvo = collect.belvo.count(&all).await?;
        let ours = collect.transactions.stock(&all.link, Days::ALL, None).await?.transactions;
        Ok(belvo != ours)
    }

    /// Puts what is left into the queue. Once it is there, this message is done.
    async fn hand_on(self, collect: &Collect, progress: Progress) -> Result<(), CollectError> {
        let requests = self.requests();
        tracing::info!(
            correlation.id = self.delivery.correlation_id,
            link.id = self.scope.link.as_str(),
            parts = progress.parts,
            "collection goes on"
        );
        let unfinished =
            Unfinished { requests, account: self.scope.account, counts_after: self.counts_after, progress };
        let continuation = Delivery { unfinished: Some(unfinished), ..self.delivery };
        Ok(collect.queue.send(&continuation).await?)
    }

    /// Records what was collected on every request, each with what its own webhook declared.
    async fn conclude(self, collect: &Collect, collection: Collection) -> Result<(), CollectError> {
        for claim in &self.claims {
            let window = claim.record.as_ref().and_then(|record| record.window.as_ref());
            let days = claim.declared.as_ref().and_then(|said| said.comparable_days(window, self.scope.days));
            let account = self.scope.account.as_ref();
            let stored = match days {
                Some(days) => Some(collect.transactions.stock(&self.scope.link, days, account).await?),
                None => None,
            };
            let collection = Collection { stored, ..collection.clone() };
            if let Some(record) = &claim.record {
                collect.requests.collected(&record.id, &collection).await?;
            }
            self.log(claim, &collection);
        }
        Ok(())
    }

    /// Ends every request as failed.
    async fn refused(self, collect: &Collect, failure: &Failure) -> Result<(), CollectError> {
        for claim in &self.claims {
            end(collect, &self.delivery, self.scope.resource, claim.record.as_ref(), failure).await?;
        }
        Ok(())
    }

    fn requests(&self) -> Vec<RequestId> {
        self.claims.iter().filter_map(|claim| claim.record.as_ref()).map(|record| record.id.clone()).collect()
    }

    /// The line that the metric of missing rows is made of (template.yaml).
    fn log(&self, claim: &Claim, collection: &Collection) {
        let verdict = collection.verdict(claim.declared.as_ref());
        tracing::info!(
            correlation.id = claim.correlation_id,
            link.id = self.scope.link.as_str(),
            pages = collection.pages,
            rows = collection.rows,
            counted = collection.counted,
            declared = claim.declared.as_ref().and_then(|declared| declared.total_transactions),
            new = collection.new,
            changed = collection.changed,
            unchanged = collection.unchanged,
            revived = collection.revived,
            deleted = collection.deleted,
            missing = verdict.missing(),
            duration_ms = collection.finished_at.millis_since(collection.started_at),
            since_webhook_ms = collection.finished_at.millis_since(claim.received_at),
            verdict = %verdict,
            "rows collected"
        );
    }
}

/// Ends a retrieval without rows. A failure that names no request is kept as an event.
async fn end(
    collect: &Collect,
    delivery: &Delivery,
    resource: Resource,
    record: Option<&RequestRecord>,
    failure: &Failure,
) -> Result<(), CollectError> {
    match record {
        Some(record) => collect.requests.failed(&record.id, failure, Timestamp::now()).await?,
        None => keep(collect, delivery, resource.webhook_type()).await?,
    }
    tracing::warn!(
        correlation.id = delivery.correlation_id,
        link.id = delivery.notification.link.as_str(),
        belvo.code = failure.code,
        "retrieval failed"
    );
    Ok(())
}

/// Keeps a webhook that asks for no collection: an unknown type, an event of a link or a consent, a failure that names
/// no request.
async fn keep(collect: &Collect, delivery: &Delivery, webhook_type: &str) -> Result<(), CollectError> {
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
