//! Copies one listing from Belvo into the store, part by part, until the store holds what Belvo
//! has.

use std::collections::HashSet;

use domain::{Days, FieldNames, Next, Observation, Progress, RequestId, RowQuery, Timestamp};
use futures::future::BoxFuture;
use shared::{
    belvo::{BelvoError, Client, Page},
    store::{Accounts as AccountStore, Rows},
};
use tokio::time::{Instant, timeout_at};

use crate::{App, CollectError, accounts::Accounts, duplicates::Duplicates, turn::Turn};

/// The outcome of a fetch.
pub(crate) enum Fetched {
    Whole(Progress),
    /// Parts are left for another invocation, because of an error or for lack of time.
    Unfinished(Progress, CollectError),
}

/// The time that a fetch has.
#[derive(Clone, Copy)]
pub(crate) struct FetchTime<'a> {
    pub(crate) turn: &'a Turn,
    /// Nothing is begun after it, if something was done, whether or not others wait.
    pub(crate) ends: Option<Instant>,
}

impl FetchTime<'_> {
    /// Why no step is begun after one that began at this time; `None` if one is.
    fn over(&self, started: Instant) -> Option<CollectError> {
        let now = Instant::now();
        if now + started.elapsed() > self.turn.deadline {
            // The next one would probably not finish in time.
            return Some(CollectError::OutOfTime);
        }
        let is_over = self.turn.is_over() || self.ends.is_some_and(|ends| now > ends);
        is_over.then_some(CollectError::TurnOver)
    }
}

/// The progress of a collection that has just started.
pub(crate) async fn begin(rows: &Rows, query: &RowQuery) -> Result<Progress, CollectError> {
    let started_at = Timestamp::now();
    let is_empty = rows.is_empty(&query.link).await?;
    Ok(Progress::new(query.days, is_empty, started_at))
}

/// Fetches rows and stores what is new or changed. If time runs out, others wait for their turn, or
/// Belvo or the store fails, after at least one step was done, the rest is left to a continuation,
/// so that no part is fetched again because of another.
pub(crate) async fn fetch(
    app: &App,
    query: &RowQuery,
    request: Option<RequestId>,
    progress: Progress,
    time: FetchTime<'_>,
) -> Result<Fetched, CollectError> {
    // What an earlier attempt has left.
    app.transactions.settle_log(&query.link).await?;
    let account_store = app.transactions.accounts();
    let mut fetch = Fetch {
        belvo: &app.belvo,
        rows: app.transactions.rows(query.resource),
        accounts: Accounts::stored(&account_store, query).await?,
        account_store,
        duplicates: Duplicates::default(),
        ahead: None,
        written: HashSet::new(),
        fields: FieldNames::new(),
        query,
        request,
        progress,
    };
    let fetched = fetch.run(time).await;
    let (known, store) = (&app.known_fields, &app.control.fields);
    let recorded = known.record(store, query.resource, &fetch.fields, time.turn.deadline);
    recorded.await;
    fetched.map(|outcome| match outcome {
        Ran::Whole => Fetched::Whole(fetch.progress),
        Ran::Unfinished(error) => Fetched::Unfinished(fetch.progress, error),
    })
}

/// A listing that is being fetched. How a part is read and stored is in `part.rs`, what becomes of
/// rows that the listing lacks in `missing.rs`.
pub(crate) struct Fetch<'a> {
    pub(crate) belvo: &'a Client,
    pub(crate) rows: Rows,
    pub(crate) accounts: Accounts,
    pub(crate) account_store: AccountStore,
    pub(crate) duplicates: Duplicates,
    /// The first page of the next part, which is fetched while a part is stored.
    pub(crate) ahead: Option<(Days, BoxFuture<'a, Result<Page, BelvoError>>)>,
    pub(crate) query: &'a RowQuery,
    request: Option<RequestId>,
    pub(crate) progress: Progress,
    /// A hash of each row that a link's first collection has written: only these can be stored
    /// under another day.
    pub(crate) written: HashSet<u64>,
    /// Of the rows that were looked at: the first of each page.
    pub(crate) fields: FieldNames,
}

/// How far a fetch came; its progress says the rest.
enum Ran {
    Whole,
    Unfinished(CollectError),
}

/// What a step did.
pub(crate) enum Step {
    /// A part was fetched or divided, a pass ended, rows were asked for or removed, or the accounts
    /// listed.
    Taken,
    Done,
}

impl Fetch<'_> {
    async fn run(&mut self, time: FetchTime<'_>) -> Result<Ran, CollectError> {
        let steps_before = self.progress.steps;
        loop {
            let (started, done_before) = (Instant::now(), self.progress.steps);
            self.belvo.begin_step();
            let step = timeout_at(time.turn.deadline, Box::pin(self.step())).await;
            let step = step.unwrap_or(Err(CollectError::OutOfTime));
            let advanced = self.progress.steps > steps_before;
            match step {
                Ok(Step::Done) => return Ok(Ran::Whole),
                Ok(Step::Taken) if self.progress.steps > done_before => {
                    if let Some(error) = time.over(started) {
                        return Ok(Ran::Unfinished(error));
                    }
                }
                Ok(Step::Taken) => {}
                Err(error) if advanced && error.is_transient() => {
                    return Ok(Ran::Unfinished(error.of_turn()));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Does the next step. The progress shows it only once its result is stored.
    async fn step(&mut self) -> Result<Step, CollectError> {
        match self.progress.next() {
            Next::Part(days) => self.part(days).await,
            Next::EndOfPass => self.end_pass().await,
            Next::Ask(ids) => self.ask(&ids).await,
            Next::Remove(ids) => self.remove(&ids).await,
            Next::Nothing if self.are_accounts_due() => self.list_accounts().await,
            Next::Nothing => {
                self.mark_late().await?;
                Ok(Step::Done)
            }
        }
    }

    /// Marks the duplicates in accounts that another link has come to hold while parts were
    /// fetched, by this invocation or by earlier ones.
    async fn mark_late(&self) -> Result<(), CollectError> {
        if self.progress.parts < 2 || !self.query.resource.has_accounts() {
            return Ok(());
        }
        let link = &self.query.link;
        let mut accounts = self.account_store.of(link).await?;
        accounts.retain(|account| self.progress.has_account(account.id()));
        let of = (link, self.progress.days());
        let stores = (&self.rows, &self.account_store);
        // A new one, which looks every account up again.
        let mut duplicates = Duplicates::default();
        duplicates.mark(stores, of, accounts.iter()).await
    }

    async fn part(&mut self, days: Days) -> Result<Step, CollectError> {
        let part = if days == Days::UNDATED && self.progress.undated() == 0 {
            self.empty_part(days).await?
        } else {
            let first = self.first_page(days).await?;
            let is_more = first.next.is_some() && first.count > first.rows.len() as u64;
            if is_more && self.divide(days, &first).await? {
                return Ok(Step::Taken);
            }
            self.read_part(days, first).await?
        };
        self.progress.fetched(&part);
        Ok(Step::Taken)
    }

    /// Divides a part that one GET does not return, if it can be divided. Rows without a date, of
    /// which no filter of Belvo's knows, are a part of their own.
    async fn divide(&mut self, days: Days, first: &Page) -> Result<bool, CollectError> {
        // Only a listing that filters by days can be divided by days.
        if self.query.resource.date_field().is_none() || days == Days::UNDATED {
            return Ok(false);
        }
        let (page, today) = (first.rows.len() as u64, Timestamp::now().day());
        let parts = days.parts(first.count, page, today);
        if parts.is_empty() {
            return Ok(false);
        }
        let undated = match days {
            Days::ALL => Some(self.count_undated(first.count).await?),
            _ => None,
        };
        self.progress.divide(parts, first.count, undated);
        Ok(true)
    }

    /// How many of all rows have no date. A row that comes or goes between two counts looks like
    /// one, so that another pair of counts has to agree.
    async fn count_undated(&self, all: u64) -> Result<u64, CollectError> {
        let (everything, dated) = (self.of_days(Days::ALL), self.of_days(Days::DATED));
        let undated = all.saturating_sub(self.belvo.count(&dated).await?);
        if undated == 0 {
            return Ok(0);
        }
        let all = self.belvo.count(&everything).await?;
        let again = all.saturating_sub(self.belvo.count(&dated).await?);
        Ok(undated.min(again))
    }

    /// Compares the parts with the whole.
    async fn end_pass(&mut self) -> Result<Step, CollectError> {
        let mut whole_count = None;
        if self.progress.is_in_parts() {
            let whole = self.of_days(self.progress.days());
            whole_count = Some(self.belvo.count(&whole).await?);
        }
        self.progress.end_pass(whole_count);
        Ok(Step::Taken)
    }

    /// The listing of some days. That of rows without a date is in the one of all days.
    pub(crate) fn of_days(&self, days: Days) -> RowQuery {
        let days = if days == Days::UNDATED {
            Days::ALL
        } else {
            days
        };
        RowQuery {
            days,
            ..self.query.clone()
        }
    }

    /// The first page of a part, which may have been fetched ahead.
    async fn first_page(&mut self, days: Days) -> Result<Page, CollectError> {
        match self.ahead.take() {
            Some((of, page)) if of == days => Ok(page.await?),
            _ => Ok(self.belvo.first_page(&self.of_days(days)).await?),
        }
    }

    pub(crate) fn observation(&self) -> Observation {
        Observation {
            at: Timestamp::now(),
            request: self.request.clone(),
        }
    }
}
