//! DynamoDB: dynoxide in memory, with the tables of template.yaml.

use domain::{RESOURCES, Resource};
use dynoxide::Database;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use test_harness::{Refusal, TRANSACTIONS_TABLE};

use crate::{faults::Fault, world::World};

fn from<T: for<'de> Deserialize<'de>>(request: Value) -> T {
    serde_json::from_value(request).expect("a request")
}

/// Some items of a link: of its accounts and of every resource.
pub(crate) fn items_of(database: &Database, link: &str) -> Vec<Value> {
    let others = RESOURCES
        .iter()
        .filter(|resource| **resource != Resource::TRANSACTIONS);
    let others = others.map(|resource| format!("{link}/{}", resource.name()));
    let partitions = others.chain([link.to_owned()]);
    partitions
        .flat_map(|partition| items_in_partition(database, &partition))
        .collect()
}

fn items_in_partition(database: &Database, partition: &str) -> Vec<Value> {
    let request = json!({
        "TableName": TRANSACTIONS_TABLE,
        "KeyConditionExpression": "#link = :link",
        "ExpressionAttributeNames": {"#link": "_link"},
        "ExpressionAttributeValues": {":link": {"S": partition}},
    });
    let mut answer = json!(database.query(from(request)).expect("items"));
    let items = answer["Items"].as_array_mut().map(std::mem::take);
    items.unwrap_or_default()
}

/// Answers an operation. Of a batch, some items may be left undone.
pub(crate) fn perform(world: &World, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    // The stream has news of writes only.
    if !matches!(operation, "BatchGetItem" | "GetItem" | "Query") {
        world.written.notify_one();
    }
    let undone = match operation {
        "BatchWriteItem" => Some("UnprocessedItems"),
        "BatchGetItem" => Some("UnprocessedKeys"),
        _ => None,
    };
    let Some(undone) = undone.filter(|_| world.happens(Fault::UndoneItems)) else {
        return Ok(test_harness::perform(&world.tables, operation, body)?.answer);
    };
    let mut request: Value = serde_json::from_slice(body)?;
    let left = leave_some(world, &mut request["RequestItems"]);
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
        let mut undone = Vec::new();
        // At least one is done: of a batch of which none is, DynamoDB says that it is throttled.
        while items.len() > 1 && world.below(2) == 0 {
            undone.push(items.remove(world.below(items.len())));
        }
        if !undone.is_empty() {
            *items_in(&mut rest) = undone;
            left.insert(table.clone(), rest);
        }
    }
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
