//! One fetch for one or several webhooks, and what its outcome means for each of them.

use futures::future::join_all;
use lambda_runtime::tracing;
use shared::{
    belvo::{BelvoError, Scope},
    cause::chain,
    domain::{
        Collection, Days, Deadlines, Declared, Failure, Found, Outcome, Progress, RequestId,
        RequestRecord, Timestamp,
    },
    queue::{Delivery, Unfinished},
};
use tokio::time::Instant;

use crate::{
    Collect, CollectError, announcement,
    fetch::{Fetched, begin, fetch},
    links,
};

/// A fetch to make, and the webhooks that it answers.
pub(crate) struct Job {
    pub(crate) scope: Scope,
    /// Whether afterwards the link's rows are counted here and at Belvo, and all of them fetched if
    /// the numbers differ.
    pub(crate) counts_after: bool,
    /// How far it has come, if this is the rest of one.
    pub(crate) progress: Option<Progress>,
    /// At least one.
    pub(crate) claims: Vec<Claim>,
}

/// One webhook that a fetch answers.
pub(crate) struct Claim {
    pub(crate) delivery: Delivery,
    pub(crate) record: Option<RequestRecord>,
}

impl Claim {
    fn correlation_id(&self) -> &str {
        self.record
            .as_ref()
            .map_or(&self.delivery.correlation_id, |record| record.id.as_str())
    }

    fn received_at(&self) -> Timestamp {
        self.record
            .as_ref()
            .and_then(|record| record.notified_at)
            .unwrap_or(self.delivery.received_at)
    }

    /// What a fetch that found this means for the request, if there is one.
    fn outcome(&self, collection: &Collection, deadlines: Deadlines) -> Outcome {
        let Some(record) = &self.record else {
            return Outcome::Collected;
        };
        let found = Found {
            rows: collection.rows,
            news: collection.new + collection.changed + collection.revived,
        };
        record.facts().outcome(
            found,
            self.delivery.overdue.is_some(),
            Timestamp::now(),
            deadlines,
        )
    }

    /// Records that Belvo has not answered: the request is looked after again, or expires.
    async fn wait_on(
        &self,
        collect: &Collect,
        next: Option<Timestamp>,
    ) -> Result<(), CollectError> {
        let Some(record) = &self.record else {
            return Ok(());
        };
        let now = Timestamp::now();
        match next {
            Some(_) => collect.requests.postpone(&record.id, next).await?,
            None => collect.requests.expired(&record.id, now).await?,
        }
        tracing::warn!(
            correlation.id = record.id.as_str(),
            link.id = record.link.as_str(),
            age_s = record.facts().age_s(now),
            expired = next.is_none(),
            "request without an answer"
        );
        Ok(())
    }

    /// Records that the rest of the rows is left to another invocation, unless it may turn out that
    /// Belvo is not done. That fact is only shown: it is not worth another fetch.
    async fn note_handed_on(&self, collect: &Collect, so_far: &Collection) {
        let Some(record) = self
            .record
            .as_ref()
            .filter(|record| record.collecting_at.is_none())
        else {
            return;
        };
        if self.outcome(so_far, collect.deadlines) != Outcome::Collected {
            return;
        }
        if let Err(error) = collect
            .requests
            .handed_on(&record.id, Timestamp::now())
            .await
        {
            tracing::warn!(correlation.id = record.id.as_str(), cause = %chain(&error), "request not shown as collecting");
        }
    }

    /// What Belvo declared, in this webhook or in an earlier one of the same request.
    fn declared(&self) -> Option<Declared> {
        match &self.record {
            Some(record) => record.declared.clone(),
            None => self.delivery.notification.declared(),
        }
    }
}

impl Job {
    /// Whether this job's fetch, perhaps of some more days, answers another one's webhooks, too.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        // Whether an overdue request has rows, only a fetch of its own tells.
        let alone = |job: &Self| {
            job.progress.is_some()
                || job
                    .claims
                    .iter()
                    .any(|claim| claim.delivery.overdue.is_some())
        };
        let fresh = !alone(self) && !alone(other);
        let rows = |job: &Self| {
            (
                job.scope.resource,
                job.scope.link.clone(),
                job.scope.account.clone(),
            )
        };
        fresh && rows(self) == rows(other) && self.scope.days.joined(&other.scope.days).is_some()
    }

    /// Answers the webhooks of a job that it [`takes`](Self::takes), too.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.scope.days = self
            .scope
            .days
            .joined(&other.scope.days)
            .unwrap_or(Days::ALL);
        self.counts_after |= other.counts_after;
        self.claims.extend(other.claims);
    }

    /// Fetches, stores, and records the outcome on every request. May be repeated at any point:
    /// rows that are stored already are not written again. What cannot be done by the deadline is
    /// handed on.
    pub(crate) async fn run(
        mut self,
        collect: &Collect,
        deadline: Instant,
    ) -> Result<(), CollectError> {
        // A later message of the same batch may have ended the link, and erased its rows.
        if links::is_gone(collect, &self.scope.link).await? {
            for claim in &self.claims {
                announcement::end_with_link(collect, &claim.delivery).await?;
            }
            return Ok(());
        }
        let mut progress = match self.progress.take() {
            Some(progress) => progress,
            None => begin(collect, &self.scope).await?,
        };
        let request = self.requests().into_iter().next();
        loop {
            let whole = match fetch(collect, &self.scope, request.clone(), progress, deadline).await
            {
                Ok(Fetched::Whole(whole)) => whole,
                Ok(Fetched::Unfinished(rest, error)) => {
                    return self.hand_on(collect, rest, &error).await;
                }
                Err(error) => return self.end(collect, error).await,
            };
            match self.misses_rows(collect).await {
                Ok(false) => {
                    return self
                        .conclude(collect, whole.collection(Timestamp::now()))
                        .await;
                }
                Ok(true) => {
                    self.counts_after = false;
                    self.scope.days = Days::ALL;
                    progress = whole;
                    progress.widen(Days::ALL);
                }
                Err(error) => return self.end(collect, error).await,
            }
        }
    }

    /// Whether the link has other numbers of rows here and at Belvo, although its latest days are
    /// equal.
    async fn misses_rows(&self, collect: &Collect) -> Result<bool, CollectError> {
        if !self.counts_after || self.scope.days == Days::ALL {
            return Ok(false);
        }
        let all = Scope {
            days: Days::ALL,
            account: None,
            ..self.scope.clone()
        };
        let belvo = collect.belvo.count(&all).await?;
        let ours = collect
            .transactions
            .of(all.resource)
            .stock(&all.link, Days::ALL, None)
            .await?
            .transactions;
        Ok(belvo != ours)
    }

    /// Puts what is left into the queue, to go on at once if only time was short, or else after the
    /// wait that the error asks for. Once it is there, this message is done.
    async fn hand_on(
        self,
        collect: &Collect,
        progress: Progress,
        error: &CollectError,
    ) -> Result<(), CollectError> {
        let Some(first) = self.claims.first() else {
            return Ok(());
        };
        let wait = match error {
            CollectError::OutOfTime => None,
            error => Some(collect.patience.wait(error.next(), 1)),
        };
        tracing::info!(
            correlation.id = first.correlation_id(),
            link.id = self.scope.link.as_str(),
            parts = progress.parts,
            wait_s = wait.unwrap_or_default().as_secs(),
            cause = %chain(error),
            "collection goes on"
        );
        let so_far = progress.collection(Timestamp::now());
        let unfinished = Unfinished {
            requests: self.requests(),
            account: self.scope.account.clone(),
            counts_after: self.counts_after,
            not_before: wait.map(|wait| {
                Timestamp::now().plus_seconds(wait.as_secs().try_into().unwrap_or(i64::MAX))
            }),
            progress: progress.handed_on(),
        };
        let continuation = Delivery {
            unfinished: Some(unfinished),
            ..first.delivery.clone()
        };
        let notes = join_all(
            self.claims
                .iter()
                .map(|claim| claim.note_handed_on(collect, &so_far)),
        );
        let (sent, _) = tokio::join!(collect.queue.send(&continuation), notes);
        Ok(sent?)
    }

    /// Records what was collected on every request, each with what its own webhook declared.
    async fn conclude(self, collect: &Collect, collection: Collection) -> Result<(), CollectError> {
        for claim in &self.claims {
            match claim.outcome(&collection, collect.deadlines) {
                Outcome::Collected => {}
                Outcome::Wait(next) => {
                    claim.wait_on(collect, Some(next)).await?;
                    continue;
                }
                Outcome::Expired => {
                    claim.wait_on(collect, None).await?;
                    continue;
                }
            }
            let window = claim
                .record
                .as_ref()
                .and_then(|record| record.window.as_ref());
            let declared = claim.declared();
            let days = declared
                .as_ref()
                .and_then(|said| said.comparable_days(window, self.scope.days));
            let account = self.scope.account.as_ref();
            let stored = match days {
                Some(days) => Some(
                    collect
                        .transactions
                        .of(self.scope.resource)
                        .stock(&self.scope.link, days, account)
                        .await?,
                ),
                None => None,
            };
            let collection = Collection {
                stored,
                ..collection.clone()
            };
            if let Some(record) = &claim.record {
                collect.requests.collected(&record.id, &collection).await?;
            }
            self.log(claim, &collection, declared.as_ref());
        }
        Ok(())
    }

    /// Ends every request as failed if Belvo refuses the fetch. Every other error lets the messages
    /// come back.
    async fn end(self, collect: &Collect, error: CollectError) -> Result<(), CollectError> {
        let CollectError::Belvo(BelvoError::Rejected { code, message, .. }) = error else {
            return Err(error);
        };
        let failure = Failure { code, message };
        for claim in &self.claims {
            let request = claim.record.as_ref().map(|record| &record.id);
            announcement::end(collect, &claim.delivery, request, &failure).await?;
        }
        Ok(())
    }

    fn requests(&self) -> Vec<RequestId> {
        self.claims
            .iter()
            .filter_map(|claim| claim.record.as_ref())
            .map(|record| record.id.clone())
            .collect()
    }

    /// The line that the metric of missing rows is made of (template.yaml).
    fn log(&self, claim: &Claim, collection: &Collection, declared: Option<&Declared>) {
        let verdict = collection.verdict(declared);
        tracing::info!(
            correlation.id = claim.correlation_id(),
            link.id = self.scope.link.as_str(),
            pages = collection.pages,
            rows = collection.rows,
            counted = collection.counted,
            declared = declared.and_then(|declared| declared.total_transactions),
            new = collection.new,
            changed = collection.changed,
            unchanged = collection.unchanged,
            revived = collection.revived,
            deleted = collection.deleted,
            missing = verdict.missing(),
            duration_ms = collection.finished_at.millis_since(collection.started_at),
            since_webhook_ms = collection.finished_at.millis_since(claim.received_at()),
            verdict = %verdict,
            "rows collected"
        );
    }
}
