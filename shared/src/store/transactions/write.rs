//! Writes rows, their earlier versions, and tombstones.

use std::collections::HashMap;

use domain::{
    Change, ChangeKind, Changes, Days, Difference, DigestedRow, LinkId, NO_DATE, Observation,
    RequestId, Row, RowId,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    change_log::{ChangeLog, LogEntry},
    document::{DocumentItem, OBSERVED, observed},
    index::{Index, ends},
    leaf::{Entry, Leaves, State},
    partition::Partition,
    row_item::{entry, row, row_item, version_item},
    rows::Rows,
    table,
    write_request::WriteRequest,
};
use crate::store::{
    StoreError,
    error::was_written,
    item::{Item, text},
};

/// Tombstones written concurrently.
const TOMBSTONES_AT_ONCE: usize = 8;

/// What became of rows that were to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many were stored as they are.
    pub unchanged: u64,
    /// How many were written under no day.
    pub undated: u64,
    /// Those that DynamoDB does not take. What was stored of them before stays.
    pub refused: Vec<RowId>,
}

impl Rows {
    /// Writes rows, keeps the earlier versions of the changed ones, and lists all of them. `Ok`
    /// means that everything is written but what DynamoDB does not take. Safe to repeat: an earlier
    /// version is stored under its own time, so it is stored once.
    pub async fn put(
        &self,
        link: &LinkId,
        changes: &Changes,
        seen: &Observation,
    ) -> Result<Written, StoreError> {
        if changes.is_empty() {
            return Ok(Written::default());
        }
        let (partition, log) = (self.partition(link), ChangeLog::of(&self.table, link));
        let replaced = self.replaced(&partition, &changes.changed).await?;
        let begun = log.begin(&self.logged(changes, &replaced), seen.at).await?;
        let written = Box::pin(self.put_all(&partition, changes, &replaced, seen)).await?;
        log.end(begun).await?;
        Ok(written)
    }

    /// Writes and lists rows whose entry in the change log is written.
    async fn put_all(
        &self,
        partition: &Partition,
        changes: &Changes,
        replaced: &Replaced,
        seen: &Observation,
    ) -> Result<Written, StoreError> {
        let index = Index::new(&self.table, partition);
        let (mut entries, puts) = replaced.puts(partition, changes, seen)?;
        let unchanged = entries.len() - puts.len();
        let mut leaves = replaced.leaves(&index, &entries).await?;

        // Versions first: a failure in between leaves one version too many, which the retry writes
        // again, and never one too few. The index last: what it lists is stored.
        for entry in replaced.pending(&entries) {
            leaves.announce(entry);
        }
        index.write(&mut leaves).await?;
        self.keep_versions(partition, replaced, seen).await?;
        let puts = puts.into_iter().map(|(_, put)| put);
        let written = self.table.write_all(partition.as_str(), puts);
        let refused = match written.await {
            Err(StoreError::Invalid(..)) => {
                Box::pin(self.put_each(partition, changes, replaced, seen)).await?
            }
            written => written.map(|()| Vec::new())?,
        };
        entries.retain(|entry| !refused.contains(&entry.id));
        let undated = entries.iter().filter(|entry| entry.day == NO_DATE).count();
        for entry in entries {
            leaves.record(entry);
        }
        index.write(&mut leaves).await?;
        Ok(Written {
            unchanged: unchanged as u64,
            undated: undated as u64,
            refused,
        })
    }

    /// The entry of the change log for rows that are about to be written.
    fn logged(&self, changes: &Changes, replaced: &Replaced) -> LogEntry {
        let resource = self.resource;
        let change = |id: &RowId, kind| Change {
            resource,
            id: id.clone(),
            kind,
        };
        let rows = changes.rows().map(|known| known.row.id());
        LogEntry::of(rows.map(|id| change(id, replaced.kind(id))).collect())
    }

    /// The same for rows that are about to be marked as deleted.
    fn logged_removal(&self, gone: &[Entry]) -> LogEntry {
        let removed = gone.iter().map(|entry| Change {
            resource: self.resource,
            id: entry.id.clone(),
            kind: ChangeKind::Removed,
        });
        LogEntry::of(removed.collect())
    }

    /// Writes rows one by one, and returns those that DynamoDB does not take.
    async fn put_each(
        &self,
        partition: &Partition,
        changes: &Changes,
        replaced: &Replaced,
        seen: &Observation,
    ) -> Result<Vec<RowId>, StoreError> {
        let (_, puts) = replaced.puts(partition, changes, seen)?;
        let puts = puts.into_iter();
        self.table.write_each(partition.as_str(), puts).await
    }

    /// Marks rows of some days that Belvo does not have, and returns how many. They stay stored,
    /// and are restored if Belvo returns them again. A row that is stored under any other day stays
    /// as it is. Safe to repeat: the first time is kept.
    pub async fn tombstone(
        &self,
        link: &LinkId,
        days: Days,
        ids: &[RowId],
        seen: &Observation,
    ) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let partition = self.partition(link);
        let index = Index::new(&self.table, &partition);
        let stored = index.stored(ids).await?;
        let mut searched: Vec<_> = stored.iter().map(|entry| entry.day.clone()).collect();
        let is_gone = |entry: &Entry| days.hold(&entry.day);
        let (gone, moved): (Vec<_>, Vec<_>) = stored.into_iter().partition(is_gone);
        if !moved.is_empty() {
            // They may still be listed under any of the days.
            searched.extend(ends(days));
        }
        let mut leaves = index.leaves_of(searched).await?;

        let (log, marked) = (ChangeLog::of(&self.table, link), gone.len() as u64);
        let begun = log.begin(&self.logged_removal(&gone), seen.at).await?;
        for entry in &gone {
            leaves.announce(entry.clone());
        }
        index.write(&mut leaves).await?;
        self.mark_deleted(link, &gone, seen).await?;
        for entry in gone {
            let state = State::Deleted;
            leaves.record(Entry { state, ..entry });
        }
        for entry in moved {
            leaves.record(entry);
        }
        index.write(&mut leaves).await?;
        log.end(begun).await?;
        Ok(marked)
    }

    /// Records that Belvo no longer lists rows of some days. They are shown as before, and neither
    /// compared nor counted until Belvo lists them again.
    pub async fn unlist(&self, link: &LinkId, days: Days, ids: &[RowId]) -> Result<(), StoreError> {
        let partition = self.partition(link);
        let index = Index::new(&self.table, &partition);
        let mut stored = index.stored(ids).await?;
        stored.retain(|entry| days.hold(&entry.day));
        let days = stored.iter().map(|entry| entry.day.clone()).collect();
        let mut leaves = index.leaves_of(days).await?;
        for entry in stored {
            let state = State::Unlisted;
            leaves.announce(Entry { state, ..entry });
        }
        index.write(&mut leaves).await
    }

    /// Enters those of these rows into the index that are stored and not listed. Whatever Belvo
    /// returns differs from what is then known of them.
    pub(super) async fn enter_stored(
        &self,
        link: &LinkId,
        ids: &[RowId],
    ) -> Result<(), StoreError> {
        let partition = self.partition(link);
        let index = Index::new(&self.table, &partition);
        let stored = index.stored(ids).await?;
        let days = stored.iter().map(|entry| entry.day.clone()).collect();
        let mut leaves = index.leaves_of(days).await?;
        for entry in stored {
            if !leaves.know(&entry) {
                leaves.announce(entry);
            }
        }
        index.write(&mut leaves).await
    }

    /// The stored versions of rows that are about to be replaced.
    async fn replaced(
        &self,
        partition: &Partition,
        changed: &[DigestedRow],
    ) -> Result<Replaced, StoreError> {
        let ids = changed.iter().map(|change| change.row.id().as_str());
        let keys = ids.map(|id| partition.row_key(id)).collect();
        let items = self.table.read_all(keys).await?;
        let changed: HashMap<_, _> = changed
            .iter()
            .map(|change| (change.row.id(), change))
            .collect();
        let mut replaced = HashMap::with_capacity(items.len());
        for item in items {
            let entry = entry(&item, self.resource).ok_or(StoreError::Corrupt(table::NAME))?;
            let change = changed
                .get(&entry.id)
                .ok_or(StoreError::Corrupt(table::NAME))?;
            let stored = row(item.clone()).ok_or(StoreError::Corrupt(table::NAME))?;
            let fate = Fate::of(&entry, &stored, change);
            replaced.insert(entry.id.clone(), Stored { item, entry, fate });
        }
        Ok(Replaced(replaced))
    }

    async fn keep_versions(
        &self,
        partition: &Partition,
        replaced: &Replaced,
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let versions = replaced.versions().map(|item| {
            let version = version_item(item.clone(), seen.at);
            WriteRequest::put(&version.ok_or(StoreError::Corrupt(table::NAME))?)
        });
        let versions = versions.collect::<Result<Vec<_>, _>>()?;
        let versions = versions.into_iter();
        self.table.write_all(partition.as_str(), versions).await
    }

    async fn mark_deleted(
        &self,
        link: &LinkId,
        gone: &[Entry],
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let tombstones = gone
            .iter()
            .map(|entry| self.tombstone_one(link, &entry.id, seen));
        stream::iter(tombstones)
            .buffer_unordered(TOMBSTONES_AT_ONCE)
            .try_collect()
            .await
    }

    async fn tombstone_one(
        &self,
        link: &LinkId,
        id: &RowId,
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let by = seen.request.as_ref().map_or("none", RequestId::as_str);
        let outcome = self
            .table
            .update(self.partition(link).row_key(id.as_str()))
            .update_expression("SET #at = if_not_exists(#at, :at), #by = if_not_exists(#by, :by)")
            // A tombstone belongs to a row; without one, this would create an item.
            .condition_expression("attribute_exists(#item)")
            .expression_attribute_names("#at", "_deleted_at")
            .expression_attribute_names("#by", "_deleted_by")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(":at", text(seen.at.to_string()))
            .expression_attribute_values(":by", text(by))
            .send()
            .await;
        was_written(outcome).map(|_| ())
    }
}

/// Requests to put rows, with their ids.
type Puts = Vec<(RowId, WriteRequest)>;

/// The rows that are about to be replaced, by id.
struct Replaced(HashMap<RowId, Stored>);

/// A row that is about to be replaced.
struct Stored {
    item: Item,
    /// The entry that the item gives, to which no fetched row is equal.
    entry: Entry,
    fate: Fate,
}

/// What becomes of a stored item when its row is fetched with another digest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is kept as an earlier version.
    Version,
    /// It is written anew as the same version: Belvo has read the row again.
    Refreshed,
    /// It stays: the row differs in no value, or its writing was interrupted before it was listed.
    Stays,
}

impl Fate {
    fn of(entry: &Entry, stored: &Row, change: &DigestedRow) -> Self {
        if entry.state == State::Deleted {
            return Self::Version;
        }
        match change.row.difference_to(stored) {
            Difference::None => Self::Stays,
            Difference::CollectedAt => Self::Refreshed,
            Difference::Values => Self::Version,
        }
    }
}

impl Stored {
    /// The item that replaces this one, if one does, with what it takes over: the mark that the row
    /// is a duplicate, and where it is the same version, since when and by which retrieval it is
    /// known.
    fn next<'a>(&self, mut item: DocumentItem<'a>) -> Option<DocumentItem<'a>> {
        let mut kept = vec!["_same_as"];
        if self.fate == Fate::Stays {
            return None;
        }
        if self.fate == Fate::Refreshed {
            kept.extend(OBSERVED);
            item.ours.retain(|(name, _)| !OBSERVED.contains(name));
        }
        for name in kept {
            let value = self.item.get(name).cloned();
            item.ours.extend(value.map(|value| (name, value)));
        }
        Some(item)
    }
}

impl Replaced {
    /// What becomes of a row when it is written.
    fn kind(&self, id: &RowId) -> ChangeKind {
        match self.0.get(id) {
            None => ChangeKind::Added,
            Some(stored) if stored.entry.state == State::Deleted => ChangeKind::Returned,
            Some(_) => ChangeKind::Modified,
        }
    }

    fn versions(&self) -> impl Iterator<Item = &Item> {
        let replaced = self.0.values();
        replaced.filter_map(|stored| (stored.fate == Fate::Version).then_some(&stored.item))
    }

    /// The entries of rows, and requests to put those that are not stored as they are.
    fn puts(
        &self,
        partition: &Partition,
        changes: &Changes,
        seen: &Observation,
    ) -> Result<(Vec<Entry>, Puts), StoreError> {
        let observed = observed(seen);
        let (mut entries, mut puts) = (Vec::new(), Vec::new());
        for row in changes.rows() {
            let (item, entry) = row_item(partition, row, &observed);
            if let Some(item) = self.next(&entry.id, item) {
                puts.push((entry.id.clone(), WriteRequest::put_document(item)?));
            }
            entries.push(entry);
        }
        Ok((entries, puts))
    }

    /// The item to write of a row; none if it is stored as it is.
    fn next<'a>(&self, id: &RowId, item: DocumentItem<'a>) -> Option<DocumentItem<'a>> {
        match self.0.get(id) {
            Some(stored) => stored.next(item),
            None => Some(item),
        }
    }

    /// The entries of rows that are about to be replaced, under the days that they have and under
    /// those that they will have.
    fn pending(&self, entries: &[Entry]) -> Vec<Entry> {
        let mut pending = Vec::new();
        for wanted in entries {
            let stored = self.0.get(&wanted.id);
            let Some(stored) = stored.filter(|stored| stored.fate != Fate::Stays) else {
                continue;
            };
            let stored = Entry {
                state: State::Live,
                ..stored.entry.clone()
            };
            if stored.day != wanted.day {
                pending.push(Entry {
                    day: wanted.day.clone(),
                    ..stored.clone()
                });
            }
            pending.push(stored);
        }
        pending
    }

    /// The leaves that list the rows, or will. A row that is stored as it was fetched, and is not
    /// listed so, was interrupted when it was written: it may be listed under any day.
    async fn leaves(&self, index: &Index<'_>, entries: &[Entry]) -> Result<Leaves, StoreError> {
        let leaves = index.leaves_of(self.days(entries)).await?;
        let is_unlisted = |entry: &Entry| {
            let stored = self.0.get(&entry.id);
            stored.is_some_and(|stored| stored.fate == Fate::Stays) && !leaves.know(entry)
        };
        if entries.iter().any(is_unlisted) {
            return index.leaves_of(ends(Days::ALL).into()).await;
        }
        Ok(leaves)
    }

    /// The days under which rows are stored or will be.
    fn days(&self, entries: &[Entry]) -> Vec<String> {
        let stored = self.0.values().map(|stored| &stored.entry);
        let entries = entries.iter().chain(stored);
        entries.map(|entry| entry.day.clone()).collect()
    }
}
