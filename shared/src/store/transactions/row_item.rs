//! The items of a row: its latest version and the earlier ones.

use domain::{DigestedRow, KnownVersion, LinkId, Observation, Row, RowId, RowRef, Timestamp};

use super::{
    document::{
        digest_attribute, document_item, key_after, known_version, observed, stored_document,
    },
    partition::Partition,
};
use crate::store::item::{Item, text};

/// The fields that the index `by_date` needs.
const INDEXED: [&str; 4] = ["account", "status", "type", "collected_at"];

pub(super) fn row_item(partition: &Partition, change: DigestedRow, seen: &Observation) -> Item {
    let DigestedRow { row, digest } = change;
    let key = partition.row_key(row.id().as_str());
    let by_date = format!("{}#{}", row.day(partition.resource), row.id());

    let mut item = document_item(row.into_document(), &INDEXED);
    item.extend(key);
    item.insert("_by_date".to_owned(), text(by_date));
    item.insert("_digest".to_owned(), digest_attribute(digest));
    item.extend(observed(seen));
    item
}

/// The item of a superseded version, made from the item that is being replaced: the same document
/// under another key, outside the index. The key names the version, so that repeating this makes
/// the same item.
pub(super) fn version_item(mut replaced: Item, until: Timestamp) -> Option<Item> {
    let id = key_after(&replaced, "T#")?.to_owned();
    let from = replaced.get("_stored_at")?.as_s().ok()?.clone();
    replaced.remove("_by_date");
    replaced.insert("_item".to_owned(), text(format!("V#{id}#{from}")));
    // A version that was deleted before it was replaced was valid until its deletion.
    let until = match replaced.get("_deleted_at") {
        Some(deleted_at) => deleted_at.clone(),
        None => text(until.to_string()),
    };
    replaced.insert("_until".to_owned(), until);
    Some(replaced)
}

/// The row of an item, in its latest or an earlier version.
pub(super) fn row(item: Item) -> Option<Row> {
    let prefix = if item.contains_key("_until") {
        "V#"
    } else {
        "T#"
    };
    let (id, document) = stored_document(item, prefix)?;
    Some(Row::from_parts(RowId::parse(&id).ok()?, document))
}

/// The transaction of an older link that an item duplicates.
pub(super) fn duplicate_of(item: &Item) -> Option<RowRef> {
    let (link, id) = item.get("_same_as")?.as_s().ok()?.split_once('#')?;
    Some(RowRef {
        link: LinkId::parse(link).ok()?,
        id: RowId::parse(id).ok()?,
    })
}

/// The id of a row and what is known about it.
pub(super) fn known_row(item: &Item) -> Option<(RowId, KnownVersion)> {
    let id = key_after(item, "T#")?;
    Some((RowId::parse(id).ok()?, known_version(item)?))
}
