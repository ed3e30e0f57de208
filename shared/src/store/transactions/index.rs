//! The index of a link's rows: items of their own, the leaves, in the same partition. It answers
//! what is stored of some days, and in which order, without reading the rows
//! (docs/decisions/0018).
//!
//! `collect` is the only writer of a link, one message at a time. It writes a row before its entry,
//! so that whatever is listed is stored, and ends a collection only after every entry is written.
//! After an interruption in between, the next collection finds the row by its id and lists it.

use std::collections::HashSet;

use aws_sdk_dynamodb::operation::query::paginator::QueryPaginatorItems;
use domain::{Days, NO_DATE, RowId, parse_date};
use time::Date;

use super::{
    leaf::{Entry, KIND, Leaf, LeafKey, Leaves, State},
    partition::Partition,
    row_item,
    table::{self, Table, put_request},
};
use crate::store::{StoreError, item::Item};

/// How many leaves a listing reads at first, which is enough for a page of usual rows, and then.
const FIRST_READ: i32 = 16;
const LATER_READ: i32 = 200;
const FIRST_DATE: &str = "0000-00-01";
const LAST_DATE: &str = "9999-12-31";
const AFTER_ALL_DATES: &str = "9999-12-32";

/// The index of one partition.
pub(super) struct Index<'a> {
    table: &'a Table,
    partition: &'a Partition,
}

impl<'a> Index<'a> {
    pub(super) fn new(table: &'a Table, partition: &'a Partition) -> Self {
        Self { table, partition }
    }

    /// The entries of some days, one of each row, those of moved rows left out.
    pub(super) async fn entries(&self, days: Days) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        self.for_each(days, |entry| entries.push(entry)).await?;
        self.settle(&mut entries).await?;
        Ok(entries)
    }

    /// Calls a function with each entry of some days, those of moved rows left out. A row may have
    /// two, if its move was interrupted.
    pub(super) async fn for_each(
        &self,
        days: Days,
        mut visit: impl FnMut(Entry),
    ) -> Result<(), StoreError> {
        let [first, last] = ends(days);
        let mut visit_all = |leaf: Leaf| {
            let is_of_days = |entry: &Entry| *first <= *entry.day && *entry.day <= *last;
            let entries = leaf.entries.into_iter();
            entries
                .filter(|entry| entry.state != State::Moved && is_of_days(entry))
                .for_each(&mut visit);
        };

        let week = LeafKey::of_week(&first);
        if week.as_str() < first.as_str() {
            self.leaf(&week).await?.into_iter().for_each(&mut visit_all);
        }
        let mut items = self.items_between(&first, &last).send();
        while let Some(item) = items.next().await {
            visit_all(leaf(&item?)?);
        }
        Ok(())
    }

    /// Leaves one entry of each row. There are two while it moves, or if its move was interrupted;
    /// the row says which one counts. Writes nothing, because links that share an account read
    /// each other's entries.
    async fn settle(&self, entries: &mut Vec<Entry>) -> Result<(), StoreError> {
        let mut seen = HashSet::with_capacity(entries.len());
        let twice = entries
            .iter()
            .map(|entry| &entry.id)
            .filter(|id| !seen.insert(*id));
        let twice: HashSet<_> = twice.cloned().collect();
        if twice.is_empty() {
            return Ok(());
        }

        let stored = self.stored(&twice).await?;
        entries.retain(|entry| !twice.contains(&entry.id));
        // What was interrupted is compared again, and then recorded.
        entries.extend(stored);
        Ok(())
    }

    /// The entries that the items of these rows give.
    pub(super) async fn stored(
        &self,
        ids: impl IntoIterator<Item = &RowId>,
    ) -> Result<Vec<Entry>, StoreError> {
        let keys = ids
            .into_iter()
            .map(|id| self.partition.row_key(id.as_str()));
        let items = self.table.read_all(keys.collect()).await?;
        let entries = items
            .iter()
            .map(|item| row_item::entry(item, self.partition.resource));
        let entries: Option<Vec<_>> = entries.collect();
        entries.ok_or(StoreError::Corrupt(table::NAME))
    }

    /// The newest day of which there are rows, deleted ones included.
    pub(super) async fn newest_day(&self) -> Result<Option<String>, StoreError> {
        let mut descent = self.descend(None, None);
        while !descent.is_at_end {
            let entries = descent.read().await?.into_iter();
            let days = entries
                .filter(|entry| entry.state != State::Moved)
                .map(|entry| entry.day);
            if let Some(newest) = days.max() {
                return Ok(Some(newest));
            }
        }
        Ok(None)
    }

    /// Reads the entries of all days from `first` to `last`, where given, the latest days first.
    /// The first week may bring earlier days, too.
    pub(super) fn descend(&self, first: Option<&str>, last: Option<&str>) -> Descent<'_> {
        let (first, last) = (first.unwrap_or(NO_DATE), last.unwrap_or(LAST_DATE));
        Descent {
            index: self,
            first: first.to_owned(),
            last: last.to_owned(),
            next: None,
            reads: 0,
            weeks: HashSet::new(),
            last_leaf: None,
            pending: Vec::new(),
            whole_since: None,
            // DynamoDB takes no range that ends before it begins.
            is_at_end: last < first,
        }
    }

    /// The leaves of the weeks from the first to the last of some days, to be changed.
    pub(super) async fn leaves_of(&self, days: Vec<String>) -> Result<Leaves, StoreError> {
        let (Some(first), Some(last)) = (days.iter().min(), days.iter().max()) else {
            return Ok(Leaves::default());
        };
        let leaves = self.between(LeafKey::of_week(first).as_str(), last).await?;
        Ok(Leaves::of(leaves))
    }

    /// Writes the leaves that have changed.
    pub(super) async fn write(&self, leaves: &mut Leaves) -> Result<(), StoreError> {
        let mut puts = Vec::new();
        for leaf in leaves.take_changed() {
            let mut item = leaf.attributes().ok_or(StoreError::Corrupt(table::NAME))?;
            item.extend(self.key(&leaf.key));
            puts.push(put_request(item));
        }
        self.table.write_all(puts.into_iter()).await
    }

    fn key(&self, leaf: &LeafKey) -> Item {
        self.partition.key(format!("{KIND}{}", leaf.as_str()))
    }

    async fn leaf(&self, key: &LeafKey) -> Result<Option<Leaf>, StoreError> {
        let item = self.table.get(self.key(key)).await?;
        item.map(|item| leaf(&item)).transpose()
    }

    /// The leaves whose keys lie between two days.
    async fn between(&self, first: &str, last: &str) -> Result<Vec<Leaf>, StoreError> {
        let mut items = self.items_between(first, last).send();
        let mut leaves = Vec::new();
        while let Some(item) = items.next().await {
            leaves.push(leaf(&item?)?);
        }
        Ok(leaves)
    }

    fn items_between(&self, first: &str, last: &str) -> QueryPaginatorItems {
        let query = self
            .table
            .items_between(self.partition, &from(first), &to(last));
        query.into_paginator().items()
    }
}

/// Entries by descending days. The first leaf of a week has rows of all its days and sorts before
/// its other leaves, so where a read ends within a week, it is read by its key.
pub(super) struct Descent<'a> {
    index: &'a Index<'a>,
    first: String,
    last: String,
    next: Option<Item>,
    reads: usize,
    /// The weeks whose first leaf has been read.
    weeks: HashSet<LeafKey>,
    last_leaf: Option<LeafKey>,
    /// Entries of days that have not been read as a whole.
    pending: Vec<Entry>,
    /// The earliest day that has been read as a whole, as have all later ones.
    whole_since: Option<String>,
    is_at_end: bool,
}

impl Descent<'_> {
    /// Whether a caller who wants to read `times` times should read on. The first day is always
    /// read as a whole, so that every listing comes to an end.
    pub(super) fn may_read(&self, times: usize) -> bool {
        !self.is_at_end && (self.reads < times || !self.has_advanced())
    }

    /// Reads more leaves, and returns the entries of those days that are now read as a whole.
    pub(super) async fn read(&mut self) -> Result<Vec<Entry>, StoreError> {
        let (first, last) = (from(LeafKey::of_week(&self.first).as_str()), to(&self.last));
        let query = self
            .index
            .table
            .items_between(self.index.partition, &first, &last);
        let answer = query
            .scan_index_forward(false)
            .limit(if self.reads == 0 {
                FIRST_READ
            } else {
                LATER_READ
            })
            .set_exclusive_start_key(self.next.take())
            .send()
            .await?;
        self.reads += 1;
        for item in answer.items.unwrap_or_default() {
            self.take(leaf(&item)?);
        }
        self.complete_week().await?;
        self.next = answer.last_evaluated_key;
        self.is_at_end = self.next.is_none();

        let pending = std::mem::take(&mut self.pending);
        let (whole, pending) = pending
            .into_iter()
            .partition(|entry| self.is_whole(&entry.day));
        self.pending = pending;
        Ok(whole)
    }

    /// The day before which nothing has been read as a whole; none if everything has.
    pub(super) fn rest(&self) -> Option<String> {
        let day = self.whole_since.clone();
        day.filter(|day| !self.is_at_end && *day > self.first)
    }

    fn has_advanced(&self) -> bool {
        self.whole_since
            .as_ref()
            .is_some_and(|day| *day <= self.last)
    }

    fn is_whole(&self, day: &str) -> bool {
        self.is_at_end
            || self
                .whole_since
                .as_deref()
                .is_some_and(|first| first <= day)
    }

    fn take(&mut self, leaf: Leaf) {
        let is_of_week = leaf.key.is_of_week();
        self.whole_since = Some(match leaf.key.day() {
            monday if is_of_week => monday.to_owned(),
            // More leaves of this day may follow.
            day => day_after(day),
        });
        if is_of_week && !self.weeks.insert(leaf.key.clone()) {
            return;
        }
        self.last_leaf = Some(leaf.key);
        self.pending.extend(leaf.entries);
    }

    /// Reads the first leaf of the week in which the latest read ended.
    async fn complete_week(&mut self) -> Result<(), StoreError> {
        let last = self.last_leaf.as_ref();
        let Some(week) = last.map(|leaf| LeafKey::of_week(leaf.day())) else {
            return Ok(());
        };
        if self.weeks.insert(week.clone()) {
            let first = self.index.leaf(&week).await?;
            self.pending
                .extend(first.into_iter().flat_map(|leaf| leaf.entries));
        }
        Ok(())
    }
}

/// The day before a date; that of rows without one for the first date.
pub(super) fn day_before(day: &str) -> String {
    let previous = parse_date(day).and_then(Date::previous_day);
    previous.map_or_else(|| NO_DATE.to_owned(), |day| day.to_string())
}

fn day_after(day: &str) -> String {
    let next = parse_date(day).and_then(Date::next_day);
    match (next, day) {
        (Some(next), _) => next.to_string(),
        (None, NO_DATE) => FIRST_DATE.to_owned(),
        (None, _) => AFTER_ALL_DATES.to_owned(),
    }
}

/// The first and the last day of a span. Belvo's date filters leave out rows without a date, and so
/// does a bounded span here.
pub(super) fn ends(days: Days) -> [String; 2] {
    let open = if days == Days::ALL {
        NO_DATE
    } else {
        FIRST_DATE
    };
    let first = days.first().unwrap_or_else(|| open.to_owned());
    let last = days.last().unwrap_or_else(|| LAST_DATE.to_owned());
    [first, last]
}

fn leaf(item: &Item) -> Result<Leaf, StoreError> {
    Leaf::of_item(item).ok_or(StoreError::Corrupt(table::NAME))
}

/// The first key of a day or week.
fn from(day: &str) -> String {
    format!("{KIND}{day}")
}

/// A key after all those of a day: `$` follows `#`.
fn to(day: &str) -> String {
    format!("{KIND}{day}$")
}
