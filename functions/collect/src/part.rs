//! Reads and stores one part of a listing.
//!
//! What one GET returns is what Belvo had at one moment. What several GETs return is not: a row
//! that appears or disappears between two of them shifts the later pages, so that one row is
//! returned twice, or not at all, while every count agrees. Such a part, a day with more rows than
//! a page, is read until two readings in a row return the same rows.

use std::{
    collections::{BTreeSet, HashSet},
    pin::pin,
};

use domain::{AccountId, Comparison, Days, NO_DATE, Part, Row, RowError, RowId};
use futures::{
    FutureExt,
    future::{Either, ready, select},
};
use lambda_runtime::tracing;
use serde_json::value::RawValue;
use shared::{belvo::Page, telemetry::Event};

use crate::{CollectError, fetch::Fetch};

/// How often a part is read at most.
const READINGS: usize = 5;
/// How many more pages than its first page promises a listing may have before it is read again.
const SURPLUS_PAGES: u64 = 2;

/// How a reading goes.
struct Reading {
    pages: u64,
    most_pages: u64,
    /// Whether it returned as many rows as Belvo counted, and the count stayed the same.
    is_consistent: bool,
}

impl Reading {
    fn of(first: &Page) -> Self {
        let pages = first.count.div_ceil(first.rows.len().max(1) as u64);
        Self {
            pages: 1,
            most_pages: pages + SURPLUS_PAGES,
            is_consistent: true,
        }
    }

    /// Counts a further page. Pages that lead to each other would never end.
    fn may_go_on(&mut self) -> bool {
        self.pages += 1;
        self.pages <= self.most_pages
    }
}

impl Fetch<'_> {
    /// Reads a part, given its first page, and stores what is new or changed.
    pub(crate) async fn read_part(
        &mut self,
        days: Days,
        first: Page,
    ) -> Result<Part, CollectError> {
        let (link, account) = (&self.query.link, self.query.account.as_ref());
        let stored = self.rows.known(link, days, account).await?;
        let mut part = Part {
            comparison: Comparison::new(stored),
            ..Part::default()
        };

        let mut first = Some(first);
        let mut previous: Option<HashSet<RowId>> = None;
        for _ in 0..READINGS {
            let first = match first.take() {
                Some(page) => page,
                None => self.belvo.first_page(&self.of_days(days)).await?,
            };
            let reading = self.read(&mut part, days, first).await?;
            let ids = part.comparison.seen();
            let is_settled = reading.pages == 1 || previous.as_ref() == Some(ids);
            part.is_whole = reading.is_consistent && is_settled;
            if part.is_whole {
                break;
            }
            previous = reading.is_consistent.then(|| ids.clone());
        }

        let accounts = part.accounts.iter().filter_map(|id| self.accounts.get(id));
        self.duplicates
            .mark((&self.rows, &self.account_store), (link, days), accounts)
            .await?;
        Ok(part)
    }

    /// Reads every page of a part once. Each is stored while the next one is fetched.
    async fn read(
        &mut self,
        part: &mut Part,
        days: Days,
        first: Page,
    ) -> Result<Reading, CollectError> {
        let is_undated = days == Days::UNDATED;
        part.comparison.start_over();
        part.count = match days {
            Days::UNDATED => self.progress.undated(),
            _ => first.count,
        };
        let mut reading = Reading::of(&first);
        let mut page = first;
        loop {
            part.pages += 1;
            if !is_undated {
                reading.is_consistent &= page.count == part.count;
                part.count = part.count.max(page.count);
            }
            let Some(next) = page.next else {
                self.store_and_look_ahead(part, days, page.rows).await?;
                break;
            };
            let belvo = self.belvo;
            let (stored, next) =
                tokio::join!(self.store(part, days, page.rows), belvo.next_page(&next));
            stored?;
            if is_undated && part.comparison.distinct() == part.count {
                break;
            }
            let Some(next) = next?.filter(|_| reading.may_go_on()) else {
                reading.is_consistent = false;
                break;
            };
            page = next;
        }
        reading.is_consistent &= part.comparison.distinct() == part.count;
        Ok(reading)
    }

    /// Stores the last page of a part while the first one of the next part is fetched.
    async fn store_and_look_ahead(
        &mut self,
        part: &mut Part,
        days: Days,
        rows: Vec<Box<RawValue>>,
    ) -> Result<(), CollectError> {
        let next = self.progress.part_after_next();
        let Some(next) = next.filter(|_| self.ahead.is_none()) else {
            return self.store(part, days, rows).await;
        };
        let (belvo, query) = (self.belvo, self.of_days(next));
        let page = async move { belvo.first_page(&query).await }.boxed();
        // What is stored counts, however long the page takes.
        let (stored, page) = match select(pin!(self.store(part, days, rows)), page).await {
            Either::Left((stored, page)) => (stored, page),
            Either::Right((page, storing)) => (storing.await, ready(page).boxed()),
        };
        self.ahead = Some((next, page));
        stored
    }

    /// Stores what is new or changed in a page.
    async fn store(
        &mut self,
        part: &mut Part,
        days: Days,
        page: Vec<Box<RawValue>>,
    ) -> Result<(), CollectError> {
        let mut rows = self.parse(&mut part.accounts, &page);
        if days == Days::UNDATED {
            rows.retain(|row| row.day(self.query.resource) == NO_DATE);
        }
        self.store_rows(&mut part.comparison, rows).await
    }

    /// Stores those of these rows that are new or changed.
    pub(crate) async fn store_rows(
        &mut self,
        comparison: &mut Comparison,
        rows: Vec<Row>,
    ) -> Result<(), CollectError> {
        let link = &self.query.link;
        if !self.progress.first_ever {
            let elsewhere = self.rows.look_up(link, comparison.unknown(&rows)).await?;
            comparison.learn(elsewhere);
        }

        let seen = self.observation();
        let changes = comparison.changes(rows);
        self.accounts
            .write_changed(&self.account_store, link, &seen)
            .await?;
        let unchanged = self.rows.put(link, changes, &seen).await?;
        comparison.found_unchanged(unchanged);
        Ok(())
    }

    /// The rows of a page. One that cannot be stored (Belvo promises an `id`) is left out, so that
    /// the others are not lost; there are then fewer rows than counted, and the verdict says so.
    pub(crate) fn parse(
        &mut self,
        accounts: &mut BTreeSet<AccountId>,
        page: &[Box<RawValue>],
    ) -> Vec<Row> {
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
}
