//! The change log of a link, in its partition: entries, numbered in the order in which they are
//! written, and a head that says how far they may be read.
//!
//! `collect` writes an entry before the rows that it names, so that no crash loses one, and moves
//! the head once they are stored and listed, so that no reader passes an entry whose rows are yet
//! to come. What a crash leaves in between is entered into the index by the next collection, which
//! then compares it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{Change, ChangeKind, LinkId, LogHead, Resource, RowId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    accounts::partition,
    leaf_item::PackedText,
    partition::Partition,
    table::{self, Table},
    write_request::WriteRequest,
};
use crate::store::{
    StoreError,
    error::was_written,
    item::{Item, number},
};

/// The kind of an entry's key; the number follows.
const KIND: &str = "C#";
/// The key of the head.
const HEAD: &str = "C";

/// The log of one link.
pub(super) struct ChangeLog<'a> {
    table: &'a Table,
    partition: Partition,
}

/// An entry: rows of one resource, or that everything of the link was erased.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LogEntry {
    pub(super) changes: Vec<Change>,
    pub(super) is_erasure: bool,
}

/// The stored form of an entry's rows. Without names: another form needs another attribute.
#[derive(Serialize, Deserialize)]
struct PackedChanges {
    resource: String,
    rows: BTreeMap<ChangeKind, Vec<PackedText>>,
}

impl<'a> ChangeLog<'a> {
    pub(super) fn of(table: &'a Table, link: &LinkId) -> Self {
        Self {
            table,
            partition: partition(link),
        }
    }

    pub(super) async fn head(&self) -> Result<LogHead, StoreError> {
        let Some(item) = self.table.get(self.head_key()).await? else {
            return Ok(LogHead::default());
        };
        head(&item).ok_or(StoreError::Corrupt(table::NAME))
    }

    /// Writes an entry. Its rows may be written afterwards.
    pub(super) async fn begin(
        &self,
        entry: &LogEntry,
        at: Timestamp,
    ) -> Result<LogHead, StoreError> {
        let begun = self.head().await?.begun();
        tokio::try_join!(self.write(begun.last, entry, at), self.write_head(begun))?;
        Ok(begun)
    }

    /// Lets everything that is written be read.
    pub(super) async fn end(&self, begun: LogHead) -> Result<(), StoreError> {
        self.write_head(begun.ended()).await
    }

    /// An entry. It may not be there: its writing was interrupted before any of its rows was
    /// written, or it has expired.
    pub(super) async fn entry(&self, number: u64) -> Result<Option<LogEntry>, StoreError> {
        let item = self.table.get(self.key(number)).await?;
        let read = |item| entry(&item).ok_or(StoreError::Corrupt(table::NAME));
        Ok(item.map(read).transpose()?.map(|(_, entry)| entry))
    }

    /// Some of the entries from `first` to `last`, with their numbers, in their order: none only if
    /// there are none.
    pub(super) async fn entries(
        &self,
        first: u64,
        last: u64,
        most: i32,
    ) -> Result<Vec<(u64, LogEntry)>, StoreError> {
        let (first, last) = (key(first), key(last));
        let query = self.table.items_between(&self.partition, &first, &last);
        let items = query.limit(most).send().await?.items.unwrap_or_default();
        let entries = items.iter().map(entry).collect::<Option<_>>();
        entries.ok_or(StoreError::Corrupt(table::NAME))
    }

    /// Writes an entry at its place.
    pub(super) async fn write(
        &self,
        number: u64,
        entry: &LogEntry,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut item = attributes(entry).ok_or(StoreError::Corrupt(table::NAME))?;
        item.extend(self.key(number));
        let expires_at = self.table.change_expiry(at);
        item.insert("_expires_at".to_owned(), expires_at);
        let put = std::iter::once(WriteRequest::put(&item)?);
        self.table.write_all(self.partition.as_str(), put).await
    }

    /// Moves the head forward, and never back: a write may be repeated late.
    async fn write_head(&self, head: LogHead) -> Result<(), StoreError> {
        let [last, done] =
            [head.last, head.done].map(|number| AttributeValue::N(number.to_string()));
        let written = self
            .table
            .update(self.head_key())
            .update_expression("SET #last = :last, #done = :done")
            .condition_expression(
                "attribute_not_exists(#last) OR (#last <= :last AND #done <= :done)",
            )
            .expression_attribute_names("#last", "_last")
            .expression_attribute_names("#done", "_done")
            .expression_attribute_values(":last", last)
            .expression_attribute_values(":done", done)
            .send()
            .await;
        if was_written(written)? {
            Ok(())
        } else {
            Err(StoreError::Contended("a change log"))
        }
    }

    fn key(&self, number: u64) -> Item {
        self.partition.key(key(number))
    }

    fn head_key(&self) -> Item {
        self.partition.key(HEAD)
    }
}

/// Whether an item of a link's partition is the head of its log, or the last entry.
pub(super) fn is_end(head: LogHead, item: &Item) -> bool {
    sort_key(item).is_some_and(|sort_key| sort_key == HEAD || sort_key == key(head.last))
}

/// Whether an item of a link's partition is of its log.
pub(super) fn is_of_log(item: &Item) -> bool {
    sort_key(item).is_some_and(|sort_key| sort_key == HEAD || sort_key.starts_with(KIND))
}

fn sort_key(item: &Item) -> Option<&str> {
    item.get("_item")?.as_s().ok().map(String::as_str)
}

impl LogEntry {
    pub(super) fn of(changes: Vec<Change>) -> Self {
        Self {
            changes,
            is_erasure: false,
        }
    }

    pub(super) fn erasure() -> Self {
        Self {
            changes: Vec::new(),
            is_erasure: true,
        }
    }
}

fn head(item: &Item) -> Option<LogHead> {
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse().ok();
    Some(LogHead {
        last: number("_last")?,
        done: number("_done")?,
    })
}

fn key(number: u64) -> String {
    format!("{KIND}{number:020}")
}

fn attributes(entry: &LogEntry) -> Option<Item> {
    if entry.is_erasure {
        let erased = AttributeValue::Bool(true);
        return Some(Item::from([("_erased".to_owned(), erased)]));
    }
    let mut packed = PackedChanges {
        resource: String::new(),
        rows: BTreeMap::new(),
    };
    for change in &entry.changes {
        change.resource.name().clone_into(&mut packed.resource);
        let rows = packed.rows.entry(change.kind).or_default();
        rows.push(PackedText::of(change.id.as_str()));
    }
    let bytes = postcard::to_allocvec(&packed).ok()?;
    let count = u32::try_from(entry.changes.len()).ok()?;
    Some(Item::from([
        ("_changes".to_owned(), AttributeValue::B(Blob::new(bytes))),
        ("_rows".to_owned(), number(count)),
    ]))
}

/// The number and the content of an entry.
fn entry(item: &Item) -> Option<(u64, LogEntry)> {
    let number = item.get("_item")?.as_s().ok()?.strip_prefix(KIND)?;
    let number = number.parse().ok()?;
    if item.contains_key("_erased") {
        return Some((number, LogEntry::erasure()));
    }
    let bytes = item.get("_changes")?.as_b().ok()?;
    let packed: PackedChanges = postcard::from_bytes(bytes.as_ref()).ok()?;
    let mut changes = Vec::new();
    for (kind, ids) in packed.rows {
        for id in ids {
            changes.push(Change {
                resource: Resource::by_name(&packed.resource)?,
                id: RowId::parse(&id.unpack()).ok()?,
                kind,
            });
        }
    }
    Some((number, LogEntry::of(changes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::item::text;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let change = |id: &str, kind| Change {
            resource: Resource::by_name("invoices").unwrap(),
            id: RowId::parse(id).unwrap(),
            kind,
        };
        let changed = LogEntry::of(vec![
            change("0d3ffb69-f83b-456e-ad8e-208d0998d71d", ChangeKind::Added),
            change("no-uuid", ChangeKind::Added),
            change("another", ChangeKind::Removed),
        ]);
        for written in [changed, LogEntry::of(Vec::new()), LogEntry::erasure()] {
            let mut item = attributes(&written).unwrap();
            item.insert("_item".to_owned(), text(key(7)));
            assert_eq!(entry(&item), Some((7, written)));
        }
    }
}
