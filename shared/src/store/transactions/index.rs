//! The index of a link's rows: items of their own, the leaves, in the same partition. It answers
//! what is stored of some days, and in which order, without reading the rows
//! (docs/decisions/0018).
//!
//! `collect` is the only writer of a link, one message at a time. It writes a row before its entry,
//! so that whatever is listed is stored, and ends a collection only after every entry is written.
//! What an interruption in between has left, the next collection enters before it begins.

use std::collections::HashSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::{Days, NO_DATE, RowId};

use super::{
    leaf::{Entry, KIND, Leaf, LeafKey, Leaves, State},
    leaf_item::{leaf, leaf_attributes},
    partition::Partition,
    row_item,
    table::{self, Table},
    write_request::WriteRequest,
};
use crate::store::{StoreError, item::Item};

pub(super) const FIRST_DATE: &str = "0000-00-01";
pub(super) const LAST_DATE: &str = "9999-12-31";

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
        let mut items = self.query(&first, &last).into_paginator().items().send();
        while let Some(item) = items.next().await {
            visit_all(stored_leaf(&item?)?);
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
            let mut item = leaf_attributes(&leaf).ok_or(StoreError::Corrupt(table::NAME))?;
            item.extend(self.key(&leaf.key));
            puts.push(WriteRequest::put(&item)?);
        }
        let partition = self.partition.as_str();
        self.table.write_all(partition, puts.into_iter()).await
    }

    fn key(&self, leaf: &LeafKey) -> Item {
        self.partition.key(format!("{KIND}{}", leaf.as_str()))
    }

    pub(super) async fn leaf(&self, key: &LeafKey) -> Result<Option<Leaf>, StoreError> {
        let item = self.table.get(self.key(key)).await?;
        item.map(|item| stored_leaf(&item)).transpose()
    }

    /// A query of the leaves whose keys lie between two days.
    pub(super) fn query(&self, first: &str, last: &str) -> QueryFluentBuilder {
        let (first, last) = (format!("{KIND}{first}"), format!("{KIND}{last}$"));
        // `$` follows `#`, and so comes after all keys of a day.
        self.table.items_between(self.partition, &first, &last)
    }

    /// The leaves whose keys lie between two days.
    async fn between(&self, first: &str, last: &str) -> Result<Vec<Leaf>, StoreError> {
        let mut items = self.query(first, last).into_paginator().items().send();
        let mut leaves = Vec::new();
        while let Some(item) = items.next().await {
            leaves.push(stored_leaf(&item?)?);
        }
        Ok(leaves)
    }
}

/// The first and the last day of a span. Belvo's date filters leave out rows without a date, and so
/// does a bounded span here.
pub(super) fn ends(days: Days) -> [String; 2] {
    if days == Days::UNDATED {
        return [NO_DATE, NO_DATE].map(str::to_owned);
    }
    let open = if days == Days::ALL {
        NO_DATE
    } else {
        FIRST_DATE
    };
    let first = days.first().unwrap_or_else(|| open.to_owned());
    let last = days.last().unwrap_or_else(|| LAST_DATE.to_owned());
    [first, last]
}

pub(super) fn stored_leaf(item: &Item) -> Result<Leaf, StoreError> {
    leaf(item).ok_or(StoreError::Corrupt(table::NAME))
}
