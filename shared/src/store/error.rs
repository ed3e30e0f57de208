//! What can go wrong with the store.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{
        batch_get_item::BatchGetItemError, batch_write_item::BatchWriteItemError, get_item::GetItemError,
        put_item::PutItemError, query::QueryError, update_item::UpdateItemError,
    },
};
use thiserror::Error;

/// DynamoDB did not do what it was asked for, after the SDK's own retries.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The call failed; a repetition may succeed.
    #[error("DynamoDB did not answer {0}")]
    Unavailable(&'static str, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// DynamoDB kept leaving rows of a batch undone, as it does under throttling.
    #[error("DynamoDB left {0} rows of a batch undone")]
    Throttled(usize),
    /// An item is not what this version writes. A repetition fails too.
    #[error("a stored item of {0} cannot be read")]
    Corrupt(&'static str),
}

macro_rules! unavailable {
    ($($error:ident => $operation:literal),* $(,)?) => {$(
        impl From<SdkError<$error>> for StoreError {
            fn from(error: SdkError<$error>) -> Self {
                Self::Unavailable($operation, Box::new(error))
            }
        }
    )*};
}

unavailable! {
    BatchGetItemError => "BatchGetItem",
    BatchWriteItemError => "BatchWriteItem",
    GetItemError => "GetItem",
    PutItemError => "PutItem",
    QueryError => "Query",
    UpdateItemError => "UpdateItem",
}
