//! DynamoDB's attribute values, and the record of a retrieval.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use lambda_http::Error;
use serde_json::{Map, Value};

/// The table of records.
pub struct Record {
    dynamodb: Client,
    table: String,
}

impl Record {
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// Adds facts to the record of a retrieval; those that are learned `once` stay as they are,
    /// whoever came first.
    pub async fn update(
        &self,
        request: &str,
        facts: Value,
        once: Value,
        ended: bool,
    ) -> Result<(), Error> {
        let (facts, once) = (object(facts), object(once));
        let assignments = facts
            .keys()
            .map(|name| format!("#{name} = :{name}"))
            .chain(
                once.keys()
                    .map(|name| format!("#{name} = if_not_exists(#{name}, :{name})")),
            )
            .collect::<Vec<_>>()
            .join(", ");
        let ending = if ended { " REMOVE due, due_at" } else { "" };

        let mut update = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(format!("request#{request}")))
            .update_expression(format!("SET {assignments}{ending}"));
        for (name, value) in facts.into_iter().chain(once) {
            update = update
                .expression_attribute_names(format!("#{name}"), &name)
                .expression_attribute_values(format!(":{name}"), attribute(value));
        }
        update.send().await?;
        Ok(())
    }
}

/// The fields of an object; none of any other value.
#[must_use]
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// An object as an item.
#[must_use]
pub fn item(fields: Map<String, Value>) -> HashMap<String, AttributeValue> {
    let attributes = fields
        .into_iter()
        .map(|(name, value)| (name, attribute(value)));
    attributes.collect()
}

/// A JSON value as an attribute's.
fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(elements) => AttributeValue::L(elements.into_iter().map(attribute).collect()),
        Value::Object(fields) => AttributeValue::M(item(fields)),
    }
}
