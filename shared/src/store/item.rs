//! Converts JSON to DynamoDB's attribute values and back, without loss. `serde_dynamo` is not
//! used: it would store the numbers of `serde_json`'s `arbitrary_precision` as maps.

use std::{collections::HashMap, fmt};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{RequestId, Timestamp};
use serde::{
    Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Number, Value, value::RawValue};

/// An item as DynamoDB's client has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// DynamoDB nests 32 levels deep; a document starts at the second level.
pub(super) const DEEPEST: usize = 30;
/// The fields of a transaction, and ours.
pub(super) const USUAL_FIELDS: usize = 28;
/// DynamoDB keeps 38 significant digits.
const MOST_DIGITS: usize = 38;

/// A JSON text as an attribute, or `None` where DynamoDB would not keep it exactly: it would round
/// some numbers, and takes neither deep nesting nor empty field names (limits: "Constraints in
/// Amazon DynamoDB", developer guide). Text that is not Unicode is no attribute either.
pub(super) fn attribute(json: &str) -> Option<AttributeValue> {
    attribute_at(0, json)
}

/// The fields of a JSON object as attributes; `None` if one of them is none.
pub(super) fn attributes(object: &str) -> Option<Item> {
    attributes_at(0, object)
}

fn attribute_at(depth: usize, json: &str) -> Option<AttributeValue> {
    if depth > DEEPEST {
        return None;
    }
    Some(match json.as_bytes().first()? {
        b'n' => AttributeValue::Null(true),
        b't' => AttributeValue::Bool(true),
        b'f' => AttributeValue::Bool(false),
        b'"' => AttributeValue::S(serde_json::from_str(json).ok()?),
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            let attributes = elements
                .into_iter()
                .map(|element| attribute_at(depth + 1, element.get()));
            AttributeValue::L(attributes.collect::<Option<_>>()?)
        }
        b'{' => AttributeValue::M(attributes_at(depth + 1, json)?),
        _ if is_exact(json) => AttributeValue::N(json.to_owned()),
        _ => return None,
    })
}

fn attributes_at(depth: usize, object: &str) -> Option<Item> {
    let mut json = serde_json::Deserializer::from_str(object);
    json.deserialize_map(Fields { depth }).ok()
}

/// Makes attributes of an object's fields while they are read: a map of values in between would
/// cost a fifth more instructions.
struct Fields {
    depth: usize,
}

impl<'de> Visitor<'de> for Fields {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields that DynamoDB keeps")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Item, A::Error> {
        let fields_here = if self.depth == 0 { USUAL_FIELDS } else { 0 };
        let mut item = Item::with_capacity(fields_here);
        while let Some((name, value)) = fields.next_entry::<String, &RawValue>()? {
            let attribute = attribute_at(self.depth, value.get());
            let attribute = attribute.filter(|_| !name.is_empty());
            item.insert(name, attribute.ok_or_else(|| A::Error::custom("not kept"))?);
        }
        Ok(item)
    }
}

/// The attribute as a value, or `None` for the types that this pipeline never writes into a
/// document.
pub(super) fn value(attribute: AttributeValue) -> Option<Value> {
    Some(match attribute {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::N(digits) => Value::Number(digits.parse::<Number>().ok()?),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(elements) => {
            Value::Array(elements.into_iter().map(value).collect::<Option<_>>()?)
        }
        AttributeValue::M(fields) => Value::Object(document(fields)?),
        _ => return None,
    })
}

/// The item as a JSON object.
pub(super) fn document(item: Item) -> Option<Map<String, Value>> {
    item.into_iter()
        .map(|(name, attribute)| Some((name, value(attribute)?)))
        .collect()
}

/// Whether DynamoDB keeps a number exactly: a plain decimal with no more digits than DynamoDB
/// keeps, as Belvo's amounts are. Longer numbers and exponents count as inexact, which is simpler
/// than a rule about where exactness ends.
pub(super) fn is_exact(number: &str) -> bool {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    digits <= MOST_DIGITS && !number.contains(['e', 'E'])
}

pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(number: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

/// An instant in an item, if there is one.
pub(super) fn timestamp(item: &Item, name: &str) -> Option<Timestamp> {
    Timestamp::parse(item.get(name)?.as_s().ok()?)
}

/// The id of a retrieval in an item, if there is one.
pub(super) fn request_id(item: &Item, name: &str) -> Option<RequestId> {
    RequestId::parse(item.get(name)?.as_s().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(json: &str) -> bool {
        attribute(json).is_some()
    }

    #[test]
    fn a_document_survives_the_store() {
        let sent: Value = serde_json::from_str(
            r#"{"null": null, "empty": "", "amount": 123456789012345.1234, "list": [1, {"deep": [true, []]}],
                "accents": "Padaria São João"}"#,
        )
        .unwrap();
        let stored = attribute(&sent.to_string()).unwrap();
        assert_eq!(value(stored).unwrap(), sent);
    }

    #[test]
    fn a_value_that_dynamodb_would_change_is_not_given_to_it() {
        assert!(kept("12345678901234567890123456789012345678"));
        assert!(!kept("123456789012345678901234567890123456789"));
        assert!(kept("-0.0000000000000000000000000000000000001"));
        assert!(!kept("1e2") && !kept("0E500"));
        assert!(!kept(r#"{"": 1}"#) && !kept(r#"["\ud800"]"#));
    }

    #[test]
    fn nesting_beyond_dynamodbs_is_not_given_to_it() {
        let nest = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(kept(&nest(DEEPEST).to_string()));
        assert!(!kept(&nest(DEEPEST + 1).to_string()));
    }
}
