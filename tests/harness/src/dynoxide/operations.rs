//! DynamoDB's operations, performed by dynoxide.

use dynoxide::{Database, types::ConsumedCapacity};

use super::Refusal;

/// The capacity that one operation consumed.
pub enum Consumed {
    Read(Vec<ConsumedCapacity>),
    Written(Vec<ConsumedCapacity>),
}

/// The answer to an operation, and what it consumed.
pub struct Performed {
    pub answer: Vec<u8>,
    pub consumed: Consumed,
    /// `false` if items of a batch were left undone.
    pub is_whole: bool,
}

/// Performs an operation and counts what it consumed, which the answer says only where it was asked
/// for, and then in total. A macro, because dynoxide has a type and a method for each operation.
macro_rules! perform {
    ($database:ident, $body:ident, $consumed:ident, $operation:ident, $request:ident) => {{
        let mut request: dynoxide::actions::$operation::$request = serde_json::from_slice($body)?;
        let asked = request
            .return_consumed_capacity
            .replace("INDEXES".to_owned());
        let mut response = $database.$operation(request)?;
        let consumed = response.consumed_capacity.take();
        if asked.is_some() {
            response.consumed_capacity = consumed.as_ref().map(Tables::totals);
        }
        let tables = consumed.map(Tables::into_tables).unwrap_or_default();
        Ok(Performed {
            answer: serde_json::to_vec(&response)?,
            consumed: Consumed::$consumed(tables),
            is_whole: true,
        })
    }};
}

/// Performs an operation, given its name and the body of its request.
pub fn perform(db: &Database, operation: &str, body: &[u8]) -> Result<Performed, Refusal> {
    match operation {
        "BatchGetItem" => perform!(db, body, Read, batch_get_item, BatchGetItemRequest),
        "GetItem" => perform!(db, body, Read, get_item, GetItemRequest),
        "Query" => perform!(db, body, Read, query, QueryRequest),
        "BatchWriteItem" => perform!(db, body, Written, batch_write_item, BatchWriteItemRequest),
        "DeleteItem" => perform!(db, body, Written, delete_item, DeleteItemRequest),
        "PutItem" => perform!(db, body, Written, put_item, PutItemRequest),
        "TransactWriteItems" => perform!(
            db,
            body,
            Written,
            transact_write_items,
            TransactWriteItemsRequest
        ),
        "UpdateItem" => perform!(db, body, Written, update_item, UpdateItemRequest),
        _ => Err(Refusal::unsupported(operation)),
    }
}

/// The consumed capacity as operations report it: of one table, or of several.
trait Tables {
    fn into_tables(self) -> Vec<ConsumedCapacity>;
    /// Without what each index consumed.
    fn totals(&self) -> Self;
}

impl Tables for ConsumedCapacity {
    fn totals(&self) -> Self {
        Self {
            table_name: self.table_name.clone(),
            capacity_units: self.capacity_units,
            ..Self::default()
        }
    }

    fn into_tables(self) -> Vec<ConsumedCapacity> {
        vec![self]
    }
}

impl Tables for Vec<ConsumedCapacity> {
    fn totals(&self) -> Self {
        self.iter().map(Tables::totals).collect()
    }

    fn into_tables(self) -> Vec<ConsumedCapacity> {
        self
    }
}
