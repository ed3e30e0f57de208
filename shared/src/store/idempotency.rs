//! Answers by `Idempotency-Key`, in the Requests table: an item `key#<SHA-256 of the key>`, kept
//! for a day ("The Idempotency-Key HTTP Header Field", IETF draft).

use sha2::{Digest as _, Sha256};

use super::{
    Requests, StoreError,
    error::was_written,
    item::{number, request_id, text},
};
use crate::domain::{RequestId, SENDING_S, Timestamp};

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
    pub async fn begin(
        &self,
        idempotency_key: &str,
        fingerprint: &str,
        at: Timestamp,
    ) -> Result<Keyed, StoreError> {
        let pk = key(idempotency_key);
        let outcome = self
            .update_item(&pk)
            .update_expression("SET fingerprint = :fingerprint, since = :at, expires_at = :expires_at")
            // One that was begun and never answered was broken off; what it may have sent, its
            // intent knows.
            .condition_expression(
                "attribute_not_exists(pk) OR (fingerprint = :fingerprint AND attribute_not_exists(#request) AND since < :long_ago)",
            )
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":fingerprint", text(fingerprint))
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":long_ago", text(at.plus_seconds(-SENDING_S).to_string()))
            .expression_attribute_values(":expires_at", number(at.plus_seconds(KEPT_S).unix_seconds()))
            .send()
            .await;
        if was_written(outcome)? {
            return Ok(Keyed::Fresh);
        }
        let known = self.item(pk).await?.unwrap_or_default();
        let same = known
            .get("fingerprint")
            .and_then(|known| known.as_s().ok())
            .is_some_and(|known| known == fingerprint);
        Ok(match request_id(&known, "request") {
            _ if !same && !known.is_empty() => Keyed::OtherRequest,
            Some(id) => Keyed::Answered(id),
            None => Keyed::InProgress,
        })
    }

    /// Remembers the retrieval that a request of this key was answered with.
    pub async fn answered(&self, idempotency_key: &str, id: &RequestId) -> Result<(), StoreError> {
        self.update_item(key(idempotency_key))
            .update_expression("SET #request = :request")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":request", text(id.as_str()))
            .send()
            .await?;
        Ok(())
    }

    /// Forgets a key whose request came to nothing, so that it can be sent again with the same key.
    pub async fn forget(&self, idempotency_key: &str) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key("pk", text(key(idempotency_key)))
            .send()
            .await?;
        Ok(())
    }
}

/// The key itself may be anything a caller has; its hash is a key of ours.
fn key(idempotency_key: &str) -> String {
    format!("key#{}", hex::encode(Sha256::digest(idempotency_key)))
}
