//! How one of Belvo's documents is stored as an item, and what is known about it without reading it
//! whole.

use std::{borrow::Cow, io::Read};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{Fields, Observation, text_of};
use flate2::{
    Compression,
    read::{ZlibDecoder, ZlibEncoder},
};
use serde_json::{Map, Value};

use super::partition::Partition;
use crate::store::{
    attributes::{Choice, Ours, append_document},
    item::{Item, document, text},
};

/// A longer text is compressed: an item has at most 400 KB ("Constraints in Amazon DynamoDB",
/// developer guide), and our attributes and later marks need some of them.
const LARGEST_TEXT: usize = 390 * 1_024;
/// No document is longer than this when it is read back.
const LARGEST_DOCUMENT: u64 = 64 * 1_024 * 1_024;

/// A new item of one of Belvo's documents.
pub(super) struct DocumentItem<'a> {
    /// The beginning of a request to put it: the key, and the document's fields as attributes.
    pub(super) put: String,
    /// The attributes beside them.
    pub(super) ours: Ours,
    /// Those of the index's fields that are texts, in its order.
    pub(super) indexed: Vec<Option<Cow<'a, str>>>,
}

/// A document's fields as attributes, without `id`, which the key holds; or else, as for an id in
/// another spelling than the key's, its JSON text, compressed if it is large, with the fields that
/// the index needs as attributes beside it.
pub(super) fn document_item<'a>(
    partition: &Partition,
    key: &str,
    document: &'a str,
    indexed: &[&'static str],
) -> DocumentItem<'a> {
    let is_large = document.len() > LARGEST_TEXT;
    let plain = (!is_large).then(|| plain_item(partition, key, document, indexed));
    if let Some(item) = plain.flatten() {
        return item;
    }
    let fields = Fields::of(document).unwrap_or_default();
    let texts: Vec<_> = indexed.iter().map(|name| fields.text(name)).collect();
    let beside = indexed.iter().zip(&texts);
    let mut ours: Ours = beside
        .filter_map(|(name, value)| Some((*name, text(value.as_deref()?))))
        .collect();
    ours.push(if is_large {
        ("_zlib", AttributeValue::B(Blob::new(compressed(document))))
    } else {
        ("_json", text(document))
    });
    DocumentItem {
        put: begun(partition, key, ""),
        ours,
        indexed: texts,
    }
}

/// The item of a document that DynamoDB keeps as it is, whose id is spelled as in the key, and none
/// of whose fields has a name of ours.
fn plain_item<'a>(
    partition: &Partition,
    key: &str,
    document: &'a str,
    indexed: &[&'static str],
) -> Option<DocumentItem<'a>> {
    let is_in_key = |id: &str| key.split('#').nth(1) == Some(id.trim_matches('"'));
    let mut item = DocumentItem {
        put: begun(partition, key, document),
        ours: Ours::new(),
        indexed: vec![None; indexed.len()],
    };
    append_document(&mut item.put, document, |name, value| {
        if name == "id" && is_in_key(value.get()) {
            return Choice::LeftOut;
        }
        if name == "id" || is_ours(name) {
            return Choice::Refused;
        }
        if let Some(place) = indexed.iter().position(|indexed| *indexed == name) {
            item.indexed[place] = text_of(value.get());
        }
        Choice::Kept
    })?;
    Some(item)
}

/// The beginning of a request to put an item with this key, with room for a document.
fn begun(partition: &Partition, key: &str, document: &str) -> String {
    let mut put = String::with_capacity(2 * document.len() + 512);
    put.push_str(r#"{"PutRequest":{"Item":{"_link":{"S":"#);
    put.push_str(&Value::from(partition.as_str()).to_string());
    put.push_str(r#"},"_item":{"S":"#);
    put.push_str(&Value::from(key).to_string());
    put.push('}');
    put
}

/// The JSON text of an item that has one.
pub(super) fn json_text(item: &Item) -> Option<Cow<'_, str>> {
    if let Some(json) = item.get("_json") {
        return Some(Cow::Borrowed(json.as_s().ok()?));
    }
    let compressed = item.get("_zlib")?.as_b().ok()?.as_ref();
    let mut json = String::new();
    let mut decoder = ZlibDecoder::new(compressed).take(LARGEST_DOCUMENT);
    decoder.read_to_string(&mut json).ok()?;
    Some(Cow::Owned(json))
}

fn compressed(document: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(document.as_bytes(), Compression::default());
    let mut bytes = Vec::new();
    match encoder.read_to_end(&mut bytes) {
        Ok(_) => bytes,
        // Memory does not fail to be read. If it did, DynamoDB would refuse the whole text.
        Err(_) => document.as_bytes().to_vec(),
    }
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
    let fields = match json_text(&item) {
        Some(json) => serde_json::from_str(&json).ok()?,
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
pub(super) fn observed(seen: &Observation) -> Ours {
    let request = seen.request.as_ref();
    let request = request.map(|request| (OBSERVED[1], text(request.as_str())));
    let mut observed = vec![(OBSERVED[0], text(seen.at.to_string()))];
    observed.extend(request);
    observed
}

#[cfg(test)]
mod tests {
    use domain::{LinkId, Resource};

    use super::*;

    /// The names of what is stored beside the key.
    fn stored(key: &str, document: &str) -> String {
        let link = LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap();
        let partition = Partition::of(Resource::TRANSACTIONS, &link);
        let item = document_item(&partition, key, document, &[]);
        let ours = item.ours.iter().map(|(name, _)| *name);
        [item.put, ours.collect()].concat()
    }

    #[test]
    fn an_id_in_another_spelling_than_the_keys_is_kept_with_its_document() {
        let key = "A#1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e";
        let usual = stored(
            key,
            r#"{"id": "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e", "n": 1}"#,
        );
        assert!(usual.ends_with(r#","n":{"N":"1"}"#), "{usual}");
        for id in [
            "1C83F1F5-4b59-4c0b-a1a5-3a9d1a6a5b0e",
            "1c83f1f54b594c0ba1a53a9d1a6a5b0e",
            r"\u0031c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e",
        ] {
            let document = format!(r#"{{"id": "{id}", "n": 1}}"#);
            assert!(stored(key, &document).ends_with("_json"), "{id}");
        }
    }
}
