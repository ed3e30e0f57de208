//! Copies one listing from Belvo into the store, part by part and page by page, until it has as
//! many rows as Belvo counts.

use std::collections::BTreeSet;

use domain::{
    AccountId, Comparison, Observation, Part, Progress, RequestId, Row, RowError, RowId, RowQuery,
    Timestamp,
};
use lambda_runtime::tracing;
use serde_json::value::RawValue;
use shared::{
    belvo::{BelvoError, Client, Page},
    store::{Accounts as AccountStore, Rows},
    telemetry::Event,
};
use tokio::time::{Instant, timeout_at};

use crate::{App, CollectError, accounts::Accounts, duplicates};

/// How often a part is fetched at most if a fetch does not return what Belvo counted: rows that
/// appear while pages are read shift the later pages, and the next fetch finds them in place.
const FETCHES: usize = 3;

/// The outcome of a fetch.
pub(crate) enum Fetched {
    Whole(Progress),
    /// Parts are left for another invocation, because of an error or for lack of time.
    Unfinished(Progress, CollectError),
}

/// The progress of a collection that has just started.
pub(crate) async fn begin(rows: &Rows, query: &RowQuery) -> Result<Progress, CollectError> {
    let started_at = Timestamp::now();
    let first_ever = rows.is_empty(&query.link).await?;
    Ok(Progress::new(query.days, first_ever, started_at))
}

/// Fetches rows and stores what is new or changed. Only a fetch that returns what Belvo counts
/// proves that a row is gone. If time runs out, or Belvo or the store fails, after at least one
/// part was done, the rest is left to a continuation, so that no part is fetched again because of
/// another.
pub(crate) async fn fetch(
    app: &App,
    query: &RowQuery,
    request: Option<RequestId>,
    progress: Progress,
    deadline: Instant,
) -> Result<Fetched, CollectError> {
    let account_store = app.transactions.accounts();
    let mut fetch = Fetch {
        belvo: &app.belvo,
        rows: app.transactions.rows(query.resource),
        accounts: Accounts::stored(&account_store, query).await?,
        account_store,
        rows_per_part: app.rows_per_part,
        query,
        request,
        progress,
    };

    let parts_before = fetch.progress.parts;
    loop {
        let started = Instant::now();
        let step = timeout_at(deadline, fetch.step()).await;
        let step = step.unwrap_or(Err(CollectError::OutOfTime));
        let advanced = fetch.progress.parts > parts_before;
        match step {
            Ok(Step::Done) => return Ok(Fetched::Whole(fetch.progress)),
            // The next part would probably not finish in time.
            Ok(Step::Part) if Instant::now() + started.elapsed() > deadline => {
                return Ok(Fetched::Unfinished(fetch.progress, CollectError::OutOfTime));
            }
            Ok(Step::Part | Step::Prepared) => {}
            Err(error) if advanced && error.is_transient() => {
                return Ok(Fetched::Unfinished(fetch.progress, error));
            }
            Err(error) => return Err(error),
        }
    }
}

/// A listing that is being fetched.
struct Fetch<'a> {
    belvo: &'a Client,
    rows: Rows,
    accounts: Accounts,
    account_store: AccountStore,
    rows_per_part: u64,
    query: &'a RowQuery,
    request: Option<RequestId>,
    progress: Progress,
}

/// What a step did.
enum Step {
    /// A part was fetched and stored.
    Part,
    /// No part yet: a part was divided, or another pass begun.
    Prepared,
    Done,
}

impl Fetch<'_> {
    /// Does the next step. The progress shows it only once its result is stored.
    async fn step(&mut self) -> Result<Step, CollectError> {
        let Some(days) = self.progress.next() else {
            return self.end_pass().await;
        };
        let query = RowQuery {
            days,
            ..self.query.clone()
        };
        let first = self.belvo.first_page(&query).await?;
        if self.divide(&query, first.count) {
            return Ok(Step::Prepared);
        }

        let part = self.fetch_part(&query, first).await?;
        let mut progress = self.progress.clone();
        let surplus = progress.fetched(&part);
        self.tombstone(&surplus).await?;
        self.progress = progress;
        Ok(Step::Part)
    }

    /// Divides a part that is too large, if it can be divided.
    fn divide(&mut self, query: &RowQuery, count: u64) -> bool {
        let largest = self.rows_per_part;
        // Only a listing that filters by days can be divided by days.
        if query.resource.date_field().is_none() || !self.progress.divides(count, largest) {
            return false;
        }
        // Rows are not spread evenly over the days: parts that aim below the limit rarely have to
        // be divided again.
        let today = Timestamp::now().day();
        let parts = query.days.parts(count, largest * 4 / 5, today);
        if parts.is_empty() {
            return false;
        }
        self.progress.divide(parts, count);
        true
    }

    /// Compares the parts with the whole, and marks the rows that are gone.
    async fn end_pass(&mut self) -> Result<Step, CollectError> {
        let mut whole_count = None;
        if self.progress.is_in_parts() {
            whole_count = Some(self.belvo.count(self.query).await?);
        }

        let mut progress = self.progress.clone();
        let gone = progress.end_pass(whole_count);
        self.tombstone(gone.as_deref().unwrap_or_default()).await?;
        self.progress = progress;
        Ok(match gone {
            Some(_) => Step::Done,
            None => Step::Prepared,
        })
    }

    /// Fetches a part, given its first page, until a fetch returns what Belvo counts.
    async fn fetch_part(&mut self, query: &RowQuery, first: Page) -> Result<Part, CollectError> {
        let (link, days) = (&query.link, query.days);
        let stored = self.rows.known(link, days, query.account.as_ref()).await?;
        let mut part = Part {
            comparison: Comparison::new(stored),
            ..Part::default()
        };

        let mut first = Some(first);
        for _ in 0..FETCHES {
            let first = match first.take() {
                Some(page) => page,
                None => self.belvo.first_page(query).await?,
            };
            self.read_pages(&mut part, first).await?;
            if part.is_complete() {
                break;
            }
        }

        let accounts = part.accounts.iter().filter_map(|id| self.accounts.get(id));
        duplicates::mark(&self.rows, &self.account_store, (link, days), accounts).await?;
        Ok(part)
    }

    /// Fetches and stores every page of a part once. Each page is stored while the next one is
    /// fetched. An error in storing is therefore reported after the next page has arrived, and
    /// before any error of that page.
    async fn read_pages(&mut self, part: &mut Part, first: Page) -> Result<(), CollectError> {
        part.comparison.start_over();
        part.first_count = first.count;
        let belvo = self.belvo;
        let mut page = first;
        loop {
            part.pages += 1;
            part.last_count = page.count;
            let known = part.comparison.distinct();
            let Some(next) = page.next else {
                return self.store(part, page.rows).await;
            };

            let (stored, next) = tokio::join!(self.store(part, page.rows), belvo.next_page(&next));
            stored?;
            if part.comparison.distinct() == known {
                // Such pages could continue for ever.
                return Err(BelvoError::Unreadable("next, after a page without a new row").into());
            }
            page = next?;
        }
    }

    /// Stores what is new or changed in a page.
    async fn store(
        &mut self,
        part: &mut Part,
        page: Vec<Box<RawValue>>,
    ) -> Result<(), CollectError> {
        let link = &self.query.link;
        let rows = self.parse(&mut part.accounts, &page);
        if !self.progress.first_ever {
            let elsewhere = self
                .rows
                .look_up(link, part.comparison.unknown(&rows))
                .await?;
            part.comparison.learn(elsewhere);
        }

        let seen = self.observation();
        let changes = part.comparison.changes(rows);
        self.accounts
            .write_changed(&self.account_store, link, &seen)
            .await?;
        let unchanged = self.rows.put(link, changes, &seen).await?;
        part.comparison.found_unchanged(unchanged);
        Ok(())
    }

    /// The rows of a page. One that cannot be stored (Belvo promises an `id`) is left out, so that
    /// the others are not lost; there are then fewer rows than counted, and the verdict says so.
    fn parse(&mut self, accounts: &mut BTreeSet<AccountId>, page: &[Box<RawValue>]) -> Vec<Row> {
        let mut rows = Vec::with_capacity(page.len());
        for row in page {
            match self.parse_row(accounts, row) {
                Ok(row) => rows.push(row),
                Err(error) => tracing::error!(
                    event = Event::RowLeftOut.name(),
                    link.id = self.query.link.as_str(),
                    cause = %error,
                    "row left out"
                ),
            }
        }
        rows
    }

    fn parse_row(
        &mut self,
        accounts: &mut BTreeSet<AccountId>,
        row: &RawValue,
    ) -> Result<Row, RowError> {
        if !self.query.resource.has_accounts() {
            return Row::whole(row);
        }
        Row::parse(row, |account| {
            let id = self.accounts.read(account)?;
            accounts.insert(id.clone());
            Some(id)
        })
    }

    /// Marks rows that are gone.
    async fn tombstone(&self, gone: &[RowId]) -> Result<(), CollectError> {
        let seen = self.observation();
        let (link, days) = (&self.query.link, self.progress.days());
        Ok(self.rows.tombstone(link, days, gone, &seen).await?)
    }

    fn observation(&self) -> Observation {
        Observation {
            at: Timestamp::now(),
            request: self.request.clone(),
        }
    }
}
