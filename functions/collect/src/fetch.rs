//! One listing from Belvo into the store: part by part, page by page, until it is as many rows as
//! Belvo counts.

use lambda_runtime::tracing;
use serde_json::value::RawValue;
use shared::{
    belvo::{BelvoError, Page, Scope},
    domain::{Part, Plan, Progress, RequestId, Resource, Timestamp, Transaction, TransactionId},
    store::{Observation, Transactions},
};
use tokio::time::{Instant, timeout_at};

use crate::{Collect, CollectError, accounts::Accounts, same_as};

/// How often a part is fetched in all when a fetch does not bring what Belvo counted: rows that
/// appear while pages are read shift the later pages, and the next fetch then finds them in place.
const FETCHES: usize = 3;

/// What became of a fetch.
pub(crate) enum Fetched {
    /// It is done.
    Whole(Progress),
    /// Parts are left for another invocation, because of an error or because time is over.
    Unfinished(Progress, CollectError),
}

/// Fetches a scope and stores what is new or changed. Only a fetch that brings what Belvo counts
/// proves that a row is gone. If time runs out, or Belvo or the store fails, after a part was done,
/// the rest is left to a continuation, so that no part is fetched again for another one's sake.
pub(crate) async fn fetch(
    collect: &Collect,
    scope: &Scope,
    request: Option<RequestId>,
    progress: Progress,
    deadline: Instant,
) -> Result<Fetched, CollectError> {
    let accounts = Accounts::stored(collect, scope).await?;
    let store = collect.transactions.of(scope.resource);
    let mut fetch = Fetch {
        collect,
        store,
        scope,
        request,
        accounts,
        progress,
    };
    let parts_before = fetch.progress.parts;
    loop {
        let started = Instant::now();
        let step = timeout_at(deadline, fetch.step())
            .await
            .unwrap_or(Err(CollectError::OutOfTime));
        let advanced = fetch.progress.parts > parts_before;
        match step {
            Ok(Step::Done) => return Ok(Fetched::Whole(fetch.progress)),
            // The next part would probably not be done in time.
            Ok(Step::Part) if Instant::now() + started.elapsed() > deadline => {
                return Ok(Fetched::Unfinished(fetch.progress, CollectError::OutOfTime));
            }
            Ok(Step::Part | Step::Prepared) => {}
            Err(error) if advanced && error.may_pass() => {
                return Ok(Fetched::Unfinished(fetch.progress, error));
            }
            Err(error) => return Err(error),
        }
    }
}

/// A listing that is being fetched.
struct Fetch<'a> {
    collect: &'a Collect,
    /// Where rows of this resource are stored.
    store: Transactions,
    scope: &'a Scope,
    request: Option<RequestId>,
    accounts: Accounts,
    progress: Progress,
}

/// What was done last.
enum Step {
    /// A part was fetched and stored.
    Part,
    /// There is more to do: a part was divided, or another pass begun.
    Prepared,
    /// Nothing is left to do.
    Done,
}

/// The start of a collection of a scope.
pub(crate) async fn begin(collect: &Collect, scope: &Scope) -> Result<Progress, CollectError> {
    let started_at = Timestamp::now();
    let first_ever = collect
        .transactions
        .of(scope.resource)
        .newest_day(&scope.link)
        .await?
        .is_none();
    Ok(Progress::new(scope.days, first_ever, started_at))
}

impl Fetch<'_> {
    /// Does the next thing there is to do. What it has done is in the progress only once it is
    /// stored.
    async fn step(&mut self) -> Result<Step, CollectError> {
        let Some(days) = self.progress.next() else {
            return self.end_pass().await;
        };
        let scope = Scope {
            days,
            ..self.scope.clone()
        };
        let first = self.collect.belvo.first_page(&scope).await?;
        let largest = self.collect.rows_per_part;
        // Only what the listing chooses by days can be divided by days.
        if scope.resource.date_field().is_some() && self.progress.divides(first.count, largest) {
            // Rows are not spread evenly over the days: parts that are meant to be smaller seldom
            // have to be divided again.
            let parts = days.parts(first.count, largest * 4 / 5, Timestamp::now().day());
            if !parts.is_empty() {
                self.progress.divide(parts, first.count);
                return Ok(Step::Prepared);
            }
        }
        let part = self.fetch_part(&scope, first).await?;
        let mut progress = self.progress.clone();
        let surplus = progress.fetched(&part);
        self.bury(&surplus).await?;
        self.progress = progress;
        Ok(Step::Part)
    }

    /// Compares the parts with the whole, and marks what is gone from it.
    async fn end_pass(&mut self) -> Result<Step, CollectError> {
        let whole_count = if self.progress.is_in_parts() {
            Some(self.collect.belvo.count(self.scope).await?)
        } else {
            None
        };
        let mut progress = self.progress.clone();
        let gone = progress.end_pass(whole_count);
        self.bury(gone.as_deref().unwrap_or_default()).await?;
        self.progress = progress;
        Ok(if gone.is_some() {
            Step::Done
        } else {
            Step::Prepared
        })
    }

    /// Fetches a part until a fetch brings what Belvo counts, given its first page.
    async fn fetch_part(&mut self, scope: &Scope, first: Page) -> Result<Part, CollectError> {
        let stored = self
            .store
            .stored(&scope.link, scope.days, scope.account.as_ref())
            .await?;
        let mut part = Part {
            plan: Plan::new(stored),
            ..Part::default()
        };
        let mut first = Some(first);
        for _ in 0..FETCHES {
            let first = match first.take() {
                Some(page) => page,
                None => self.collect.belvo.first_page(scope).await?,
            };
            self.read_pages(&mut part, first).await?;
            if part.is_complete() {
                break;
            }
        }
        let accounts = part.accounts.iter().filter_map(|id| self.accounts.get(id));
        same_as::mark(self.collect, &scope.link, scope.days, accounts).await?;
        Ok(part)
    }

    /// Fetches and stores every page of a part once. The next page is on its way while one is
    /// stored: a page that cannot be stored is reported when the other has come, and then before
    /// whatever may be wrong with that one.
    async fn read_pages(&mut self, part: &mut Part, first: Page) -> Result<(), CollectError> {
        part.plan.start_over();
        part.counts.0 = first.count;
        let mut page = first;
        loop {
            part.pages += 1;
            part.counts.1 = page.count;
            let known = part.plan.distinct();
            let belvo = &self.collect.belvo;
            let Some(next) = page.next else {
                return self.store(part, page.rows).await;
            };
            let (stored, next) = tokio::join!(self.store(part, page.rows), belvo.next_page(&next));
            stored?;
            if part.plan.distinct() == known {
                // Such pages could go on for ever.
                return Err(BelvoError::Unreadable("next, after a page without a new row").into());
            }
            page = next?;
        }
    }

    /// Stores what is new or changed of a page. A row that cannot be stored (Belvo promises an
    /// `id`) is left out, so that the others are not lost; the rows then are fewer than counted,
    /// and the verdict says so.
    async fn store(
        &mut self,
        part: &mut Part,
        rows: Vec<Box<RawValue>>,
    ) -> Result<(), CollectError> {
        let (link, store) = (&self.scope.link, &self.store);
        let mut transactions = Vec::with_capacity(rows.len());
        for row in rows {
            let parsed = match self.scope.resource {
                Resource::TRANSACTIONS => Transaction::parse(&row, |account| {
                    let id = self.accounts.note(account)?;
                    part.accounts.insert(id.clone());
                    Some(id)
                }),
                _ => Transaction::whole(&row),
            };
            match parsed {
                Ok(transaction) => transactions.push(transaction),
                Err(error) => {
                    tracing::error!(link.id = link.as_str(), cause = %error, "row left out");
                }
            }
        }
        if !self.progress.first_ever {
            let elsewhere = store
                .look_up(link, part.plan.unknown(&transactions))
                .await?;
            part.plan.learn(elsewhere);
        }
        let seen = self.observation();
        let changes = part.plan.changes(transactions);
        self.accounts
            .write_changed(self.collect, link, &seen)
            .await?;
        store.put(link, changes, &seen).await?;
        Ok(())
    }

    /// Marks rows that are gone.
    async fn bury(&self, gone: &[TransactionId]) -> Result<(), CollectError> {
        Ok(self
            .store
            .bury(&self.scope.link, gone, &self.observation())
            .await?)
    }

    fn observation(&self) -> Observation {
        Observation {
            at: Timestamp::now(),
            request: self.request.clone(),
        }
    }
}
