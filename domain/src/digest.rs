//! A digest of a JSON document, by which an unchanged row is recognised without reading it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The version of the rule that makes the digest. A new rule gets a new byte, so that every stored
/// row then counts as changed and is rewritten once.
const VERSION: u8 = 2;
/// The size in bytes that a transaction rarely exceeds.
const USUAL_BYTES: usize = 2_048;

/// The first 96 bits of a SHA-256 over the version of the rule and the document with sorted keys.
/// They only have to tell apart what one link has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest([u8; 12]);

impl Digest {
    /// Equal documents have equal digests, whatever the order of their keys.
    #[must_use]
    pub(crate) fn of_object(document: &Map<String, Value>) -> Self {
        // Hash all bytes in one call: a call per value costs more than the hashing.
        let mut canonical = Vec::with_capacity(USUAL_BYTES);
        canonical.push(VERSION);
        append_object(&mut canonical, document);
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&Sha256::digest(&canonical)[..12]);
        Self(bytes)
    }

    /// The digest of no document, as far as anybody will ever see.
    pub const NONE: Self = Self([0; 12]);

    /// Reads a stored digest.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The stored form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends every value with a tag and, where it has one, its length, so that no two documents give
/// the same bytes.
fn append(canonical: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => canonical.push(b'z'),
        Value::Bool(false) => canonical.push(b'f'),
        Value::Bool(true) => canonical.push(b't'),
        Value::Number(number) => append_text(canonical, b'n', number.as_str()),
        Value::String(text) => append_text(canonical, b's', text),
        Value::Array(elements) => {
            canonical.push(b'a');
            canonical.extend_from_slice(&elements.len().to_be_bytes());
            for element in elements {
                append(canonical, element);
            }
        }
        Value::Object(fields) => append_object(canonical, fields),
    }
}

fn append_object(canonical: &mut Vec<u8>, fields: &Map<String, Value>) {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    canonical.push(b'o');
    canonical.extend_from_slice(&fields.len().to_be_bytes());
    for (name, field) in fields {
        append_text(canonical, b'k', name);
        append(canonical, field);
    }
}

fn append_text(canonical: &mut Vec<u8>, tag: u8, text: &str) {
    canonical.push(tag);
    canonical.extend_from_slice(&text.len().to_be_bytes());
    canonical.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(json: &str) -> Digest {
        Digest::of_object(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn key_order_does_not_matter() {
        assert_eq!(
            digest(r#"{"a":1,"b":[true,null]}"#),
            digest(r#"{"b":[true,null],"a":1}"#)
        );
    }

    #[test]
    fn different_documents_have_different_digests() {
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
    fn the_digest_of_a_stored_document_never_changes() {
        let json = r#"{"nested": {"deep": {}}, "amount": 10.00, "credit": true,
            "debit": false, "list": [1, null, "é"]}"#;
        assert_eq!(
            hex::encode(digest(json).as_bytes()),
            "9c0d3d3ffad36b529ee4e039"
        );
    }

    #[test]
    fn a_stored_digest_is_read_back() {
        let digest = digest(r#"{"a": 1}"#);
        assert_eq!(Digest::from_bytes(digest.as_bytes()), Some(digest));
        assert_eq!(Digest::from_bytes(b"short"), None);
    }
}
