//! Writes rows, their earlier versions, and tombstones.

use std::collections::HashMap;

use domain::{
    Changes, Days, Difference, DigestedRow, KnownVersion, LinkId, Observation, RequestId, Resource,
    Row, RowId,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    document::OBSERVED,
    index::{Index, ends},
    leaf::{Entry, State},
    partition::Partition,
    row_item::{entry, known_row, row, row_item, version_item},
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
            .announce(replaced.pending(&entries, self.resource))
            .await?;
        self.keep_versions(&replaced, seen).await?;

        let rows = changes.new.into_iter().chain(changes.changed);
        let to_write = rows.filter(|change| replaced.is_to_write(change.row.id()));
        let puts = to_write.map(|change| {
            let replaced = replaced.0.get(change.row.id());
            let item = row_item(&partition, change, seen);
            put_request(match replaced {
                Some((replaced, fate)) => fate.keep(replaced, item),
                None => item,
            })
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
        let mut entries = self.stored_entries(&partition, ids).await?;
        let index = Index::new(&self.table, &partition);
        let to_mark = entries.iter().filter(|entry| days.hold(&entry.day));
        let pending = to_mark.cloned().map(Entry::pending).collect();
        index.announce(pending).await?;

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
        index.record(entries, searched).await
    }

    /// The entries that the items of these rows give.
    async fn stored_entries(
        &self,
        partition: &Partition,
        ids: &[RowId],
    ) -> Result<Vec<Entry>, StoreError> {
        let keys = ids.iter().map(|id| partition.row_key(id.as_str()));
        let items = self.table.read_all(keys.collect()).await?;
        let entries = items.iter().map(|item| entry(item, self.resource));
        let entries: Option<Vec<_>> = entries.collect();
        entries.ok_or(StoreError::Corrupt(table::NAME))
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
        let items = self.table.read_all(keys).await?;
        let changed: HashMap<_, _> = changed
            .iter()
            .map(|change| (change.row.id(), change))
            .collect();
        let mut replaced = HashMap::with_capacity(items.len());
        for item in items {
            let (id, known) = known_row(&item).ok_or(StoreError::Corrupt(table::NAME))?;
            let change = changed.get(&id).ok_or(StoreError::Corrupt(table::NAME))?;
            let stored = row(item.clone()).ok_or(StoreError::Corrupt(table::NAME))?;
            let fate = Fate::of(&known, &stored, change);
            replaced.insert(id, (item, fate));
        }
        Ok(Replaced(replaced))
    }

    async fn keep_versions(
        &self,
        replaced: &Replaced,
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let versions = replaced.versions().map(|item| {
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

/// The items of rows that are about to be replaced, by row id.
struct Replaced(HashMap<RowId, (Item, Fate)>);

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
    fn of(known: &KnownVersion, stored: &Row, change: &DigestedRow) -> Self {
        if known.deleted {
            return Self::Version;
        }
        match change.row.difference_to(stored) {
            Difference::None => Self::Stays,
            Difference::CollectedAt => Self::Refreshed,
            Difference::Values => Self::Version,
        }
    }

    /// The item that replaces another one, with what it takes over: the mark that the row is a
    /// duplicate, and where it is the same version, since when and by which retrieval it is known.
    fn keep(self, replaced: &Item, mut item: Item) -> Item {
        let mut kept = vec!["_same_as"];
        if self == Self::Refreshed {
            kept.extend(OBSERVED);
            item.retain(|name, _| !OBSERVED.contains(&name.as_str()));
        }
        for name in kept {
            let value = replaced.get(name).cloned();
            item.extend(value.map(|value| (name.to_owned(), value)));
        }
        item
    }
}

impl Replaced {
    fn versions(&self) -> impl Iterator<Item = &Item> {
        let replaced = self.0.values();
        replaced.filter_map(|(item, fate)| (*fate == Fate::Version).then_some(item))
    }

    fn is_to_write(&self, id: &RowId) -> bool {
        self.0.get(id).is_none_or(|(_, fate)| *fate != Fate::Stays)
    }

    /// The entries of rows that are about to be written, under the days that they have and under
    /// those that they will have.
    fn pending(&self, entries: &[Entry], resource: Resource) -> Vec<Entry> {
        let mut pending = Vec::new();
        for wanted in entries {
            let Some((item, fate)) = self.0.get(&wanted.id) else {
                continue;
            };
            let Some(stored) = entry(item, resource).filter(|_| *fate != Fate::Stays) else {
                continue;
            };
            let stored = Entry {
                state: State::Live,
                ..stored.pending()
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

    /// The days under which the rows are stored; all days if one is stored already as it was
    /// fetched: after an interruption it may be listed under any.
    fn days(&self, resource: Resource) -> Vec<String> {
        if self.0.values().any(|(_, fate)| *fate == Fate::Stays) {
            return ends(Days::ALL).into();
        }
        let items = self.0.values();
        items
            .filter_map(|(item, _)| Some(entry(item, resource)?.day))
            .collect()
    }
}
