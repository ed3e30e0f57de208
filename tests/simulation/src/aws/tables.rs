//! DynamoDB: dynoxide in memory, with the tables of template.yaml.

use std::{fs, path::Path};

use dynoxide::Database;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use test_harness::Refusal;

use crate::{
    faults::Fault,
    settings::{REQUESTS_TABLE, TRANSACTIONS_TABLE},
    world::World,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: Resources,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resources {
    requests_table: Table,
    transactions_table: Table,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    attribute_definitions: Value,
    key_schema: Value,
    #[serde(default)]
    global_secondary_indexes: Value,
}

/// A database with both tables, empty, and the position before anything in the stream of requests.
pub(crate) fn database() -> (Database, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    let text = fs::read_to_string(path).expect("template.yaml");
    let Template { resources } = serde_saphyr::from_str(&text).expect("a template");
    let database = Database::memory().expect("a database");
    create(&database, REQUESTS_TABLE, resources.requests_table);
    create(&database, TRANSACTIONS_TABLE, resources.transactions_table);
    let start = start_of_stream(&database);
    (database, start)
}

fn create(database: &Database, name: &str, table: Table) {
    let described = table.properties;
    let mut request = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": described.attribute_definitions,
        "KeySchema": described.key_schema,
    });
    if name == REQUESTS_TABLE {
        request["StreamSpecification"] =
            json!({"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"});
    }
    if described.global_secondary_indexes.is_array() {
        request["GlobalSecondaryIndexes"] = described.global_secondary_indexes;
    }
    let request = serde_json::from_value(request).expect("a table");
    database.create_table(request).expect("a new table");
}

fn start_of_stream(database: &Database) -> String {
    let streams = database.list_streams(from(json!({}))).expect("streams");
    let arn = json!(streams)["Streams"][0]["StreamArn"].take();
    let described = database.describe_stream(from(json!({ "StreamArn": arn })));
    let described = json!(described.expect("a stream"));
    let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
    let start = json!({
        "StreamArn": arn,
        "ShardId": shard,
        "ShardIteratorType": "TRIM_HORIZON",
    });
    let start = database
        .get_shard_iterator(from(start))
        .expect("a position");
    start.shard_iterator.expect("a position")
}

fn from<T: for<'de> Deserialize<'de>>(request: Value) -> T {
    serde_json::from_value(request).expect("a request")
}

/// The next records of the stream, with the position after them.
pub(crate) fn records(database: &Database, position: &str, most: usize) -> (Vec<Value>, String) {
    let request = json!({"ShardIterator": position, "Limit": most});
    let answer = database.get_records(from(request)).expect("records");
    let records = answer.records.iter().map(|record| json!(record)).collect();
    let next = answer.next_shard_iterator.expect("an open shard");
    (records, next)
}

/// The items of a link, of all resources.
pub(crate) fn items_of(database: &Database, link: &str) -> Vec<Value> {
    let request = json!({
        "TableName": TRANSACTIONS_TABLE,
        "KeyConditionExpression": "#link = :link",
        "ExpressionAttributeNames": {"#link": "_link"},
        "ExpressionAttributeValues": {":link": {"S": link}},
    });
    let mut answer = json!(database.query(from(request)).expect("items"));
    let items = answer["Items"].as_array_mut().map(std::mem::take);
    items.unwrap_or_default()
}

/// Answers an operation. Of a batch, some items may be left undone.
pub(crate) fn perform(world: &World, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    world.written.notify_one();
    let undone = match operation {
        "BatchWriteItem" => "UnprocessedItems",
        "BatchGetItem" => "UnprocessedKeys",
        _ => return Ok(test_harness::perform(&world.tables, operation, body)?.answer),
    };
    if !world.happens(Fault::UndoneItems) {
        return Ok(test_harness::perform(&world.tables, operation, body)?.answer);
    }
    let mut request: Value = serde_json::from_slice(body)?;
    let left = leave_some(world, &mut request["RequestItems"]);
    if request["RequestItems"] == json!({}) {
        return Ok(serde_json::to_vec(
            &json!({ undone: left, "Responses": {} }),
        )?);
    }
    let done = test_harness::perform(&world.tables, operation, &serde_json::to_vec(&request)?)?;
    let mut answer: Value = serde_json::from_slice(&done.answer)?;
    answer[undone] = left;
    Ok(serde_json::to_vec(&answer)?)
}

/// Takes some items out of a batch and returns them.
fn leave_some(world: &World, batch: &mut Value) -> Value {
    let mut left = Map::new();
    let tables = batch.as_object_mut().expect("tables");
    for (table, entry) in tables.iter_mut() {
        let mut rest = entry.clone();
        let items = items_in(entry);
        let kept = world.below(items.len() + 1);
        let undone = items.split_off(kept);
        if !undone.is_empty() {
            *items_in(&mut rest) = undone;
            left.insert(table.clone(), rest);
        }
    }
    tables.retain(|_, entry| !items_in(entry).is_empty());
    Value::Object(left)
}

/// The items of a table in a batch: a list, or a list with settings around it.
fn items_in(entry: &mut Value) -> &mut Vec<Value> {
    let entry = if entry.is_array() {
        entry
    } else {
        &mut entry["Keys"]
    };
    entry.as_array_mut().expect("items")
}
