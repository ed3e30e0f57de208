//! A fingerprint of a JSON document, by which an unchanged row is known without reading it.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Says how the digest was made. A change of the rule changes this byte, so that every stored row then counts as
/// changed and is written again once.
const VERSION: u8 = 1;

/// The version byte and the first 128 bits of a SHA-256 over the document with sorted keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 17]);

impl Digest {
    /// Equal documents have equal digests, whatever the order of their keys.
    #[must_use]
    pub fn of_object(document: &Map<String, Value>) -> Self {
        let mut hasher = Sha256::new();
        feed_object(&mut hasher, document);
        let mut bytes = [VERSION; 17];
        bytes[1..].copy_from_slice(&hasher.finalize()[..16]);
        Self(bytes)
    }

    /// Reads a stored digest.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// What is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Feeds every value with a tag and, where it has one, its length, so that no two documents feed the same bytes.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update(b"z"),
        Value::Bool(false) => hasher.update(b"f"),
        Value::Bool(true) => hasher.update(b"t"),
        Value::Number(number) => feed_text(hasher, b"n", number.as_str()),
        Value::String(text) => feed_text(hasher, b"s", text),
        Value::Array(elements) => {
            hasher.update(b"a");
            hasher.update(elements.len().to_be_bytes());
            for element in elements {
                feed(hasher, element);
            }
        }
        Value::Object(fields) => feed_object(hasher, fields),
    }
}

fn feed_object(hasher: &mut Sha256, fields: &Map<String, Value>) {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    hasher.update(b"o");
    hasher.update(fields.len().to_be_bytes());
    for (name, field) in fields {
        feed_text(hasher, b"k", name);
        feed(hasher, field);
    }
}

fn feed_text(hasher: &mut Sha256, tag: &[u8], text: &str) {
    hasher.update(tag);
    hasher.update(text.len().to_be_bytes());
    hasher.update(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(json: &str) -> Digest {
        Digest::of_object(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn key_order_does_not_matter() {
        assert_eq!(digest(r#"{"a":1,"b":[true,null]}"#), digest(r#"{"b":[true,null],"a":1}"#));
    }

    #[test]
    fn documents_that_differ_have_other_digests() {
        let documents = [
            "{}",
            r#"{"a": null}"#,
            r#"{"a": ""}"#,
            r#"{"a": "1"}"#,
            r#"{"a": 1}"#,
            r#"{"a": []}"#,
            r#"{"a": [[]]}"#,
            r#"{"a": ["b", "c"]}"#,
            r#"{"a": ["bc"]}"#,
            r#"{"a": {"b": 1}}"#,
        ];
        for (i, one) in documents.iter().enumerate() {
            for other in &documents[i + 1..] {
                assert_ne!(digest(one), digest(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_stored_digest_is_read_back() {
        let digest = digest(r#"{"a": 1}"#);
        assert_eq!(Digest::from_bytes(digest.as_bytes()), Some(digest));
        assert_eq!(Digest::from_bytes(b"short"), None);
    }
}
