//! DynamoDB's operations, performed by dynoxide.

use dynoxide::{Database, types::ConsumedCapacity};

use super::{asked::Consumed, refusal::Refusal};

/// The answer to an operation, and what it consumed.
pub(super) struct Performed {
    pub(super) answer: Vec<u8>,
    pub(super) consumed: Consumed,
}

/// Performs an operation and takes the consumed capacity out of the answer, since functions do not
/// ask for it. A macro, because dynoxide has a type and a method for each operation.
macro_rules! perform {
    ($database:ident, $body:ident, $consumed:ident, $operation:ident, $request:ident) => {{
        let mut request: dynoxide::actions::$operation::$request = serde_json::from_slice($body)?;
        request.return_consumed_capacity = Some("INDEXES".to_owned());
        let mut response = $database.$operation(request)?;
        let consumed = response.consumed_capacity.take();
        let tables = consumed.map(Tables::into_tables).unwrap_or_default();
        Ok(Performed {
            answer: serde_json::to_vec(&response)?,
            consumed: Consumed::$consumed(tables),
        })
    }};
}

pub(super) fn perform(db: &Database, operation: &str, body: &[u8]) -> Result<Performed, Refusal> {
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
}

impl Tables for ConsumedCapacity {
    fn into_tables(self) -> Vec<ConsumedCapacity> {
        vec![self]
    }
}

impl Tables for Vec<ConsumedCapacity> {
    fn into_tables(self) -> Vec<ConsumedCapacity> {
        self
    }
}
