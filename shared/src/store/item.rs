//! Converts JSON to DynamoDB's attribute values and back, without loss. `serde_dynamo` is not
//! used: it would store the numbers of `serde_json`'s `arbitrary_precision` as maps.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{RequestId, Timestamp};
use serde_json::{Map, Number, Value};

/// An item as DynamoDB's client has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// DynamoDB nests 32 levels deep; a document starts at the second level.
const DEEPEST: usize = 30;
/// DynamoDB keeps 38 significant digits.
const MOST_DIGITS: usize = 38;

/// The value as an attribute, or `None` where DynamoDB would not keep it exactly.
pub(super) fn attribute(value: Value) -> Option<AttributeValue> {
    is_kept(&value).then(|| kept_attribute(value))
}

/// Whether DynamoDB keeps a value exactly. It would round some numbers, and takes neither deep
/// nesting nor empty field names. (Limits: "Constraints in Amazon DynamoDB", developer guide.)
pub(super) fn is_kept(value: &Value) -> bool {
    is_kept_at(0, value)
}

fn is_kept_at(depth: usize, value: &Value) -> bool {
    let nested = |value: &Value| is_kept_at(depth + 1, value);
    depth <= DEEPEST
        && match value {
            Value::Null | Value::Bool(_) | Value::String(_) => true,
            Value::Number(number) => is_exact(number),
            Value::Array(elements) => elements.iter().all(nested),
            Value::Object(fields) => fields
                .iter()
                .all(|(name, field)| !name.is_empty() && nested(field)),
        }
}

/// The attribute of a value for which [`is_kept`] holds.
pub(super) fn kept_attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::N(number.as_str().to_owned()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(elements) => {
            AttributeValue::L(elements.into_iter().map(kept_attribute).collect())
        }
        Value::Object(fields) => AttributeValue::M(
            fields
                .into_iter()
                .map(|(name, field)| (name, kept_attribute(field)))
                .collect(),
        ),
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
fn is_exact(number: &Number) -> bool {
    let text = number.as_str();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    digits <= MOST_DIGITS && !text.contains(['e', 'E'])
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
        is_kept(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_document_survives_the_store() {
        let sent: Value = serde_json::from_str(
            r#"{"null": null, "empty": "", "amount": 123456789012345.1234, "list": [1, {"deep": [true, []]}],
                "accents": "Padaria São João"}"#,
        )
        .unwrap();
        assert_eq!(value(attribute(sent.clone()).unwrap()).unwrap(), sent);
    }

    #[test]
    fn a_value_that_dynamodb_would_change_is_not_given_to_it() {
        assert!(kept("12345678901234567890123456789012345678"));
        assert!(!kept("123456789012345678901234567890123456789"));
        assert!(kept("-0.0000000000000000000000000000000000001"));
        assert!(!kept("1e2") && !kept("0E500"));
        assert!(!kept(r#"{"": 1}"#));
    }

    #[test]
    fn nesting_beyond_dynamodbs_is_not_given_to_it() {
        let nest = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(is_kept(&nest(DEEPEST)));
        assert!(!is_kept(&nest(DEEPEST + 1)));
    }
}
