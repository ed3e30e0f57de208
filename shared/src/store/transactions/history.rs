//! The versions of a row: what was known when.

use std::collections::{HashMap, HashSet};

use domain::{Filter, LinkId, Listed, RowId, Timestamp, Version};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    leaf::Entry,
    list::{Listing, MOST_BYTES},
    partition::Partition,
    row_item::{duplicate_of, row},
    rows::Rows,
    table,
};
use crate::store::{
    Cursor, StoreError,
    item::{Item, request_id, timestamp},
};

/// Rows whose earlier versions are read concurrently.
const AT_ONCE: usize = 8;

/// A page of a row's versions.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub latest: Version,
    /// The version before those of the page, if there is one.
    pub previous: Option<Version>,
    /// Oldest first.
    pub versions: Vec<Version>,
    pub next: Option<Cursor>,
}

impl Rows {
    /// A page of a row's versions, oldest first, at most `limit`; `None` if the row was never seen.
    pub async fn history(
        &self,
        link: &LinkId,
        id: &RowId,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<Option<History>, StoreError> {
        let partition = self.partition(link);
        // The latest one first: one that replaces it meanwhile is then shown once.
        let latest = self.table.get(partition.row_key(id.as_str())).await?;
        let Some(latest) = latest.map(known_version).transpose()? else {
            return Ok(None);
        };
        let earlier = self.earlier_versions(&partition, id, after, limit).await?;
        let (mut versions, is_cut) = earlier;
        versions.retain(|version| version.from < latest.from);

        let ends_a_page = |version: &Version| {
            after.is_some_and(|cursor| cursor.parts().0 == version.from.to_string())
        };
        let previous = match versions.first() {
            Some(first) if ends_a_page(first) => Some(versions.remove(0)),
            _ => None,
        };
        let limit = usize::from(limit);
        if versions.len() <= limit && !is_cut {
            versions.push(latest.clone());
        }
        let is_full = versions.len() > limit || is_cut;
        versions.truncate(limit);
        let last = versions.last().filter(|_| is_full);
        let next = last.map(|last| Cursor::at(&last.from.to_string(), id.as_str()));
        Ok(Some(History {
            latest,
            previous,
            versions,
            next,
        }))
    }

    /// A row's superseded versions from the one that a page ended with, or from the first one, and
    /// one more than the next page holds; and whether they are fewer, because they are many bytes.
    async fn earlier_versions(
        &self,
        partition: &Partition,
        id: &RowId,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<(Vec<Version>, bool), StoreError> {
        let since = after.map_or("", |cursor| cursor.parts().0);
        let first = format!("V#{id}#{since}");
        // `~` follows every digit of a time.
        let last = format!("V#{id}#~");
        let wanted = i32::from(limit) + 1 + i32::from(after.is_some());
        let query = self.table.items_between(partition, &first, &last);
        // DynamoDB ends a page after a megabyte.
        let mut items = query.limit(wanted).into_paginator().items().send();
        let (mut found, mut bytes) = (Vec::new(), 0);
        let fewest = 1 + usize::from(after.is_some());
        for _ in 0..wanted {
            let Some(item) = items.next().await else {
                break;
            };
            let version = known_version(item?)?;
            bytes += version.row.text().len();
            if bytes > MOST_BYTES && found.len() >= fewest {
                return Ok((found, true));
            }
            found.push(version);
        }
        Ok((found, false))
    }

    /// A link's rows as they were known at an instant: newest first, at most `limit`, and where the
    /// listing continues. A page may have fewer rows, or none, with a cursor. Reads the rows of the
    /// page, and one earlier version of each that has changed since.
    pub async fn list_as_of(
        &self,
        link: &LinkId,
        filter: &Filter,
        instant: Timestamp,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<(Vec<Listed>, Option<Cursor>), StoreError> {
        let partition = self.partition(link);
        let (entries, next) = self
            .page(&partition, filter, after, limit, |_| true)
            .await?;
        let mut listing = Listing::default();
        for entries in entries.chunks(self.resource.rows_at_once()) {
            let known = self.known_rows(&partition, entries, instant).await?;
            let rows = entries.iter().map(|entry| {
                let version = known.get(&entry.id).filter(|version| {
                    let is_here = version.row.day(self.resource) == entry.day;
                    is_here && filter.chooses(&version.row, self.resource)
                });
                (entry, version.cloned().map(Listed::from))
            });
            if !listing.add(rows) {
                break;
            }
        }
        Ok(listing.until(next))
    }

    /// The rows of these entries as they were known at an instant.
    async fn known_rows(
        &self,
        partition: &Partition,
        entries: &[Entry],
        instant: Timestamp,
    ) -> Result<HashMap<RowId, Version>, StoreError> {
        // A row that has changed its day has an entry for each.
        let ids: HashSet<_> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let keys = ids.into_iter().map(|id| partition.row_key(id));
        let latest = versions(self.table.read_all(keys.collect()).await?)?;
        let known = latest
            .into_iter()
            .map(|latest| self.known_at(partition, latest, instant));
        let known = stream::iter(known).buffer_unordered(AT_ONCE);
        known
            .try_filter_map(async |version| Ok(version.map(|one| (one.row.id().clone(), one))))
            .try_collect()
            .await
    }

    /// The version of a row that was valid at an instant, given its latest one.
    async fn known_at(
        &self,
        partition: &Partition,
        latest: Version,
        instant: Timestamp,
    ) -> Result<Option<Version>, StoreError> {
        if latest.from <= instant {
            return Ok(Some(latest).filter(|latest| latest.was_valid_at(instant)));
        }
        let id = latest.row.id();
        let (first, last) = (format!("V#{id}#"), format!("V#{id}#{instant}"));
        let earlier = self
            .table
            .items_between(partition, &first, &last)
            .scan_index_forward(false)
            .limit(1);
        let found = versions(earlier.send().await?.items.unwrap_or_default())?;
        Ok(found
            .into_iter()
            .find(|version| version.was_valid_at(instant)))
    }
}

fn versions(items: Vec<Item>) -> Result<Vec<Version>, StoreError> {
    items.into_iter().map(known_version).collect()
}

fn known_version(item: Item) -> Result<Version, StoreError> {
    version(item).ok_or(StoreError::Corrupt(table::NAME))
}

fn version(item: Item) -> Option<Version> {
    let deleted_at = timestamp(&item, "_deleted_at");
    Some(Version {
        from: timestamp(&item, "_stored_at")?,
        request: request_id(&item, "_request"),
        until: timestamp(&item, "_until").or(deleted_at),
        deleted: deleted_at.is_some(),
        deleted_by: request_id(&item, "_deleted_by"),
        duplicate_of: duplicate_of(&item),
        row: row(item)?,
    })
}
