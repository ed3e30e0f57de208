//! The control table, `RequestsTable` in template.yaml. It holds everything except rows; each kind
//! of item has its own handle:
//!
//! | `pk` | item | handle |
//! |---|---|---|
//! | `request#<id>` | a retrieval that Belvo accepted or announced | [`Requests`](super::Requests) |
//! | `intent#<key>` | the latest intent to send a retrieval | [`Intents`](super::Intents) |
//! | `quota#<holder>#<month>` | retrievals counted in a month | [`Quotas`](super::Quotas) |
//! | `link#<id>` | what is known about a link | [`Links`](super::Links) |
//! | `pace#belvo` | when the next call of Belvo is due | [`Pace`](super::Pace) |
//! | `key#<hash>` | the answer to an `Idempotency-Key` | [`IdempotencyKeys`](super::IdempotencyKeys) |
//! | `webhook#<id>` | a webhook and what became of it | [`WebhookArchive`](super::WebhookArchive) |
//!
//! Items with the two attributes of an [`Index`] are in it. All indexes may lag slightly behind the
//! table.

use aws_sdk_dynamodb::{
    Client,
    operation::{
        delete_item::builders::DeleteItemFluentBuilder, put_item::builders::PutItemFluentBuilder,
        query::builders::QueryFluentBuilder, update_item::builders::UpdateItemFluentBuilder,
    },
    types::{AttributeValue, Select},
};

use lambda_http::tracing;

use super::{
    Cursor, StoreError,
    item::{Item, text},
};
use crate::{aws::SdkConfig, cause::chain, telemetry::Event};

/// What an error calls this table.
pub(super) const NAME: &str = "Requests";
/// Requests, open intents and webhooks by their link, all registered links, and counters of
/// retrievals by their month.
pub(super) const BY_LINK: Index = Index::of("by_link", "link", "listed_at");
/// What has to be looked at some time.
pub(super) const BY_DUE: Index = Index::of("by_due", "due", "due_at");
/// Requests and links that somebody may have to do something about.
pub(super) const BY_STATE: Index = Index::of("by_state", "state", "state_at");
/// Keys of links by the caller's id for them.
pub(super) const BY_EXTERNAL_ID: Index = Index::of("by_external_id", "found_by", "listed_at");
/// Keys of links by their latest news (docs/decisions/0030).
pub(super) const BY_NEWS: Index = Index::of("by_news", "news", "news_at");
/// Sorts before every instant.
pub(super) const FIRST: &str = "0";
/// The start of `listed_at` in an open intent: it sorts behind every instant.
pub(super) const OPEN: &str = "~";
/// How often an item is read and written until no other writer changes it in between.
pub(super) const RACES: usize = 5;

#[derive(Clone)]
pub(super) struct Table {
    client: Client,
    name: String,
}

/// An index of the table (template.yaml), and the attributes that are its key.
#[derive(Clone, Copy)]
pub(super) struct Index {
    name: &'static str,
    partition: &'static str,
    order: &'static str,
}

/// Items of a kind, which their keys start with, under one name in an index.
#[derive(Clone, Copy)]
pub(super) struct Listing<'a> {
    pub(super) index: Index,
    pub(super) kind: &'a str,
    pub(super) under: &'a str,
}

/// A page of records, and where the listing continues.
pub(super) type Page<T> = (Vec<T>, Option<Cursor>);

/// Records that are due, and how many more cannot be read. Those must not hold up the others.
pub(super) type Due<T> = (Vec<T>, usize);

impl Table {
    pub(super) fn new(aws: &SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(aws),
            name,
        }
    }

    pub(super) async fn item(&self, pk: impl Into<String>) -> Result<Option<Item>, StoreError> {
        let query = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(pk))
            .consistent_read(true);
        Ok(query.send().await?.item)
    }

    pub(super) fn put(&self, item: Item) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
    }

    pub(super) fn update(&self, pk: impl Into<String>) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(pk))
    }

    pub(super) fn delete(&self, pk: impl Into<String>) -> DeleteItemFluentBuilder {
        self.client
            .delete_item()
            .table_name(&self.name)
            .key("pk", text(pk))
    }

    /// A listing, the latest first, at most `limit` items, and where it continues. An item that
    /// cannot be read is logged, and hides no other.
    pub(super) async fn listed<T>(
        &self,
        listing: Listing<'_>,
        after: Option<&Cursor>,
        limit: u16,
        read: impl Fn(Item) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let answer = self
            .query(listing.index, listing.under)
            // Open intents sort behind everything else.
            .key_condition_expression("#partition = :partition AND #order < :open")
            .expression_attribute_names("#order", listing.index.order)
            .expression_attribute_values(":open", text(OPEN))
            .scan_index_forward(false)
            .limit(limit.into())
            .set_exclusive_start_key(after.map(|cursor| listing.start_key(cursor)))
            .send()
            .await?;

        let next = answer.last_evaluated_key.as_ref();
        let next = next.and_then(|key| listing.cursor(key));
        let items = answer.items.unwrap_or_default().into_iter();
        let records = items.filter_map(|item| read(item).inspect_err(log_unreadable).ok());
        Ok((records.collect(), next))
    }

    /// How many items are under this name in an index, of the first megabyte of them.
    pub(super) async fn count(&self, index: Index, under: &str) -> Result<u64, StoreError> {
        let answer = self
            .query(index, under)
            .key_condition_expression("#partition = :partition")
            .select(Select::Count)
            .send()
            .await?;
        Ok(u64::try_from(answer.count).unwrap_or_default())
    }

    /// Items of a listing behind a place in its order, in that order, at most `limit`.
    pub(super) async fn following(
        &self,
        listing: Listing<'_>,
        after: &str,
        limit: u16,
    ) -> Result<Vec<Item>, StoreError> {
        let answer = self
            .query(listing.index, listing.under)
            .key_condition_expression("#partition = :partition AND #order > :after")
            .expression_attribute_names("#order", listing.index.order)
            .expression_attribute_values(":after", text(after))
            .limit(limit.into())
            .send()
            .await?;
        Ok(answer.items.unwrap_or_default())
    }

    /// Items under this name in the index `by_link` that are listed after `since`, newest first.
    pub(super) async fn listed_since(
        &self,
        under: &str,
        since: impl Into<String>,
    ) -> Result<Vec<Item>, StoreError> {
        let items = self
            .query(BY_LINK, under)
            .key_condition_expression(
                "#partition = :partition AND listed_at BETWEEN :since AND :open",
            )
            .expression_attribute_values(":since", text(since))
            .expression_attribute_values(":open", text(OPEN))
            .scan_index_forward(false)
            .into_paginator()
            .items()
            .send();
        Ok(items.collect::<Result<Vec<_>, _>>().await?)
    }

    /// The open intents of a link, newest first.
    pub(super) async fn open_intents(&self, link: &str) -> Result<Vec<Item>, StoreError> {
        let answer = self
            .query(BY_LINK, link)
            .key_condition_expression("#partition = :partition AND begins_with(listed_at, :open)")
            .expression_attribute_values(":open", text(OPEN))
            .scan_index_forward(false)
            .send()
            .await?;
        Ok(answer.items.unwrap_or_default())
    }

    /// Items of a kind in the index `by_due` that were due by `now`, the longest overdue first, at
    /// most `limit`.
    pub(super) async fn due<T>(
        &self,
        kind: &str,
        now: impl Into<String>,
        limit: u16,
        read: impl Fn(Item) -> Result<T, StoreError>,
    ) -> Result<Due<T>, StoreError> {
        let answer = self
            .query(BY_DUE, kind)
            .key_condition_expression("#partition = :partition AND due_at <= :now")
            .expression_attribute_values(":now", text(now))
            .limit(limit.into())
            .send()
            .await?;

        let items = answer.items.unwrap_or_default();
        let all = items.len();
        let records: Vec<_> = items
            .into_iter()
            .filter_map(|item| read(item).ok())
            .collect();
        let unreadable = all - records.len();
        Ok((records, unreadable))
    }

    fn query(&self, index: Index, under: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .index_name(index.name)
            .expression_attribute_names("#partition", index.partition)
            .expression_attribute_values(":partition", text(under))
    }
}

fn log_unreadable(error: &StoreError) {
    tracing::error!(
        event = Event::RecordUnreadable.name(),
        cause = %chain(error),
        "a record of a listing cannot be read"
    );
}

impl Index {
    const fn of(name: &'static str, partition: &'static str, order: &'static str) -> Self {
        Self {
            name,
            partition,
            order,
        }
    }
}

impl Listing<'_> {
    fn start_key(&self, cursor: &Cursor) -> Item {
        let (order, id) = cursor.parts();
        Item::from([
            ("pk".to_owned(), text(format!("{}#{id}", self.kind))),
            (self.index.partition.to_owned(), text(self.under)),
            (self.index.order.to_owned(), text(order)),
        ])
    }

    fn cursor(&self, key: &Item) -> Option<Cursor> {
        let string = |name| key.get(name).map(AttributeValue::as_s)?.ok();
        let id = string("pk")?.strip_prefix(self.kind)?.strip_prefix('#')?;
        Some(Cursor::at(string(self.index.order)?, id))
    }
}
