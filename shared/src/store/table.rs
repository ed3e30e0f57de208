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
//! | `event#<received at>#<delivery id>` | a webhook that needed no collection | [`WebhookLog`](super::WebhookLog) |
//!
//! Items with `link` and `listed_at` are in the index `by_link`, those with `due` and `due_at` in
//! `by_due`. Both indexes may lag slightly behind the table.

use aws_sdk_dynamodb::{
    Client,
    operation::{
        delete_item::builders::DeleteItemFluentBuilder, put_item::builders::PutItemFluentBuilder,
        query::builders::QueryFluentBuilder, update_item::builders::UpdateItemFluentBuilder,
    },
    types::AttributeValue,
};

use super::{
    Cursor, StoreError,
    item::{Item, text},
};
use crate::aws::SdkConfig;

/// What an error calls this table.
pub(super) const NAME: &str = "Requests";
const BY_LINK: &str = "by_link";
const BY_DUE: &str = "by_due";
/// The start of `listed_at` in an open intent: it sorts behind every instant.
pub(super) const OPEN: &str = "~";
/// How often an item is read and written until no other writer changes it in between.
pub(super) const RACES: usize = 5;

#[derive(Clone)]
pub(super) struct Table {
    client: Client,
    name: String,
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

    /// Items of a kind under this name in the index `by_link`, newest first, at most `limit`. Their
    /// keys start with `kind`.
    pub(super) async fn listed<T>(
        &self,
        (kind, under): (&str, &str),
        after: Option<&Cursor>,
        limit: u16,
        read: impl Fn(Item) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let answer = self
            .by_link(under)
            // Open intents sort behind everything else.
            .key_condition_expression("#link = :link AND listed_at < :open")
            .limit(limit.into())
            .set_exclusive_start_key(after.map(|cursor| start_key(kind, under, cursor)))
            .send()
            .await?;

        let next = answer
            .last_evaluated_key
            .as_ref()
            .and_then(|key| cursor(kind, key));
        let records = answer.items.unwrap_or_default().into_iter().map(read);
        Ok((records.collect::<Result<_, _>>()?, next))
    }

    /// Items under this name in the index `by_link` that are listed after `since`, newest first.
    pub(super) async fn listed_since(
        &self,
        under: &str,
        since: impl Into<String>,
    ) -> Result<Vec<Item>, StoreError> {
        let items = self
            .by_link(under)
            .key_condition_expression("#link = :link AND listed_at BETWEEN :since AND :open")
            .expression_attribute_values(":since", text(since))
            .into_paginator()
            .items()
            .send();
        Ok(items.collect::<Result<Vec<_>, _>>().await?)
    }

    /// The open intents of a link, newest first.
    pub(super) async fn open_intents(&self, link: &str) -> Result<Vec<Item>, StoreError> {
        let answer = self
            .by_link(link)
            .key_condition_expression("#link = :link AND begins_with(listed_at, :open)")
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
            .client
            .query()
            .table_name(&self.name)
            .index_name(BY_DUE)
            .key_condition_expression("#due = :due AND due_at <= :now")
            .expression_attribute_names("#due", "due")
            .expression_attribute_values(":due", text(kind))
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

    fn by_link(&self, link: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .index_name(BY_LINK)
            .expression_attribute_names("#link", "link")
            .expression_attribute_values(":link", text(link))
            .expression_attribute_values(":open", text(OPEN))
            .scan_index_forward(false)
    }
}

fn start_key(kind: &str, under: &str, cursor: &Cursor) -> Item {
    let (listed_at, id) = cursor.parts();
    Item::from([
        ("pk".to_owned(), text(format!("{kind}#{id}"))),
        ("link".to_owned(), text(under)),
        ("listed_at".to_owned(), text(listed_at)),
    ])
}

fn cursor(kind: &str, key: &Item) -> Option<Cursor> {
    let string = |name| key.get(name).map(AttributeValue::as_s)?.ok();
    let id = string("pk")?.strip_prefix(kind)?.strip_prefix('#')?;
    Some(Cursor::at(string("listed_at")?, id))
}
