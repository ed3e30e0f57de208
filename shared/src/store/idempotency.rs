//! Answers by `Idempotency-Key`, in the Requests table: an item `key#<SHA-256 of the key>`, kept for a day ("The
//! Idempotency-Key HTTP Header Field", IETF draft).

use aws_sdk_dynamodb::types::AttributeValue;
use sha2::{Digest as _, Sha256};

use super::{Requests, StoreError, error::was_written, item::text};
use crate::domain::{RequestId, Timestamp};

/// The longest that an answer takes: above the 29 seconds of the function that gives it.
const ANSWERING_S: i64 = 60;
const KEPT_S: i64 = 24 * 60 * 60;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyed {
    /// Nothing: the request is to be carried out, and then remembered or forgotten.
    Fresh,
    /// The same request was answered with this retrieval.
    Answered(RequestId),
    /// Another request had this key.
    OtherRequest,
    /// The same request is being carried out at this moment.
    InProgress,
}

impl Requests {
    /// Begins to carry out a request of this key. `fingerprint` tells equal requests from others.
    pub async fn begin(&self, idempotency_key: &str, fingerprint: &str, at: Timestamp) -> Result<Keyed, StoreError> {
        let pk = key(idempotency_key);
        let outcome = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(&pk))
            .update_expression("SET fingerprint = :fingerprint, since = :at, expires_at = :expires_at")
            // One that was begun and never answered was broken off; what it may have sent, its intent knows.
            .condition_expression(
                "attribute_not_exists(pk) OR (fingerprint = :fingerprint AND attribute_not_exists(#request) AND since < :long_ago)",
            )
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":fingerprint", text(fingerprint))
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":long_ago", text(at.plus_seconds(-ANSWERING_S).to_string()))
            .expression_attribute_values(
                ":expires_at",
                AttributeValue::N(at.plus_seconds(KEPT_S).unix_seconds().to_string()),
            )
            .send()
            .await;
        if was_written(outcome)? {
            return Ok(Keyed::Fresh);
        }
        let known = self.client.get_item().table_name(&self.table).key("pk", text(&pk)).consistent_read(true);
        let known = known.send().await?.item.unwrap_or_default();
        let same =
            known.get("fingerprint").and_then(|known| known.as_s().ok()).is_some_and(|known| known == fingerprint);
        let request = known.get("request").and_then(|id| RequestId::parse(id.as_s().ok()?).ok());
        Ok(match request {
            _ if !same && !known.is_empty() => Keyed::OtherRequest,
            Some(id) => Keyed::Answered(id),
            None => Keyed::InProgress,
        })
    }

    /// Remembers the retrieval that a request of this key was answered with.
    pub async fn answered(&self, idempotency_key: &str, id: &RequestId) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(key(idempotency_key)))
            .update_expression("SET #request = :request")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":request", text(id.as_str()))
            .send()
            .await?;
        Ok(())
    }

    /// Forgets a key whose request came to nothing, so that it can be sent again with the same key.
    pub async fn forget(&self, idempotency_key: &str) -> Result<(), StoreError> {
        self.client.delete_item().table_name(&self.table).key("pk", text(key(idempotency_key))).send().await?;
        Ok(())
    }
}

/// The key itself may be anything a caller has; its hash is a key of ours.
fn key(idempotency_key: &str) -> String {
    format!("key#{}", hex::encode(Sha256::digest(idempotency_key)))
}
