//! DynamoDB's operations on a table whose partitions have a limit. A batch does the items for which
//! their partitions have units and returns the others; it is refused if there are units for none
//! (`BatchWriteItem` and `BatchGetItem`, Amazon DynamoDB API reference). Any other operation is
//! refused as a whole.

use dynoxide::{
    Database,
    errors::DynoxideError,
    types::{Item, item_size, write_capacity_units},
};
use serde_json::{Map, Value};
use test_harness::{Consumed, Performed, Refusal};

use super::partitions::{Kind, Partitions};

/// What an operation consumes at least; more is charged once it is known.
const LEAST: f64 = 1.0;

/// Performs an operation as far as the partitions have units for it.
pub(super) fn perform(
    db: &Database,
    partitions: &Partitions,
    operation: &str,
    body: &[u8],
) -> Result<Performed, Refusal> {
    let mut request: Value = serde_json::from_slice(body)?;
    let items = &mut request["RequestItems"];
    let Some(items) = items.as_object_mut() else {
        return single(db, partitions, operation, &request);
    };

    let mut taken = Taken::default();
    let (list, undone_name) = match operation {
        "BatchWriteItem" => (None, "UnprocessedItems"),
        _ => (Some("Keys"), "UnprocessedKeys"),
    };
    let undone = take_batch(partitions, items, list, &mut taken)?;
    if taken.partition.is_some() && taken.units <= 0.0 {
        return Err(exceeded());
    }

    let mut performed = test_harness::perform(db, operation, &serde_json::to_vec(&request)?)?;
    charge(partitions, &taken, &performed);
    if !undone.is_empty() {
        performed.is_whole = false;
        let mut answer: Value = serde_json::from_slice(&performed.answer)?;
        answer[undone_name] = undone.into();
        performed.answer = serde_json::to_vec(&answer)?;
    }
    Ok(performed)
}

/// What was taken for an operation, and from where: of a batch with several partitions, the first.
#[derive(Default)]
struct Taken {
    partition: Option<(String, Kind)>,
    units: f64,
}

/// Takes the units of a batch, item by item, and takes out of the request what gets none.
fn take_batch(
    partitions: &Partitions,
    tables: &mut Map<String, Value>,
    list: Option<&str>,
    taken: &mut Taken,
) -> Result<Map<String, Value>, Refusal> {
    let mut undone = Map::new();
    for (table, entry) in &mut *tables {
        let mut rest = entry.clone();
        let entries = entries(entry, list)?;
        let (mut done, mut left) = (Vec::new(), Vec::new());
        for one in std::mem::take(entries) {
            if take(partitions, &one, taken)? {
                done.push(one);
            } else {
                left.push(one);
            }
        }
        *entries = done;
        if !left.is_empty() {
            *self::entries(&mut rest, list)? = left;
            undone.insert(table.clone(), rest);
        }
    }
    tables.retain(|_, entry| self::entries(entry, list).is_ok_and(|entries| !entries.is_empty()));
    Ok(undone)
}

/// The items of a table in a batch: a list, or a list with settings around it.
fn entries<'a>(
    entry: &'a mut Value,
    list: Option<&str>,
) -> Result<&'a mut Vec<Value>, DynoxideError> {
    let entries = match list {
        Some(name) => &mut entry[name],
        None => entry,
    };
    let none = || DynoxideError::ValidationException("a batch without items".to_owned());
    entries.as_array_mut().ok_or_else(none)
}

/// Takes the units of an item to write, or of a key to read.
fn take(partitions: &Partitions, one: &Value, taken: &mut Taken) -> Result<bool, Refusal> {
    let put = &one["PutRequest"]["Item"];
    let delete = &one["DeleteRequest"]["Key"];
    let (key, kind, units) = if put.is_object() {
        let item: Item = serde_json::from_value(put.clone())?;
        (put, Kind::Write, write_capacity_units(item_size(&item)))
    } else if delete.is_object() {
        (delete, Kind::Write, LEAST)
    } else {
        (one, Kind::Read, LEAST)
    };
    let Some(partition) = key["_link"]["S"].as_str() else {
        return Ok(true);
    };

    let has_units = partitions.take(partition, kind, units);
    let from = &mut taken.partition;
    from.get_or_insert_with(|| (partition.to_owned(), kind));
    if has_units {
        taken.units += units;
    }
    Ok(has_units)
}

/// Performs an operation on one item, or a query, if its partition has any units.
fn single(
    db: &Database,
    partitions: &Partitions,
    operation: &str,
    request: &Value,
) -> Result<Performed, Refusal> {
    let kind = match operation {
        "GetItem" | "Query" => Kind::Read,
        _ => Kind::Write,
    };
    let partition = partition(request).map(|partition| (partition.to_owned(), kind));
    let mut taken = Taken::default();
    if let Some((partition, kind)) = partition {
        if !partitions.take(&partition, kind, LEAST) {
            return Err(exceeded());
        }
        taken.units = LEAST;
        taken.partition = Some((partition, kind));
    }

    let performed = test_harness::perform(db, operation, &serde_json::to_vec(request)?)?;
    charge(partitions, &taken, &performed);
    Ok(performed)
}

/// The partition of an operation on one item, or of a query, whose condition starts with it.
fn partition(request: &Value) -> Option<&str> {
    let value = match request["KeyConditionExpression"].as_str() {
        Some(condition) => {
            let mut words = condition.split_whitespace();
            let name = request["ExpressionAttributeNames"][words.next()?].as_str();
            let value = words.nth(1)?;
            (name == Some("_link")).then(|| &request["ExpressionAttributeValues"][value])?
        }
        None if request["Item"].is_object() => &request["Item"]["_link"],
        None => &request["Key"]["_link"],
    };
    value["S"].as_str()
}

/// Charges what an operation consumed beyond what was taken for it.
fn charge(partitions: &Partitions, taken: &Taken, performed: &Performed) {
    let (Consumed::Read(tables) | Consumed::Written(tables)) = &performed.consumed;
    let consumed = tables
        .iter()
        .fold(0.0, |sum, table| sum + table.capacity_units);
    if let Some((partition, kind)) = &taken.partition {
        partitions.charge(partition, *kind, consumed - taken.units);
    }
}

fn exceeded() -> Refusal {
    let message = "The level of configured provisioned throughput for the table was exceeded.";
    DynoxideError::ProvisionedThroughputExceededException(message.to_owned()).into()
}
