//! What can go wrong with the store.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        batch_get_item::BatchGetItemError, batch_write_item::BatchWriteItemError,
        delete_item::DeleteItemError, get_item::GetItemError, put_item::PutItemError,
        query::QueryError, update_item::UpdateItemError,
    },
};
use thiserror::Error;

use crate::advice::{Advice, FIRST_RETRY};

/// A call to DynamoDB that failed after the SDK's own retries.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The call failed; a retry may succeed.
    #[error("DynamoDB did not answer {0}")]
    Unavailable(
        &'static str,
        #[source] Box<dyn std::error::Error + Send + Sync>,
    ),
    /// DynamoDB refused the call: a permission, a table or the call itself is wrong. A retry fails
    /// too.
    #[error("DynamoDB refused {0}")]
    Refused(
        &'static str,
        #[source] Box<dyn std::error::Error + Send + Sync>,
    ),
    /// DynamoDB does not take an item, such as one of more than 400 KB.
    #[error("DynamoDB does not take an item of {0}")]
    Invalid(
        &'static str,
        #[source] Box<dyn std::error::Error + Send + Sync>,
    ),
    /// DynamoDB kept leaving rows of a batch unread, as it does under throttling.
    #[error("DynamoDB left {0} rows of a batch undone")]
    Throttled(usize),
    /// Other writers kept changing the same item; a retry may succeed.
    #[error("other writers kept changing the stored item of {0}")]
    Contended(&'static str),
    /// An item is not what this version writes. A retry fails too.
    #[error("a stored item of {0} cannot be read")]
    Corrupt(&'static str),
}

impl StoreError {
    /// What the caller does about it.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Unavailable(..) | Self::Throttled(_) | Self::Contended(_) => {
                Advice::Retry(FIRST_RETRY)
            }
            Self::Refused(..) | Self::Invalid(..) | Self::Corrupt(_) => Advice::Alarm,
        }
    }
}

macro_rules! unavailable {
    ($($error:ident => $operation:literal),* $(,)?) => {$(
        impl From<SdkError<$error>> for StoreError {
            fn from(error: SdkError<$error>) -> Self {
                if error.code() == Some("ValidationException") {
                    Self::Invalid($operation, Box::new(error))
                } else if is_refusal(&error) {
                    Self::Refused($operation, Box::new(error))
                } else {
                    Self::Unavailable($operation, Box::new(error))
                }
            }
        }
    )*};
}

unavailable! {
    BatchGetItemError => "BatchGetItem",
    BatchWriteItemError => "BatchWriteItem",
    DeleteItemError => "DeleteItem",
    GetItemError => "GetItem",
    PutItemError => "PutItem",
    QueryError => "Query",
    UpdateItemError => "UpdateItem",
}

/// Whether DynamoDB had too little capacity left ("Error handling with DynamoDB", developer guide).
pub(super) fn is_throttling(error: &impl ProvideErrorMetadata) -> bool {
    const THROTTLING: [&str; 3] = [
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    ];
    error.code().is_some_and(|code| THROTTLING.contains(&code))
}

/// Whether the answer is one of the 4xx that do not pass by themselves ("Error handling with
/// DynamoDB", developer guide: throttling is a 400 too).
fn is_refusal<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    const PASSING: [&str; 2] = ["LimitExceededException", "TransactionInProgressException"];
    let client_error = error
        .raw_response()
        .is_some_and(|response| response.status().is_client_error());
    let is_passing = error.code().is_some_and(|code| PASSING.contains(&code));
    client_error && !is_passing && !is_throttling(error)
}

/// Whether a conditional write was made: `false` if its condition did not hold.
pub(super) fn was_written<T, E: ProvideErrorMetadata>(
    outcome: Result<T, SdkError<E>>,
) -> Result<bool, StoreError>
where
    StoreError: From<SdkError<E>>,
{
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(error.into()),
    }
}
