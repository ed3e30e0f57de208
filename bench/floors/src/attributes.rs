//! Items in DynamoDB's JSON, as the SDK takes them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use lambda_runtime::Error;
use serde_json::{Map, Value};

/// The attributes of an item, or of a map in it ("Low-level API", DynamoDB developer guide).
pub fn item(fields: Map<String, Value>) -> Result<HashMap<String, AttributeValue>, Error> {
    let attributes = fields
        .into_iter()
        .map(|(name, typed)| Ok((name, attribute(typed)?)));
    attributes.collect()
}

/// The value in `{"S": "text"}` and its like; of the types that rows have.
fn attribute(typed: Value) -> Result<AttributeValue, Error> {
    let field = match typed {
        Value::Object(fields) => fields.into_iter().next(),
        _ => None,
    };
    let (kind, value) = field.ok_or("an attribute has no type")?;
    Ok(match (kind.as_str(), value) {
        ("S", Value::String(text)) => AttributeValue::S(text),
        ("N", Value::String(number)) => AttributeValue::N(number),
        ("BOOL", Value::Bool(truth)) => AttributeValue::Bool(truth),
        ("NULL", Value::Bool(_)) => AttributeValue::Null(true),
        ("L", Value::Array(elements)) => AttributeValue::L(
            elements
                .into_iter()
                .map(attribute)
                .collect::<Result<_, _>>()?,
        ),
        ("M", Value::Object(fields)) => AttributeValue::M(item(fields)?),
        (kind, _) => return Err(format!("rows have no attributes of type {kind}").into()),
    })
}
