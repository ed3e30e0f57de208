//! The tables of template.yaml, which is the only description of them, without a deployed stack.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::{Value, json};

/// The table of requests, as the template calls it.
pub const REQUESTS_TABLE: &str = "RequestsTable";
/// That of rows and accounts.
pub const TRANSACTIONS_TABLE: &str = "TransactionsTable";

/// The template; its intrinsic functions (`!Ref`, `!Sub`) stand in no field that is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(default)]
    properties: Table,
}

/// The properties of a table; of any other resource, nothing.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Table {
    attribute_definitions: Value,
    key_schema: Value,
    global_secondary_indexes: Vec<Value>,
}

static TABLES: LazyLock<[Value; 2]> = LazyLock::new(read_tables);

/// The two tables, each as DynamoDB is asked to make it, under its name in the template.
#[must_use]
pub fn tables_of_template() -> [Value; 2] {
    TABLES.clone()
}

fn read_tables() -> [Value; 2] {
    let text = include_str!("../../../../template.yaml");
    let template: Template = serde_saphyr::from_str(text).expect("a template");
    [REQUESTS_TABLE, TRANSACTIONS_TABLE].map(|name| {
        let Table {
            attribute_definitions,
            key_schema,
            global_secondary_indexes,
        } = &template.resources[name].properties;
        let mut table = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": attribute_definitions,
            "KeySchema": key_schema,
        });
        if !global_secondary_indexes.is_empty() {
            table["GlobalSecondaryIndexes"] = json!(global_secondary_indexes);
        }
        table
    })
}
