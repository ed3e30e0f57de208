//! Webhooks and what became of them, each in one item, which is written once the webhook is
//! processed (docs/decisions/0032). Later deliveries of it, and replays, change that item.

use std::fmt;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use domain::{Hidden, LinkId, Timestamp, WebhookId, WebhookOutcome};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Cursor, StoreError,
    error::was_written,
    item::{Item, attribute, document, number, text},
    retention::{WEBHOOK_DAYS, expires_at},
    table::{BY_LINK, FIRST, Listing, Page, Table},
};

const KIND: &str = "webhook";
const RECORD: &str = "a webhook";

/// Counts a delivery. It must not be counted yet: a message may be processed again after a crash.
const COUNT: &str = "deliveries = if_not_exists(deliveries, :none) + :one, \
                     last_received_at = :received_at";
const IS_NOT_COUNTED: &str = "attribute_not_exists(pk) OR last_received_at < :received_at";
/// Leaves the count as it is, if there is one.
const KEEP_COUNT: &str = "deliveries = if_not_exists(deliveries, :one), \
                          last_received_at = if_not_exists(last_received_at, :received_at)";
/// What is written in either case.
const SET: &str = "link = :link, body = :body, ended_at = :ended_at, outcome = :outcome, \
                   listed_at = if_not_exists(listed_at, :received_at), \
                   expires_at = if_not_exists(expires_at, :expires_at)";

/// The archive. `days` is for how many days after it was first received a webhook is kept.
#[derive(Clone)]
pub struct WebhookArchive {
    table: Table,
    days: u32,
}

/// A webhook that has just been processed.
#[derive(Clone)]
pub struct ProcessedWebhook<'a> {
    pub id: WebhookId,
    pub link: &'a LinkId,
    /// Its JSON text.
    pub body: &'a str,
    pub received_at: Timestamp,
    /// When somebody asked for it to be processed again, if that is why it was.
    pub replayed_at: Option<Timestamp>,
    pub ended_at: Timestamp,
    pub outcome: &'a WebhookOutcome,
}

/// A webhook as it is archived.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct ArchivedWebhook {
    #[serde(rename = "pk")]
    pub id: WebhookId,
    pub link: LinkId,
    /// When it was first received.
    #[serde(rename = "listed_at")]
    pub received_at: Timestamp,
    pub last_received_at: Timestamp,
    /// How often it was received, but for what SQS dropped as a duplicate.
    pub deliveries: u64,
    /// When somebody asked for the latest processing of it, if somebody did.
    #[serde(default)]
    pub replayed_at: Option<Timestamp>,
    /// When it was last processed.
    pub ended_at: Timestamp,
    pub outcome: WebhookOutcome,
    /// Its JSON text.
    pub body: String,
}

/// Hides the body.
impl fmt::Debug for ArchivedWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchivedWebhook")
            .field("id", &self.id)
            .field("link", &self.link)
            .field("received_at", &self.received_at)
            .field("last_received_at", &self.last_received_at)
            .field("deliveries", &self.deliveries)
            .field("replayed_at", &self.replayed_at)
            .field("ended_at", &self.ended_at)
            .field("outcome", &self.outcome)
            .field("body", &Hidden::of(&self.body))
            .finish()
    }
}

impl WebhookArchive {
    pub(super) fn new(table: Table) -> Self {
        Self {
            table,
            days: WEBHOOK_DAYS,
        }
    }

    /// The same, keeping webhooks for this many days.
    #[must_use]
    pub fn keeping_for(self, days: u32) -> Self {
        Self { days, ..self }
    }

    pub async fn get(&self, id: &WebhookId) -> Result<Option<ArchivedWebhook>, StoreError> {
        self.table.item(key(id)).await?.map(webhook).transpose()
    }

    /// Webhooks about a link, the latest first, at most `limit`, and where the listing continues.
    /// Read from an index that may lag slightly behind the table.
    pub async fn of_link(
        &self,
        link: &LinkId,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<Page<ArchivedWebhook>, StoreError> {
        let listing = Listing {
            index: BY_LINK,
            kind: KIND,
            under: &under(link),
        };
        self.table.listed(listing, after, limit, webhook).await
    }

    /// Archives a webhook, or records what became of it this time. Safe to repeat: a delivery is
    /// counted once.
    pub async fn processed(&self, webhook: &ProcessedWebhook<'_>) -> Result<(), StoreError> {
        if webhook.replayed_at.is_none() {
            let counted = self
                .update(webhook, COUNT)?
                .condition_expression(IS_NOT_COUNTED)
                .expression_attribute_values(":none", number(0));
            if was_written(counted.send().await)? {
                return Ok(());
            }
        }
        self.update(webhook, KEEP_COUNT)?.send().await?;
        Ok(())
    }

    /// Notes another delivery of a webhook, of which nothing comes. Safe to repeat. Does nothing if
    /// the webhook is no longer archived.
    pub async fn redelivered(&self, id: &WebhookId, at: Timestamp) -> Result<(), StoreError> {
        let noted = self
            .table
            .update(key(id))
            .update_expression(format!("SET {COUNT}"))
            .condition_expression("last_received_at < :received_at")
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":received_at", text(at.to_string()));
        was_written(noted.send().await).map(|_| ())
    }

    /// How many webhooks about a link are archived. The index may lag slightly behind the table.
    pub async fn count(&self, link: &LinkId) -> Result<u64, StoreError> {
        let items = self.table.listed_since(&under(link), FIRST).await?;
        Ok(items.len() as u64)
    }

    /// Deletes the webhooks about a link. One of the last second may be missed, because the index
    /// may lag; it expires. Safe to interrupt and repeat.
    pub async fn erase(&self, link: &LinkId) -> Result<(), StoreError> {
        let items = self.table.listed_since(&under(link), FIRST).await?;
        for pk in items.iter().filter_map(|item| item.get("pk")?.as_s().ok()) {
            self.table.delete(pk).send().await?;
        }
        Ok(())
    }

    fn update(
        &self,
        webhook: &ProcessedWebhook<'_>,
        count: &str,
    ) -> Result<UpdateItemFluentBuilder, StoreError> {
        let outcome = attribute(&json!(webhook.outcome).to_string());
        let time = |at: Timestamp| text(at.to_string());
        let expires_at = expires_at(webhook.received_at, self.days.into());
        let update = self
            .table
            .update(key(&webhook.id))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":link", text(under(webhook.link)))
            .expression_attribute_values(":body", text(webhook.body))
            .expression_attribute_values(":received_at", time(webhook.received_at))
            .expression_attribute_values(":ended_at", time(webhook.ended_at))
            .expression_attribute_values(":outcome", outcome.ok_or(StoreError::Corrupt(RECORD))?)
            .expression_attribute_values(":expires_at", expires_at);

        let set = format!("SET {count}, {SET}");
        Ok(match webhook.replayed_at {
            Some(at) => update
                .update_expression(format!("{set}, replayed_at = :replayed_at"))
                .expression_attribute_values(":replayed_at", time(at)),
            None => update.update_expression(set),
        })
    }
}

fn webhook(item: Item) -> Result<ArchivedWebhook, StoreError> {
    let mut document = document(item).ok_or(StoreError::Corrupt(RECORD))?;
    for name in ["pk", "link"] {
        let text = document.get(name).and_then(Value::as_str);
        let id = text.and_then(|text| text.strip_prefix(KIND)?.strip_prefix('#'));
        let id = id.map(Value::from).ok_or(StoreError::Corrupt(RECORD))?;
        document.insert(name.to_owned(), id);
    }
    serde_json::from_value(Value::Object(document)).map_err(|_| StoreError::Corrupt(RECORD))
}

fn key(id: &WebhookId) -> String {
    format!("{KIND}#{id}")
}

/// The attribute `link` of a link's webhooks, beside which its requests are listed.
fn under(link: &LinkId) -> String {
    format!("{KIND}#{link}")
}
