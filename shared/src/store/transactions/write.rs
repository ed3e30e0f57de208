//! Writes rows, their earlier versions, and tombstones.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Changes, Days, DigestedRow, KnownVersion, LinkId, Observation, RequestId, Resource, RowId,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    index::{Index, ends},
    leaf::{Entry, State},
    partition::Partition,
    row_item::{entry, known_row, row_item, version_item},
    rows::Rows,
    table::{self, put_request},
};
use crate::store::{
    StoreError,
    error::was_written,
    item::{Item, text},
};

/// Tombstones written concurrently.
const TOMBSTONES_AT_ONCE: usize = 8;

impl Rows {
    /// Writes rows, keeps the earlier versions of the changed ones, and lists all of them. `Ok`
    /// means that everything is written. Safe to repeat: an earlier version is stored under its own
    /// time, so it is stored once.
    pub async fn put(
        &self,
        link: &LinkId,
        changes: Changes,
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let partition = self.partition(link);
        let entries = self.entries(&changes);
        // Versions first: a failure in between leaves one version too many, which the retry writes
        // again, and never one too few. The index last: what it lists is stored.
        let replaced = self.replaced(&partition, &changes.changed).await?;
        let index = Index::new(&self.table, &partition);
        index
            .announce(replaced.moves(&entries, self.resource))
            .await?;
        self.keep_versions(&replaced, &changes.changed, seen)
            .await?;

        let rows = changes.new.into_iter().chain(changes.changed);
        let to_write = rows.filter(|change| replaced.differ_from(change));
        let puts = to_write.map(|change| {
            let mark = replaced.mark(change.row.id());
            let mut item = row_item(&partition, change, seen);
            item.extend(mark.map(|mark| ("_same_as".to_owned(), mark)));
            put_request(item)
        });
        self.table.write_all(puts).await?;

        index.record(entries, replaced.days(self.resource)).await
    }

    /// Marks rows that Belvo no longer returns for some days. They stay stored, and are restored if
    /// Belvo returns them again. A row that is stored under any other day stays as it is. Safe to
    /// repeat: the first time is kept.
    pub async fn tombstone(
        &self,
        link: &LinkId,
        days: Days,
        ids: &[RowId],
        seen: &Observation,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let partition = self.partition(link);
        let keys = ids
            .iter()
            .map(|id| partition.row_key(id.as_str()))
            .collect();
        let items = self.table.read_all(keys).await?;
        let entries = items.iter().map(|item| entry(item, self.resource));
        let mut entries = entries
            .collect::<Option<Vec<_>>>()
            .ok_or(StoreError::Corrupt(table::NAME))?;

        let gone = |entry: &&mut Entry| days.hold(&entry.day);
        let tombstones = entries.iter_mut().filter(gone).map(async |entry| {
            entry.state = State::Deleted;
            self.tombstone_one(link, &entry.id, seen).await
        });
        stream::iter(tombstones)
            .buffer_unordered(TOMBSTONES_AT_ONCE)
            .try_collect::<()>()
            .await?;

        // A row that moved may still be listed under any of the days.
        let has_moved = entries.iter().any(|entry| !days.hold(&entry.day));
        let searched = has_moved.then(|| ends(days)).into_iter().flatten();
        let index = Index::new(&self.table, &partition);
        index.record(entries, searched).await
    }

    /// The entries of rows that are about to be written, each id once.
    fn entries(&self, changes: &Changes) -> Vec<Entry> {
        let rows = [&changes.new, &changes.changed, &changes.unlisted];
        let rows = rows.into_iter().flatten();
        rows.map(|change| Entry::of_row(&change.row, change.digest, self.resource))
            .collect()
    }

    /// The stored versions of rows that are about to be replaced.
    async fn replaced(
        &self,
        partition: &Partition,
        changed: &[DigestedRow],
    ) -> Result<Replaced, StoreError> {
        let ids = changed.iter().map(|change| change.row.id().as_str());
        let keys = ids.map(|id| partition.row_key(id)).collect();
        let mut replaced = Replaced(HashMap::new());
        for item in self.table.read_all(keys).await? {
            let (id, known) = known_row(&item).ok_or(StoreError::Corrupt(table::NAME))?;
            replaced.0.insert(id, (item, known));
        }
        Ok(replaced)
    }

    async fn keep_versions(
        &self,
        replaced: &Replaced,
        changed: &[DigestedRow],
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let versions = changed.iter().filter_map(|change| replaced.version(change));
        let versions = versions.map(|item| {
            let version = version_item(item.clone(), seen.at);
            version
                .map(put_request)
                .ok_or(StoreError::Corrupt(table::NAME))
        });
        let versions = versions.collect::<Result<Vec<_>, _>>()?;
        self.table.write_all(versions.into_iter()).await
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

/// The stored versions of rows, by id.
struct Replaced(HashMap<RowId, (Item, KnownVersion)>);

impl Replaced {
    /// The version that a row replaces; none if it is the same one, whose writing was interrupted
    /// before it was listed.
    fn version(&self, change: &DigestedRow) -> Option<&Item> {
        let (item, known) = self.0.get(change.row.id())?;
        (known.deleted || known.digest != change.digest).then_some(item)
    }

    /// Whether a row has to be written.
    fn differ_from(&self, change: &DigestedRow) -> bool {
        !self.0.contains_key(change.row.id()) || self.version(change).is_some()
    }

    /// The mark that the row is a duplicate, which stays.
    fn mark(&self, id: &RowId) -> Option<AttributeValue> {
        self.0.get(id)?.0.get("_same_as").cloned()
    }

    /// The entries of rows that are stored under another day, for the day that they move to. They
    /// have the digest of what is stored, so that an interruption leaves the row to be written.
    fn moves(&self, entries: &[Entry], resource: Resource) -> Vec<Entry> {
        let moved = entries.iter().filter_map(|wanted| {
            let stored = entry(&self.0.get(&wanted.id)?.0, resource)?;
            (stored.day != wanted.day).then(|| Entry {
                day: wanted.day.clone(),
                ..stored
            })
        });
        moved.collect()
    }

    /// The days under which the rows are stored.
    fn days(&self, resource: Resource) -> impl Iterator<Item = String> {
        let items = self.0.values();
        items.filter_map(move |(item, _)| Some(entry(item, resource)?.day))
    }
}
