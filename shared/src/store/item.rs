//! JSON to DynamoDB's attribute values and back, without loss.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

use crate::domain::{RequestId, Timestamp};

/// An item as DynamoDB's client has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// DynamoDB nests 32 levels deep; a document starts at the second.
const DEEPEST: usize = 30;
/// DynamoDB keeps 38 significant digits.
const MOST_DIGITS: usize = 38;

/// The value as an attribute, or `None` where DynamoDB would change or refuse it: numbers it would round, nesting it
/// does not take, empty field names. (Limits: "Constraints in Amazon DynamoDB", developer guide.)
pub(super) fn attribute(value: &Value) -> Option<AttributeValue> {
    nested_attribute(value, 0)
}

fn nested_attribute(value: &Value, depth: usize) -> Option<AttributeValue> {
    if depth > DEEPEST {
        return None;
    }
    let nested = |value: &Value| nested_attribute(value, depth + 1);
    Some(match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Number(number) => AttributeValue::N(exact(number)?.to_owned()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(elements) => AttributeValue::L(elements.iter().map(nested).collect::<Option<_>>()?),
        Value::Object(fields) => AttributeValue::M(
            fields
                .iter()
                .map(|(name, field)| if name.is_empty() { None } else { Some((name.clone(), nested(field)?)) })
                .collect::<Option<_>>()?,
        ),
    })
}

/// The attribute as a value, or `None` for the types that this pipeline never writes into a document.
pub(super) fn value(attribute: AttributeValue) -> Option<Value> {
    Some(match attribute {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::N(digits) => Value::Number(digits.parse::<Number>().ok()?),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(elements) => Value::Array(elements.into_iter().map(value).collect::<Option<_>>()?),
        AttributeValue::M(fields) => Value::Object(document(fields)?),
        _ => return None,
    })
}

/// The item as a JSON object.
pub(super) fn document(item: Item) -> Option<Map<String, Value>> {
    item.into_iter().map(|(name, attribute)| Some((name, value(attribute)?))).collect()
}

/// The number's text, if DynamoDB surely keeps its value: a plain decimal of no more digits than it has. Belvo's amounts
/// are such; what is written with an exponent or longer is not worth a rule about where exactness ends.
fn exact(number: &Number) -> Option<&str> {
    let text = number.as_str();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (digits <= MOST_DIGITS && !text.contains(['e', 'E'])).then_some(text)
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
        attribute(&serde_json::from_str(json).unwrap()).is_some()
    }

    #[test]
    fn a_document_survives_the_store() {
        let sent: Value = serde_json::from_str(
            r#"{"null": null, "empty": "", "amount": 123456789012345.1234, "list": [1, {"deep": [true, []]}],
                "accents": "Padaria São João"}"#,
        )
        .unwrap();
        assert_eq!(value(attribute(&sent).unwrap()).unwrap(), sent);
    }

    #[test]
    fn what_dynamodb_would_change_is_not_given_to_it() {
        assert!(kept("12345678901234567890123456789012345678"));
        assert!(!kept("123456789012345678901234567890123456789"));
        assert!(kept("-0.0000000000000000000000000000000000001"));
        assert!(!kept("1e2") && !kept("0E500"));
        assert!(!kept(r#"{"": 1}"#));
    }

    #[test]
    fn nesting_beyond_dynamodbs_is_not_given_to_it() {
        let nest = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(attribute(&nest(DEEPEST)).is_some());
        assert!(attribute(&nest(DEEPEST + 1)).is_none());
    }
}
