//! Webhooks that led to no collection: of an unknown type, about accounts, a link or a consent, a
//! failure that names no request, or held because their link is unknown. Kept for 90 days.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{LinkId, RequestId, Timestamp};
use serde::Serialize;
use serde_json::json;

use super::{
    StoreError,
    item::{attribute, text},
    retention::{WEBHOOK_LOG_DAYS, expires_at},
    table::{self, Table},
};

#[derive(Clone)]
pub struct WebhookLog(Table);

/// A webhook as it is stored.
#[derive(Debug, Clone, Serialize)]
pub struct LoggedWebhook {
    /// SHA-256 of its bytes.
    pub delivery_id: String,
    pub link: LinkId,
    /// Belvo's `webhook_type`.
    pub webhook_type: String,
    /// Belvo's `webhook_code`.
    pub webhook_code: String,
    /// The retrieval it names.
    pub request_id: Option<RequestId>,
    pub received_at: Timestamp,
    /// Its JSON text.
    pub body: String,
}

impl WebhookLog {
    pub(super) fn new(table: Table) -> Self {
        Self(table)
    }

    /// Logs a webhook. Safe to repeat.
    pub async fn log(&self, webhook: &LoggedWebhook) -> Result<(), StoreError> {
        let Some(AttributeValue::M(mut item)) = attribute(&json!(webhook).to_string()) else {
            return Err(StoreError::Corrupt(table::NAME));
        };
        let received_at = webhook.received_at;
        let pk = format!("event#{received_at}#{}", webhook.delivery_id);
        let expires_at = expires_at(received_at, WEBHOOK_LOG_DAYS);
        item.insert("pk".to_owned(), text(pk));
        item.insert("expires_at".to_owned(), expires_at);
        self.0.put(item).send().await?;
        Ok(())
    }
}
