//! The items of a row: its latest version and the earlier ones.

use domain::{
    AccountId, Digest, DigestedRow, KnownVersion, LinkId, NO_DATE, Resource, Row, RowId, RowRef,
    Timestamp, day_of,
};

use super::{
    document::{DocumentItem, document_item, json_text, key_after, stored_fields},
    leaf::{Entry, State},
    partition::Partition,
};
use crate::store::{
    attributes::Ours,
    item::{Item, text, timestamp},
};

/// The fields that an entry of the index is made of, beside the resource's date.
const INDEXED: [&str; 4] = ["account", "status", "type", "collected_at"];

/// The item of a row that was seen so, and what the index will say of it.
pub(super) fn row_item<'a>(
    partition: &Partition,
    row: &'a DigestedRow,
    observed: &Ours,
) -> (DocumentItem<'a>, Entry) {
    let DigestedRow { row, digest } = row;
    let date = partition.resource.date_field();
    let indexed: Vec<_> = INDEXED.into_iter().chain(date).collect();
    let key = Partition::row(row.id().as_str());
    let mut item = document_item(partition, &key, row.text(), &indexed);
    item.ours.extend_from_slice(observed);

    let field = |name: &str| {
        let place = indexed.iter().position(|indexed| *indexed == name);
        place.and_then(|place| item.indexed[place].as_deref())
    };
    let entry = Entry {
        id: row.id().clone(),
        day: day(date.and_then(field)),
        digest: *digest,
        collected_at: row.collected_at(),
        account: field("account").map(|id| AccountId::spelled(id).into()),
        status: field("status").map(Into::into),
        kind: field("type").map(Into::into),
        state: State::Live,
    };
    (item, entry)
}

/// The day under which a row with this date is listed.
fn day(date: Option<&str>) -> String {
    date.and_then(day_of).unwrap_or_else(|| NO_DATE.to_owned())
}

/// The item of a superseded version, made from the item that is being replaced: the same document
/// under another key. The key names the version, so that repeating this makes
/// the same item.
pub(super) fn version_item(mut replaced: Item, until: Timestamp) -> Option<Item> {
    let id = key_after(&replaced, "T#")?.to_owned();
    let from = replaced.get("_stored_at")?.as_s().ok()?.clone();
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
    let id = key_after(&item, prefix)?.split('#').next()?;
    let id = RowId::parse(id).ok()?;
    if let Some(json) = json_text(&item) {
        return Row::from_text(id, &json);
    }
    let fields = stored_fields(item, id.as_str())?;
    Some(Row::from_fields(id, fields))
}

/// The transaction of an older link that an item duplicates.
pub(super) fn duplicate_of(item: &Item) -> Option<RowRef> {
    let (link, id) = item.get("_same_as")?.as_s().ok()?.split_once('#')?;
    Some(RowRef {
        link: LinkId::parse(link).ok()?,
        id: RowId::parse(id).ok()?,
    })
}

/// The id of a row and what its item says about it. A digest is only in the index: whoever has to
/// look at the item has to compare the row.
pub(super) fn known_row(item: &Item) -> Option<(RowId, KnownVersion)> {
    let id = key_after(item, "T#")?;
    let known = KnownVersion {
        digest: Digest::NONE,
        collected_at: timestamp(item, "collected_at"),
        deleted: item.contains_key("_deleted_at"),
    };
    Some((RowId::parse(id).ok()?, known))
}

/// The index entry of a row's item: whatever is fetched differs from it, so that after an
/// interruption the row is compared.
pub(super) fn entry(item: &Item, resource: Resource) -> Option<Entry> {
    let (id, known) = known_row(item)?;
    let field = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let date = resource.date_field().and_then(field);
    Some(Entry {
        id,
        day: day(date.map(String::as_str)),
        digest: known.digest,
        collected_at: known.collected_at,
        account: field("account").map(|id| AccountId::spelled(id).into()),
        status: field("status").map(|status| status.as_str().into()),
        kind: field("type").map(|kind| kind.as_str().into()),
        state: if known.deleted {
            State::Deleted
        } else {
            State::Live
        },
    })
}
