//! The requests of a batch of writes, each as the JSON that is sent (`BatchWriteItem`, DynamoDB's
//! API reference).

use aws_sdk_dynamodb::types::WriteRequest as UnprocessedRequest;
use serde::Serialize;

use super::{document::DocumentItem, partition::NAME};
use crate::store::{
    StoreError,
    attributes::{Sent, append_ours},
    item::Item,
};

/// A request to put or to delete an item.
#[derive(Clone)]
pub(super) struct WriteRequest(String);

#[derive(Serialize)]
enum Request<'a> {
    PutRequest {
        #[serde(rename = "Item")]
        item: Sent<'a>,
    },
    DeleteRequest {
        #[serde(rename = "Key")]
        key: Sent<'a>,
    },
}

impl WriteRequest {
    pub(super) fn put(item: &Item) -> Result<Self, StoreError> {
        Self::of(&Request::PutRequest { item: Sent(item) })
    }

    /// A request to put a document, with the attributes beside it.
    pub(super) fn put_document(document: DocumentItem<'_>) -> Result<Self, StoreError> {
        let mut put = document.put;
        append_ours(&mut put, &document.ours).ok_or(StoreError::Corrupt(NAME))?;
        put.push_str("}}}");
        Ok(Self(put))
    }

    pub(super) fn delete(key: &Item) -> Result<Self, StoreError> {
        Self::of(&Request::DeleteRequest { key: Sent(key) })
    }

    /// A request that DynamoDB has left undone.
    pub(super) fn again(request: &UnprocessedRequest) -> Result<Self, StoreError> {
        match (&request.put_request, &request.delete_request) {
            (Some(put), _) => Self::put(put.item()),
            (None, Some(delete)) => Self::delete(delete.key()),
            (None, None) => Err(StoreError::Corrupt(NAME)),
        }
    }

    fn of(request: &Request<'_>) -> Result<Self, StoreError> {
        let json = serde_json::to_string(request);
        json.map(Self).map_err(|_| StoreError::Corrupt(NAME))
    }
}

/// The body of a `BatchWriteItem` of requests to one table.
pub(super) fn body(table: &str, requests: &[WriteRequest], with_capacity: bool) -> String {
    let sizes = requests.iter().map(|request| request.0.len() + 1);
    let mut body = String::with_capacity(sizes.sum::<usize>() + 100 + table.len());
    body.push_str(r#"{"RequestItems":{"#);
    // The name of a table has nothing to be escaped.
    body.extend(["\"", table, "\":["]);
    for (place, request) in requests.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(&request.0);
    }
    body.push_str("]}");
    if with_capacity {
        body.push_str(r#","ReturnConsumedCapacity":"TOTAL""#);
    }
    body.push('}');
    body
}
