//! The fields that rows of each resource are known to have: one item for each resource.

use domain::{KnownFields, Resource};
use serde_json::{Value, json};

use super::{
    StoreError,
    error::was_written,
    item::{Item, attributes, document, number, text},
    table::Table,
};

const RECORD: &str = "the fields of a resource";

/// What is known, and the version of the item that says so.
#[derive(Debug, Clone)]
pub struct StoredFields {
    pub known: KnownFields,
    version: i64,
}

#[derive(Clone)]
pub struct FieldStore(Table);

impl FieldStore {
    pub(super) fn new(table: Table) -> Self {
        Self(table)
    }

    /// What is known of a resource; `None` before its first row.
    pub async fn of(&self, resource: Resource) -> Result<Option<StoredFields>, StoreError> {
        let item = self.0.item(key(resource)).await?;
        item.map(stored).transpose()
    }

    /// Records what is known now, unless somebody else has recorded something since `before` was
    /// read: then nothing is written, and the answer is `None`.
    pub async fn put(
        &self,
        resource: Resource,
        known: KnownFields,
        before: Option<&StoredFields>,
    ) -> Result<Option<StoredFields>, StoreError> {
        let version = before.map_or(1, |stored| stored.version + 1);
        let item = attributes(&json!(known).to_string());
        let mut item = item.ok_or(StoreError::Corrupt(RECORD))?;
        item.insert("pk".to_owned(), text(key(resource)));
        item.insert("version".to_owned(), number(version));

        let put = self.0.put(item);
        let put = match before {
            Some(stored) => put
                .condition_expression("version = :version")
                .expression_attribute_values(":version", number(stored.version)),
            None => put.condition_expression("attribute_not_exists(pk)"),
        };
        let is_written = was_written(put.send().await)?;
        Ok(is_written.then_some(StoredFields { known, version }))
    }
}

fn key(resource: Resource) -> String {
    format!("fields#{}", resource.name())
}

fn stored(item: Item) -> Result<StoredFields, StoreError> {
    let version = item.get("version").and_then(|it| it.as_n().ok());
    let version = version.and_then(|digits| digits.parse().ok());
    let known = document(item).and_then(|document| {
        // Its other attributes are the key and the version.
        serde_json::from_value(Value::Object(document)).ok()
    });
    match (known, version) {
        (Some(known), Some(version)) => Ok(StoredFields { known, version }),
        _ => Err(StoreError::Corrupt(RECORD)),
    }
}
