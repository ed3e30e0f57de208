//! Everything except rows: a handle for each kind of item in the control table.

use super::{
    FieldStore, IdempotencyKeys, Intents, Links, Pace, Quotas, Requests, WebhookArchive,
    table::Table,
};
use crate::aws::SdkConfig;

#[derive(Clone)]
pub struct Control {
    pub requests: Requests,
    pub intents: Intents,
    pub quotas: Quotas,
    pub links: Links,
    pub idempotency_keys: IdempotencyKeys,
    pub pace: Pace,
    pub webhooks: WebhookArchive,
    pub fields: FieldStore,
    table: Table,
}

impl Control {
    /// The table called `table`.
    #[must_use]
    pub fn open(aws: &SdkConfig, table: String) -> Self {
        let table = Table::new(aws, table);
        let requests = Requests::new(table.clone());
        Self {
            intents: Intents::new(table.clone(), requests.clone()),
            requests,
            quotas: Quotas::new(table.clone()),
            links: Links::new(table.clone()),
            idempotency_keys: IdempotencyKeys::new(table.clone()),
            pace: Pace::new(table.clone()),
            webhooks: WebhookArchive::new(table.clone()),
            fields: FieldStore::new(table.clone()),
            table,
        }
    }

    /// The same, keeping webhooks for this many days.
    #[must_use]
    pub fn keeping_webhooks_for(self, days: u32) -> Self {
        Self {
            webhooks: self.webhooks.keeping_for(days),
            ..self
        }
    }

    /// The same, keeping the requests of erased links for this many days.
    #[must_use]
    pub fn keeping_erased_requests_for(self, days: u32) -> Self {
        Self {
            requests: self.requests.keeping_erased_for(days),
            ..self
        }
    }

    /// Opens the connection that the first call will use. A failure shows again, with its reason,
    /// when that call is made.
    pub async fn warm_up(&self) {
        let _ = self.table.item("warm-up").await;
    }
}
