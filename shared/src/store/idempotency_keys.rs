//! Answers by `Idempotency-Key`, kept for a day ("The Idempotency-Key HTTP Header Field", IETF
//! draft).

use domain::{RequestId, SENDING_S, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{
    StoreError,
    error::was_written,
    item::{Item, number, request_id, text},
    retention::{IDEMPOTENCY_KEY_DAYS, expires_at},
    table::Table,
};

#[derive(Clone)]
pub struct IdempotencyKeys(Table);

/// What is known about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing: the request has to be processed, and then recorded or forgotten.
    New,
    /// The same request was answered with this retrieval.
    Answered(RequestId),
    /// Another request had this key.
    Reused,
    /// The same request is being processed.
    InProgress,
}

impl IdempotencyKeys {
    pub(super) fn new(table: Table) -> Self {
        Self(table)
    }

    /// Claims a key for a request. `fingerprint` is the same for identical requests only.
    pub async fn begin(
        &self,
        idempotency_key: &str,
        fingerprint: &str,
        at: Timestamp,
    ) -> Result<KeyState, StoreError> {
        let pk = key(idempotency_key);
        let long_ago = at.plus_seconds(-SENDING_S);
        let outcome = self
            .0
            .update(&pk)
            .update_expression(
                "SET fingerprint = :fingerprint, since = :at, expires_at = :expires \
                 REMOVE #request",
            )
            // DynamoDB removes an expired item within days, not at once. An attempt that was never
            // answered was interrupted; its intent records whether anything was sent.
            .condition_expression(
                "attribute_not_exists(pk) OR expires_at <= :now OR (fingerprint = :fingerprint \
                 AND attribute_not_exists(#request) AND since < :long_ago)",
            )
            .expression_attribute_values(":now", number(at.unix_seconds()))
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":fingerprint", text(fingerprint))
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":long_ago", text(long_ago.to_string()))
            .expression_attribute_values(":expires", expires_at(at, IDEMPOTENCY_KEY_DAYS))
            .send()
            .await;

        if was_written(outcome)? {
            return Ok(KeyState::New);
        }
        let known = self.0.item(pk).await?.unwrap_or_default();
        Ok(state(&known, fingerprint))
    }

    /// Records the retrieval that a request with this key was answered with.
    pub async fn answered(&self, idempotency_key: &str, id: &RequestId) -> Result<(), StoreError> {
        self.0
            .update(key(idempotency_key))
            .update_expression("SET #request = :request")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":request", text(id.as_str()))
            .send()
            .await?;
        Ok(())
    }

    /// Forgets a key whose request had no effect, so that it can be sent again with the same key.
    pub async fn forget(&self, idempotency_key: &str) -> Result<(), StoreError> {
        self.0.delete(key(idempotency_key)).send().await?;
        Ok(())
    }
}

/// What an existing item says about its key. An item that is gone by now has just been forgotten.
fn state(known: &Item, fingerprint: &str) -> KeyState {
    let same = known
        .get("fingerprint")
        .and_then(|known| known.as_s().ok())
        .is_some_and(|known| known == fingerprint);
    match request_id(known, "request") {
        _ if !same && !known.is_empty() => KeyState::Reused,
        Some(id) => KeyState::Answered(id),
        None => KeyState::InProgress,
    }
}

/// The caller's key may be any text, so that it is hashed.
fn key(idempotency_key: &str) -> String {
    format!("key#{}", hex::encode(Sha256::digest(idempotency_key)))
}
