//! Reads and stores one part of a listing.
//!
//! What one GET returns is what Belvo had at one moment. What several GETs return is not: a row
//! that appears or disappears between two of them shifts the later pages, so that one row is
//! returned twice, or not at all, while every count agrees. Such a part, a day with more rows than
//! a page, is read until two readings in a row return the same rows.

use std::{
    collections::{BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    pin::pin,
};

use domain::{
    AccountId, Comparison, Days, LeftOut, NO_DATE, Part, Row, RowError, RowId, SentRow, SentRows,
    add_names,
};
use futures::{
    FutureExt,
    future::{Either, ready, select},
};
use lambda_runtime::tracing;
use shared::{belvo::Page, telemetry::Event};

use crate::{CollectError, fetch::Fetch};

/// How often a part is read at most.
const READINGS: usize = 5;
/// How many more rows than its count a listing may have before it is read again, in rows of its
/// first page.
const SURPLUS_PAGES: u64 = 2;
/// How many pages are searched for rows without a date, of which no filter knows: what an
/// invocation has time for beside other links.
const SEARCHED_PAGES: u64 = 50;

/// How a reading goes.
struct Reading {
    pages: u64,
    /// Rows returned so far, repeated ones included.
    rows: u64,
    most_rows: u64,
    /// Whether it returned as many rows as Belvo counted, and the count stayed the same.
    is_consistent: bool,
}

impl Reading {
    fn of(first: &Page, days: Days) -> Self {
        let rows = rows_of(first);
        let most_rows = match days {
            Days::UNDATED => SEARCHED_PAGES * rows,
            _ => first.count.saturating_add(SURPLUS_PAGES * rows),
        };
        Self {
            pages: 1,
            rows,
            most_rows,
            is_consistent: true,
        }
    }

    /// Counts a further page, which may have fewer rows than the first. Pages that lead to each
    /// other would never end.
    fn may_go_on(&mut self, next: &Page) -> bool {
        let may_go_on = self.rows < self.most_rows;
        self.pages += 1;
        self.rows += rows_of(next);
        may_go_on
    }
}

/// An empty page counts, too: it may lead to another.
fn rows_of(page: &Page) -> u64 {
    page.rows.len().max(1) as u64
}

impl Fetch<'_> {
    /// Reads a part, given its first page, and stores what is new or changed.
    pub(crate) async fn read_part(
        &mut self,
        days: Days,
        first: Page,
    ) -> Result<Part, CollectError> {
        let mut part = self.unread_part(days).await?;
        let mut first = Some(first);
        let mut previous: Option<HashSet<RowId>> = None;
        for _ in 0..READINGS {
            let first = match first.take() {
                Some(page) => page,
                None => self.belvo.first_page(&self.of_days(days)).await?,
            };
            let reading = self.read(&mut part, days, first).await?;
            let is_of_one_page = reading.pages == 1;
            let ids = (!is_of_one_page).then(|| part.comparison.seen());
            let is_settled = is_of_one_page || (ids.is_some() && previous == ids);
            part.is_whole = reading.is_consistent && (is_settled || days == Days::UNDATED);
            if part.is_whole || days == Days::UNDATED {
                break;
            }
            previous = ids.filter(|_| reading.is_consistent);
            // It is older than what is read now.
            self.ahead = None;
        }

        let accounts = part.accounts.iter().filter_map(|id| self.accounts.get(id));
        let of = (&self.query.link, days);
        self.duplicates
            .mark((&self.rows, &self.account_store), of, accounts)
            .await?;
        Ok(part)
    }

    /// A part of which Belvo has no row.
    pub(crate) async fn empty_part(&self, days: Days) -> Result<Part, CollectError> {
        Ok(Part {
            is_whole: true,
            ..self.unread_part(days).await?
        })
    }

    /// A part of which only what is stored is known.
    async fn unread_part(&self, days: Days) -> Result<Part, CollectError> {
        let (link, account) = (&self.query.link, self.query.account.as_ref());
        let stored = self.rows.known(link, days, account).await?;
        Ok(Part {
            comparison: Comparison::new(stored),
            ..Part::default()
        })
    }

    /// Reads every page of a part once. Each is stored while the next one is fetched.
    async fn read(
        &mut self,
        part: &mut Part,
        days: Days,
        first: Page,
    ) -> Result<Reading, CollectError> {
        let is_undated = days == Days::UNDATED;
        let undated = is_undated.then(|| self.progress.undated());
        part.read_again(undated.unwrap_or(first.count));
        let mut reading = Reading::of(&first, days);
        let mut page = first;
        loop {
            part.pages += 1;
            if !is_undated {
                reading.is_consistent &= page.count == part.count;
                part.count = part.count.max(page.count);
            }
            let Some(next) = page.next else {
                let is_alone = reading.pages == 1 && page.count == page.rows.len() as u64;
                self.store_last(part, days, page.rows, is_alone).await?;
                break;
            };
            let belvo = self.belvo;
            let (stored, next) =
                tokio::join!(self.store(part, days, page.rows), belvo.next_page(&next));
            stored?;
            if is_undated && part.rows() == part.count {
                break;
            }
            let Some(next) = next?.filter(|next| reading.may_go_on(next)) else {
                reading.is_consistent = false;
                break;
            };
            page = next;
        }
        reading.is_consistent &= part.rows() == part.count;
        Ok(reading)
    }

    /// Stores the last page of a part. If it is the only one, the first page of the next part is
    /// fetched meanwhile.
    async fn store_last(
        &mut self,
        part: &mut Part,
        days: Days,
        rows: SentRows,
        is_alone: bool,
    ) -> Result<(), CollectError> {
        let next = self.progress.part_after_next();
        let next = next.filter(|next| *next != Days::UNDATED || self.progress.undated() > 0);
        let Some(next) = next.filter(|_| is_alone && self.ahead.is_none()) else {
            self.store(part, days, rows).await?;
            if days == Days::UNDATED {
                // All there are, whatever the counts before were.
                part.count = part.rows();
            }
            return Ok(());
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
        page: SentRows,
    ) -> Result<(), CollectError> {
        let (mut rows, unreadable) = self.parse(&mut part.accounts, &page);
        // Its rows have texts of their own; it need not be held while they are stored.
        drop(page);
        if days == Days::UNDATED {
            rows.retain(|row| row.day(self.query.resource) == NO_DATE);
        } else {
            part.left_out.extend(unreadable);
        }
        let refused = self.store_rows(&mut part.comparison, rows).await?;
        part.left_out
            .retain(|row| row.id.as_ref().is_none_or(|id| !refused.contains(id)));
        part.left_out
            .extend(refused.into_iter().map(LeftOut::refused));
        Ok(())
    }

    /// Stores those of these rows that are new or changed. Returns those that DynamoDB does not
    /// take, so that the others are not lost.
    pub(crate) async fn store_rows(
        &mut self,
        comparison: &mut Comparison,
        rows: Vec<Row>,
    ) -> Result<Vec<RowId>, CollectError> {
        let link = &self.query.link;
        let mut unknown = comparison.unknown(&rows);
        if self.progress.is_first_ever() {
            unknown.retain(|id| self.written.contains(&hash(id)));
            self.written.extend(rows.iter().map(|row| hash(row.id())));
        }
        comparison.learn(self.rows.look_up(link, unknown).await?);

        let seen = self.observation();
        let changes = comparison.changes(rows);
        self.accounts
            .write_changed(&self.account_store, link, &seen)
            .await?;
        let written = self.rows.put(link, &changes, &seen).await?;
        comparison.found_unchanged(written.unchanged);
        if self.query.resource.date_field().is_some() {
            comparison.undated += written.undated;
        }
        for id in &written.refused {
            comparison.refused(id, changes.new.iter().any(|new| new.row.id() == id));
            self.log_left_out(Some(id), "DynamoDB does not take it");
        }
        Ok(written.refused)
    }

    /// The rows of a page, and those that cannot be read or have no id (Belvo promises one).
    pub(crate) fn parse(
        &mut self,
        accounts: &mut BTreeSet<AccountId>,
        page: &SentRows,
    ) -> (Vec<Row>, Vec<LeftOut>) {
        let (mut rows, mut left_out) = (Vec::with_capacity(page.len()), Vec::new());
        if let Some(first) = page.texts().next() {
            add_names(first, &mut self.fields);
        }
        for sent in page.iter() {
            match sent.and_then(|sent| self.parse_row(accounts, sent)) {
                Ok(row) => rows.push(row),
                Err(error) => {
                    self.log_left_out(None, &error.to_string());
                    left_out.push(error.into());
                }
            }
        }
        (rows, left_out)
    }

    fn log_left_out(&self, id: Option<&RowId>, cause: &str) {
        tracing::error!(
            event = Event::RowLeftOut.name(),
            link.id = self.query.link.as_str(),
            row.id = id.map(RowId::as_str),
            cause,
            "row left out"
        );
    }

    fn parse_row(
        &mut self,
        accounts: &mut BTreeSet<AccountId>,
        sent: SentRow<'_>,
    ) -> Result<Row, RowError> {
        if !self.query.resource.has_accounts() {
            return Row::whole(sent);
        }
        Row::parse(sent, |account| {
            let id = self.accounts.read(account)?;
            if !accounts.contains(&id) {
                accounts.insert(id.clone());
            }
            Some(id)
        })
    }
}

fn hash(id: &RowId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
