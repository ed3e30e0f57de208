//! How one of Belvo's documents is stored as an item, and what is known about it without reading it
//! whole.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{Digest, KnownVersion, Observation};
use serde_json::{Map, Value};

use crate::store::item::{Item, document, is_kept, kept_attribute, text, timestamp};

/// The attributes that we add to those of a document: the key, `_digest`, `_stored_at`, `_request`,
/// `_same_as`.
const MOST_OF_OURS: usize = 6;

/// A document's fields as attributes, without `id`, which the key holds; or else JSON text, with
/// the fields that the index needs as attributes beside it.
pub(super) fn document_item(mut document: Map<String, Value>, indexed: &[&str]) -> Item {
    let is_ours = |name: &str| name.is_empty() || name.starts_with('_');
    let is_plain = |(name, value): (&String, &Value)| !is_ours(name) && is_kept(value);
    if document.iter().all(is_plain) {
        document.remove("id");
        let mut item = Item::with_capacity(document.len() + MOST_OF_OURS);
        let attributes = document.into_iter();
        item.extend(attributes.map(|(name, value)| (name, kept_attribute(value))));
        return item;
    }

    let text_of = |name: &&str| Some(((*name).to_owned(), text(document.get(*name)?.as_str()?)));
    let mut item: Item = indexed.iter().filter_map(text_of).collect();
    let json = Value::Object(document).to_string();
    item.insert("_json".to_owned(), text(json));
    item
}

pub(super) fn digest_attribute(digest: Digest) -> AttributeValue {
    AttributeValue::B(Blob::new(digest.as_bytes()))
}

/// The rest of an item's sort key, if it starts with `prefix`.
pub(super) fn key_after<'a>(item: &'a Item, prefix: &str) -> Option<&'a str> {
    item.get("_item")?.as_s().ok()?.strip_prefix(prefix)
}

/// The id in the key of an item, and its document.
pub(super) fn stored_document(
    mut item: Item,
    prefix: &str,
) -> Option<(String, Map<String, Value>)> {
    let id = key_after(&item, prefix)?.split('#').next()?.to_owned();

    let document = if let Some(json) = item.remove("_json") {
        serde_json::from_str(json.as_s().ok()?).ok()?
    } else {
        item.retain(|name, _| !name.starts_with('_'));
        item.insert("id".to_owned(), text(&id));
        document(item)?
    };
    Some((id, document))
}

/// What is known about the document of an item.
pub(super) fn known_version(item: &Item) -> Option<KnownVersion> {
    let digest = Digest::from_bytes(item.get("_digest")?.as_b().ok()?.as_ref())?;
    let deleted = item.contains_key("_deleted_at");
    Some(KnownVersion {
        digest,
        collected_at: timestamp(item, "collected_at"),
        deleted,
    })
}

/// The attributes that say when and by which retrieval an item was seen.
pub(super) const OBSERVED: [&str; 2] = ["_stored_at", "_request"];

/// When and by which retrieval an item was seen.
pub(super) fn observed(seen: &Observation) -> Item {
    let mut attributes = Item::from([(OBSERVED[0].to_owned(), text(seen.at.to_string()))]);
    if let Some(request) = &seen.request {
        attributes.insert(OBSERVED[1].to_owned(), text(request.as_str()));
    }
    attributes
}
