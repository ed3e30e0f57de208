//! How one of Belvo's documents is stored as an item, and what is known about it without reading it
//! whole.

use domain::{Fields, Observation};
use serde_json::{Map, Value};

use crate::store::item::{Item, attributes, document, text};

/// A document's fields as attributes, without `id`, which the key holds; or else its JSON text,
/// with the fields that the index needs as attributes beside it.
pub(super) fn document_item(document: &str, indexed: &[&str]) -> Item {
    let plain = attributes(document).filter(|item| item.keys().all(|name| !is_ours(name)));
    if let Some(mut item) = plain {
        item.remove("id");
        return item;
    }
    let fields = Fields::of(document).unwrap_or_default();
    let text_of = |name: &&str| Some(((*name).to_owned(), text(fields.text(name)?)));
    let mut item: Item = indexed.iter().filter_map(text_of).collect();
    item.insert("_json".to_owned(), text(document));
    item
}

fn is_ours(name: &str) -> bool {
    name.starts_with('_')
}

/// The rest of an item's sort key, if it starts with `prefix`.
pub(super) fn key_after<'a>(item: &'a Item, prefix: &str) -> Option<&'a str> {
    item.get("_item")?.as_s().ok()?.strip_prefix(prefix)
}

/// The id in the key of an item, and the fields of its document.
pub(super) fn stored_document(item: Item, prefix: &str) -> Option<(String, Map<String, Value>)> {
    let id = key_after(&item, prefix)?.split('#').next()?.to_owned();
    let fields = match item.get("_json") {
        Some(json) => serde_json::from_str(json.as_s().ok()?).ok()?,
        None => stored_fields(item, &id)?,
    };
    Some((id, fields))
}

/// The fields of a document that is not kept as JSON text.
pub(super) fn stored_fields(mut item: Item, id: &str) -> Option<Map<String, Value>> {
    item.retain(|name, _| !is_ours(name));
    item.insert("id".to_owned(), text(id));
    document(item)
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
