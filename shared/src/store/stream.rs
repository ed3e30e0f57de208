//! The stream of the control table: what became of the record of a link or of a request
//! (docs/decisions/0031). The stream writes attributes as DynamoDB's JSON does, such as
//! `{"S": "text"}`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{LinkRecord, RequestRecord};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    StoreError,
    item::Item,
    links::{self, KIND as LINK},
    requests::{self, KIND as REQUEST},
};

const STREAM: &str = "the stream";

/// A record that was written.
#[derive(Debug)]
pub enum RecordChange {
    Link(Box<Update<LinkRecord>>),
    Request(Box<Update<RequestRecord>>),
}

/// A record as it was, if there was one, and as it is.
#[derive(Debug)]
pub struct Update<T> {
    pub before: Option<T>,
    pub after: T,
}

/// A record of the stream (`StreamRecord`, DynamoDB Streams API reference).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    keys: HashMap<String, Attribute>,
    new_image: Option<Value>,
    old_image: Option<Value>,
}

/// The types of attributes that items of the control table have.
#[derive(Deserialize)]
enum Attribute {
    S(String),
    N(String),
    #[serde(rename = "BOOL")]
    Bool(bool),
    #[serde(rename = "NULL")]
    Null(bool),
    L(Vec<Attribute>),
    M(HashMap<String, Attribute>),
}

impl RecordChange {
    /// Reads a record of the stream as Lambda passes it on: `None` if it is about another item, or
    /// about one that was removed.
    pub fn read(record: &Value) -> Result<Option<Self>, StoreError> {
        let images: Images = read(&record["dynamodb"])?;
        let Some(Attribute::S(key)) = images.keys.get("pk") else {
            return Err(StoreError::Corrupt(STREAM));
        };
        let kind = key.split_once('#').map(|(kind, _)| kind);
        let Some(new) = &images.new_image else {
            return Ok(None);
        };
        let old = images.old_image.as_ref();
        match kind {
            Some(LINK) => Ok(Some(Self::Link(update(old, new, links::record)?))),
            Some(REQUEST) => Ok(Some(Self::Request(update(old, new, requests::record)?))),
            _ => Ok(None),
        }
    }
}

fn update<T>(
    old: Option<&Value>,
    new: &Value,
    record: fn(Item) -> Result<T, StoreError>,
) -> Result<Box<Update<T>>, StoreError> {
    let of_image = |image| record(item(read(image)?));
    let before = old.map(of_image).transpose()?;
    let after = of_image(new)?;
    Ok(Box::new(Update { before, after }))
}

fn item(image: HashMap<String, Attribute>) -> Item {
    let attributes = image.into_iter();
    attributes
        .map(|(name, attribute)| (name, attribute.into()))
        .collect()
}

fn read<T: DeserializeOwned>(json: &Value) -> Result<T, StoreError> {
    T::deserialize(json).map_err(|_| StoreError::Corrupt(STREAM))
}

impl From<Attribute> for AttributeValue {
    fn from(attribute: Attribute) -> Self {
        match attribute {
            Attribute::S(text) => Self::S(text),
            Attribute::N(digits) => Self::N(digits),
            Attribute::Bool(truth) => Self::Bool(truth),
            Attribute::Null(truth) => Self::Null(truth),
            Attribute::L(elements) => Self::L(elements.into_iter().map(Self::from).collect()),
            Attribute::M(fields) => Self::M(item(fields)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A stored item, as DynamoDB's JSON has it.
    fn golden(name: &str) -> Value {
        let path = format!(
            "{}/../tests/data/items/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn record(old: Option<&str>, new: Option<&str>) -> Value {
        let (old, new) = (old.map(golden), new.map(golden));
        let pk = new.as_ref().or(old.as_ref()).unwrap()["pk"].clone();
        let mut record = json!({"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": pk}}});
        for (name, image) in [("OldImage", old), ("NewImage", new)] {
            if let Some(image) = image {
                record["dynamodb"][name] = image;
            }
        }
        record
    }

    #[test]
    fn every_stored_record_is_read_from_the_stream() {
        for name in ["link", "link-collected", "link-erased", "link-held"] {
            let change = RecordChange::read(&record(Some("link-unconfirmed"), Some(name)));
            let Ok(Some(RecordChange::Link(update))) = change else {
                panic!("{name}: {change:?}");
            };
            assert!(update.before.is_some());
            assert_eq!(golden(name)["id"]["S"], json!(update.after.id), "{name}");
        }
        for name in ["collected", "expired", "failed", "incomplete", "ready"] {
            let name = format!("request-{name}");
            let change = RecordChange::read(&record(None, Some(&name)));
            let Ok(Some(RecordChange::Request(update))) = change else {
                panic!("{name}: {change:?}");
            };
            assert!(update.before.is_none());
            assert_eq!(golden(&name)["id"]["S"], json!(update.after.id), "{name}");
        }
    }

    #[test]
    fn what_was_removed_and_what_is_no_record_says_nothing() {
        for (old, new) in [(Some("link"), None), (None, Some("quota"))] {
            let change = RecordChange::read(&record(old, new));
            assert!(matches!(change, Ok(None)), "{change:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let mut unreadable = record(None, Some("link"));
        unreadable["dynamodb"]["NewImage"]["id"] = json!({"S": "not an id"});
        let mut unknown = record(Some("link"), Some("link"));
        unknown["dynamodb"]["OldImage"]["id"] = json!({"S": "not an id"});
        for record in [
            unreadable,
            unknown,
            json!({}),
            json!({"dynamodb": {"Keys": {}}}),
        ] {
            let change = RecordChange::read(&record);
            assert!(matches!(change, Err(StoreError::Corrupt(_))), "{change:?}");
        }
    }
}
