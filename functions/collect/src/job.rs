//! One fetch for one or several messages, and what its outcome means for each of them.

use std::time::Duration;

use domain::{
    Collection, Days, Failure, LastCollection, LinkRecord, Outcome, Progress, Retrieval, RowQuery,
    Timestamp, Verdict, WebhookOutcome,
};
use futures::future::join_all;
use lambda_runtime::tracing;
use shared::{
    belvo::BelvoError,
    cause::chain,
    queue::{Continuation, Coverage, Delivery, Task},
    store::Control,
    telemetry::{ALWAYS, Event},
};
use tokio::time::Instant;

use crate::{
    App, CollectError, HEAD_START, archive,
    ending::{self, Origin},
    fetch::{self, FetchTime, Fetched},
    link_record::LinkKeeper,
    plan::DaysToFetch,
    turn::Turn,
    waiter::{Waiter, deliveries},
};

/// How soon a short fetch is repeated for the first time: a webhook may be ahead of the listing.
const REPEATED_AFTER: Duration = Duration::from_secs(15);

/// When a link is read again after a short fetch for a webhook that names no request, in seconds.
const READ_AGAIN_AFTER_S: i64 = 60 * 60;

/// The most bytes of webhooks that share a fetch: they travel with its continuation, in a message
/// of limited size. One webhook may have as many.
const MOST_WEBHOOK_BYTES: usize = 64 * 1024;

/// A fetch to make, and the messages that it answers.
pub(crate) struct Job {
    pub(crate) query: RowQuery,
    pub(crate) coverage: Coverage,
    /// How far the fetch has come, if this continues one.
    pub(crate) progress: Option<Progress>,
    /// At least one.
    pub(crate) waiters: Vec<Waiter>,
}

impl Job {
    /// A fetch of the rows of a retrieval, on the chosen days.
    pub(crate) fn new(retrieval: Retrieval, to_fetch: DaysToFetch, waiter: Waiter) -> Self {
        Self {
            query: RowQuery {
                resource: retrieval.resource,
                link: retrieval.link,
                days: to_fetch.days,
                account: retrieval.account,
            },
            coverage: to_fetch.coverage,
            progress: None,
            waiters: vec![waiter],
        }
    }

    /// Whether this job's fetch, perhaps of more days, also answers another job's messages.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        // Only a fetch of its own shows whether an overdue request has rows.
        let is_alone =
            |job: &Self| job.progress.is_some() || job.waiters.iter().any(Waiter::is_alone);
        let (one, another) = (&self.query, &other.query);

        !is_alone(self)
            && !is_alone(other)
            && self.webhook_bytes() + other.webhook_bytes() <= MOST_WEBHOOK_BYTES
            && one.resource == another.resource
            && one.link == another.link
            && one.account == another.account
            && one.days.joined(&another.days).is_some()
    }

    fn webhook_bytes(&self) -> usize {
        let bytes = |delivery: &Delivery| delivery.body.get().len();
        deliveries(&self.waiters).into_iter().map(bytes).sum()
    }

    /// Also answers the messages of a job that it [`takes`](Self::takes).
    pub(crate) fn absorb(&mut self, other: Self) {
        let days = self.query.days.joined(&other.query.days);
        self.query.days = days.unwrap_or(Days::ALL);
        self.coverage = self.coverage.max(other.coverage);
        self.waiters.extend(other.waiters);
    }

    /// How many calls go before those of other collections: the first ones, but none of a scrub's.
    pub(crate) fn head_start(&self) -> u32 {
        let steps = self.progress.as_ref().map_or(0, |progress| progress.steps);
        match u32::try_from(steps) {
            Ok(steps) if !self.is_scrub() => HEAD_START.saturating_sub(steps),
            _ => 0,
        }
    }

    fn is_scrub(&self) -> bool {
        self.waiters.iter().all(Waiter::is_scrub)
    }

    /// Fetches, stores, and records the outcome on every request. Safe to repeat at any point:
    /// stored rows are not written again. What cannot be done in time is continued in another
    /// invocation.
    pub(crate) async fn run(mut self, app: &App, turn: &Turn) -> Result<(), CollectError> {
        // A later message of the same batch may have ended the link, and erased its rows.
        let link = app.control.links.get(&self.query.link).await?;
        if link.as_ref().is_some_and(LinkRecord::is_deleted) {
            return self.fail(&app.control, &ending::link_gone()).await;
        }
        let link = link.unwrap_or_else(|| LinkRecord::new(self.query.link.clone()));
        app.belvo.is_about(link.connection.institution.as_deref());

        match self.fetch(app, turn).await {
            Ok(Fetched::Whole(whole)) => {
                let collection = whole.collection(Timestamp::now());
                let found = self.compared_all(app, &collection).await?;
                self.record_on_link(app, &collection, &found).await?;
                self.keep_requests(app, &link).await?;
                self.conclude(app, collection.days, &found).await
            }
            Ok(Fetched::Unfinished(rest, error)) => self.continue_later(app, rest, &error).await,
            Err(CollectError::Belvo(BelvoError::Rejected { code, message, .. })) => {
                self.announce_stored(app, &code).await?;
                let message = message.as_str().to_owned();
                self.fail(&app.control, &Failure { code, message }).await
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches the chosen days, and then all of the link's days if its row count still differs from
    /// Belvo's.
    async fn fetch(&mut self, app: &App, turn: &Turn) -> Result<Fetched, CollectError> {
        let rows = app.transactions.rows(self.query.resource);
        let mut progress = match self.progress.take() {
            Some(progress) => progress,
            None => fetch::begin(&rows, &self.query).await?,
        };
        let request = self.waiters.iter().find_map(Waiter::request).cloned();
        let time = FetchTime {
            turn,
            ends: self.is_scrub().then(|| Instant::now() + app.turn),
        };

        let steps_before = progress.steps;
        loop {
            let fetched = fetch::fetch(app, &self.query, request.clone(), progress, time);
            let whole = match fetched.await? {
                Fetched::Whole(whole) => whole,
                unfinished @ Fetched::Unfinished(..) => return Ok(unfinished),
            };
            match self.counts_differ(app).await {
                Ok(false) => return Ok(Fetched::Whole(whole)),
                Ok(true) => {}
                Err(error) if whole.steps > steps_before && error.is_transient() => {
                    return Ok(Fetched::Unfinished(whole, error.of_turn()));
                }
                Err(error) => return Err(error),
            }
            self.coverage = Coverage::Certain;
            self.query.days = Days::ALL;
            progress = whole;
            progress.widen(Days::ALL);
        }
    }

    /// Whether the link has a different number of rows here than at Belvo, although its latest days
    /// are the same.
    async fn counts_differ(&self, app: &App) -> Result<bool, CollectError> {
        if self.coverage == Coverage::Certain || self.query.days == Days::ALL {
            return Ok(false);
        }
        let all = RowQuery {
            days: Days::ALL,
            account: None,
            ..self.query.clone()
        };
        let belvo = app.belvo.count(&all).await?;
        let rows = app.transactions.rows(all.resource);
        let ours = rows.totals(&all.link, Days::ALL, None).await?;
        Ok(belvo != ours.transactions)
    }

    /// Queues what is left as a continuation: immediate if only time ran out, otherwise after the
    /// wait that the error asks for. Once it is queued, this message is done.
    async fn continue_later(
        self,
        app: &App,
        progress: Progress,
        error: &CollectError,
    ) -> Result<(), CollectError> {
        let waiters: Vec<_> = self.waiters.iter().collect();
        let now = Timestamp::now();
        let wait_s = match error {
            CollectError::OutOfTime | CollectError::TurnOver => 0,
            error => app.retry_policy.wait(error.advice(), 1).as_secs(),
        };
        tracing::info!(
            event = Event::CollectionContinued.name(),
            correlation.id = self.waiters.first().map(Waiter::correlation_id),
            link.id = self.query.link.as_str(),
            parts = progress.parts,
            wait_s,
            cause = %chain(error),
            "continued in another invocation"
        );

        let (requests, so_far) = (&app.control.requests, progress.collection(now));
        let shown = self
            .waiters
            .iter()
            .map(|waiter| waiter.show_collecting(requests, &so_far, app.deadlines));
        let wait_s = i64::try_from(wait_s).unwrap_or(i64::MAX);
        let not_before = (wait_s > 0).then(|| now.plus_seconds(wait_s));
        let Some(task) = self.continuation(&waiters, not_before, progress) else {
            return Ok(());
        };
        let (sent, _) = tokio::join!(app.queue.send(&task), join_all(shown));
        Ok(sent?)
    }

    /// A message that goes on from here for some of the waiters; `None` if there are none.
    fn continuation(
        &self,
        waiters: &[&Waiter],
        not_before: Option<Timestamp>,
        progress: Progress,
    ) -> Option<Task> {
        let first = waiters.first()?;
        let requests = waiters.iter().filter_map(|waiter| waiter.request());
        let is_triggers =
            |delivery: &Delivery| first.delivery().is_some_and(|one| one.is_same(delivery));
        let webhooks = deliveries(waiters.iter().copied()).into_iter();
        Some(Task::Continue(Box::new(Continuation {
            resource: self.query.resource,
            link: self.query.link.clone(),
            account: self.query.account.clone(),
            trigger: first.trigger.clone(),
            other_webhooks: webhooks.filter(|one| !is_triggers(one)).cloned().collect(),
            requests: requests.cloned().collect(),
            coverage: self.coverage,
            not_before,
            progress: progress.continued(),
        })))
    }

    /// Records on the link what was found, which of Belvo's rows are not stored, when all are read
    /// again, and how far its followers can read: they learn of it here. What an interrupted
    /// attempt has stored is news, too, when the next one comes here.
    async fn record_on_link(
        &self,
        app: &App,
        collection: &Collection,
        found: &[Collection],
    ) -> Result<(), CollectError> {
        let resource = self.query.resource;
        // The rows of one account say nothing about those of the others.
        let days = match self.query.account {
            Some(_) => Days::DATED,
            None => collection.days,
        };
        // Belvo returns none before its data is ready: the link may yet have rows.
        let known_days = match collection.tally.rows {
            0 => Days::DATED,
            _ => days,
        };
        let readable = app.transactions.readable(&self.query.link).await?;
        let account = self.query.account.clone();
        let last = LastCollection::of(collection, account, self.worst_verdict(found));
        let change = |known: LinkRecord| {
            self.answered(known, collection.finished_at, None)
                .rows_left_out(resource, days, &collection.left_out)
                .scheduled(resource, known_days, collection.finished_at, app.scrubs)
                .found(resource, last.clone(), &readable)
        };
        app.control.links.change(&self.query.link, change).await?;
        Ok(())
    }

    /// Lets the link's followers know of what was stored before Belvo refused the rest.
    async fn announce_stored(&self, app: &App, code: &str) -> Result<(), CollectError> {
        let now = Timestamp::now();
        let answered = |known| self.answered(known, now, Some(code));
        let links = LinkKeeper::from(app);
        links.announce(&self.query.link, answered).await
    }

    /// Notes on the link the webhooks that this answers, and how what was asked for has ended.
    fn answered(&self, link: LinkRecord, at: Timestamp, failure: Option<&str>) -> LinkRecord {
        let resource = self.query.resource;
        self.waiters.iter().fold(link, |link, waiter| {
            if let Some(delivery) = waiter.trigger.delivery() {
                return link.seen(delivery.received_at);
            }
            match waiter.trigger.asked_at() {
                Some(asked_at) => link.asked_ended((resource, asked_at), at, failure),
                None => link,
            }
        })
    }

    /// The worst of what was found for each message.
    fn worst_verdict(&self, found: &[Collection]) -> Verdict {
        let verdicts = self.waiters.iter().zip(found);
        verdicts
            .map(|(waiter, found)| found.verdict(waiter.declared().as_ref()))
            .max()
            .unwrap_or(Verdict::Complete)
    }

    /// Keeps the records of requests that were to expire, if somebody stands behind the link now.
    async fn keep_requests(&self, app: &App, link: &LinkRecord) -> Result<(), CollectError> {
        let records = self
            .waiters
            .iter()
            .filter_map(|waiter| waiter.record.as_ref());
        for record in records.filter(|record| record.expires_at.is_some() && link.is_known()) {
            app.control.requests.keep(&record.id).await?;
        }
        Ok(())
    }

    /// Records on every request what was found for it, and archives the webhooks.
    async fn conclude(
        self,
        app: &App,
        days: Days,
        found: &[Collection],
    ) -> Result<(), CollectError> {
        let mut short = Vec::new();
        for (waiter, found) in self.waiters.iter().zip(found) {
            let missing = waiter.verdict(found).missing();
            let outcome = waiter.outcome(found, missing, app.deadlines);
            waiter.record(&app.control.requests, outcome, found).await?;

            let has_no_request = waiter.record.is_none() && !waiter.is_check();
            let is_read_again = has_no_request && missing > found.tally.unstored;
            match outcome {
                Outcome::Wait { .. } | Outcome::Expired => continue,
                Outcome::Short { is_first: true, .. } => short.push(waiter),
                _ if is_read_again => self.read_again(app).await?,
                _ => {}
            }
            let is_final = !is_read_again && !matches!(outcome, Outcome::Short { .. });
            self.log(waiter, found, is_final.then_some(missing));
        }
        self.archive(app, found, &short).await?;
        self.fetch_again(app, days, &short).await
    }

    /// Archives the webhooks that are answered, but for those of requests that are fetched again.
    async fn archive(
        &self,
        app: &App,
        found: &[Collection],
        short: &[&Waiter],
    ) -> Result<(), CollectError> {
        for delivery in deliveries(&self.waiters) {
            let waits =
                |waiter: &Waiter| waiter.delivery().is_some_and(|one| one.is_same(delivery));
            if short.iter().any(|waiter| waits(waiter)) {
                continue;
            }
            let found = self.waiters.iter().zip(found);
            let found = found.filter(|(waiter, _)| waits(waiter));
            let verdicts = found.map(|(waiter, found)| (waiter.verdict(found), found));
            if let Some((worst, found)) = verdicts.max_by_key(|(verdict, _)| *verdict) {
                let outcome = WebhookOutcome::collected(found, worst);
                archive::archive(&app.control, delivery, &outcome).await?;
            }
        }
        Ok(())
    }

    /// Lets all rows be read again in an hour: no request is there to be repeated.
    async fn read_again(&self, app: &App) -> Result<(), CollectError> {
        let at = Timestamp::now().plus_seconds(READ_AGAIN_AFTER_S);
        let change = |known: LinkRecord| known.read_again(self.query.resource, at);
        app.control.links.change(&self.query.link, change).await?;
        Ok(())
    }

    /// Queues another fetch of the same days for requests whose first one was short.
    async fn fetch_again(
        &self,
        app: &App,
        days: Days,
        short: &[&Waiter],
    ) -> Result<(), CollectError> {
        let now = Timestamp::now();
        let wait = REPEATED_AFTER.min(app.retry_policy.longest_wait);
        let not_before = now.plus_seconds(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
        let progress = Progress::new(days, false, now);
        match self.continuation(short, Some(not_before), progress) {
            Some(task) => Ok(app.queue.send(&task).await?),
            None => Ok(()),
        }
    }

    /// The collection as it answers each message.
    async fn compared_all(
        &self,
        app: &App,
        collection: &Collection,
    ) -> Result<Vec<Collection>, CollectError> {
        let mut found = Vec::with_capacity(self.waiters.len());
        for waiter in &self.waiters {
            found.push(self.compared(app, waiter, collection.clone()).await?);
        }
        Ok(found)
    }

    /// The collection with what is stored afterwards, if the message declared anything comparable.
    async fn compared(
        &self,
        app: &App,
        waiter: &Waiter,
        mut collection: Collection,
    ) -> Result<Collection, CollectError> {
        let (query, declared) = (&self.query, waiter.declared());
        let record = waiter.record.as_ref();
        let window = record.and_then(|record| record.retrieval.window);
        let days = declared
            .as_ref()
            .and_then(|declared| declared.comparable_days(window.as_ref(), query.days));
        if let Some(days) = days {
            let rows = app.transactions.rows(query.resource);
            let stored = rows
                .totals(&query.link, days, query.account.as_ref())
                .await?;
            collection.stored = Some(stored);
        }
        Ok(collection)
    }

    /// Fails every request, and archives the webhooks.
    async fn fail(self, control: &Control, failure: &Failure) -> Result<(), CollectError> {
        for waiter in &self.waiters {
            let origin = Origin {
                link: &self.query.link,
                resource: self.query.resource,
                delivery: waiter.trigger.delivery(),
            };
            ending::fail(control, origin, waiter.request(), failure).await?;
        }
        for delivery in deliveries(&self.waiters) {
            archive::archive(control, delivery, &ending::failed(failure)).await?;
        }
        Ok(())
    }

    /// Logs the line behind the metrics of collections (template.yaml). Missing are the rows that
    /// are not looked for again. A scrub finds the rows that cannot be stored each time, which are
    /// known.
    fn log(&self, waiter: &Waiter, collection: &Collection, missing: Option<u64>) {
        let finished_at = collection.finished_at;
        let declared = waiter.declared();
        // A replay says nothing of how long rows take.
        let announced_at = waiter.announced_at().filter(|_| !waiter.is_replayed());
        let is_scrub = waiter.is_scrub();
        let known = if is_scrub {
            collection.tally.unstored
        } else {
            0
        };
        tracing::info!(
            target: ALWAYS,
            event = Event::RowsCollected.name(),
            correlation.id = waiter.correlation_id(),
            link.id = self.query.link.as_str(),
            resource = self.query.resource.name(),
            answered_by = waiter.answered_by(),
            pages = collection.tally.pages,
            rows = collection.tally.rows,
            counted = collection.tally.counted,
            declared = declared.as_ref().and_then(|declared| declared.total_transactions),
            new = collection.tally.new,
            changed = collection.tally.changed,
            unchanged = collection.unchanged,
            revived = collection.tally.revived,
            deleted = collection.tally.deleted,
            undated = collection.tally.undated,
            left_out = collection.tally.unstored,
            missing = missing.map(|rows| rows.saturating_sub(known)),
            healed = is_scrub.then(|| collection.healed()),
            duration_ms = finished_at.millis_since(collection.started_at),
            since_webhook_ms = announced_at.map(|at| finished_at.millis_since(at)),
            verdict = %collection.verdict(declared.as_ref()),
            "rows collected"
        );
    }
}
