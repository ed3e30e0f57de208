//! Reads the index from the newest day backwards, for listings.

use std::collections::HashSet;

use domain::{NO_DATE, parse_date};
use time::Date;

use super::{
    index::{FIRST_DATE, Index, LAST_DATE, stored_leaf},
    leaf::{Entry, Leaf, LeafKey, State},
};
use crate::store::{StoreError, item::Item};

/// How many leaves a listing reads at first, which is enough for a page of usual rows, and then.
const FIRST_READ: i32 = 16;
const LATER_READ: i32 = 200;
const AFTER_ALL_DATES: &str = "9999-12-32";

impl Index<'_> {
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
        let week = LeafKey::of_week(&self.first);
        let query = self.index.query(week.as_str(), &self.last);
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
            self.take(stored_leaf(&item)?);
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
