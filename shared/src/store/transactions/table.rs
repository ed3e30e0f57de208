//! The table itself: batches, retries of what DynamoDB leaves undone, and queries by key.

use aws_sdk_dynamodb::{
    Client,
    operation::{
        query::builders::QueryFluentBuilder, update_item::builders::UpdateItemFluentBuilder,
    },
    types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest},
};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, sleep};

use super::partition::Partition;
use crate::{
    advice::with_jitter,
    store::{
        StoreError,
        item::{Item, text},
    },
};

/// `BatchWriteItem` takes 25 rows.
const WRITE_BATCH: usize = 25;
/// `BatchGetItem` takes 100 keys.
const READ_BATCH: usize = 100;
/// Concurrent batches.
const AT_ONCE: usize = 8;
/// How often what a batch left undone is tried, and the wait before the first retry, which doubles
/// each time.
const TRIES: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// What an error calls this table.
pub(super) const NAME: &str = "Transactions";

#[derive(Clone)]
pub(super) struct Table {
    client: Client,
    name: String,
}

impl Table {
    pub(super) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    pub(super) fn query(&self) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
    }

    /// An update of the item with this key.
    pub(super) fn update(&self, key: Item) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key))
    }

    /// The items of a partition whose sort key starts with `prefix`, in its order.
    pub(super) async fn items_from(
        &self,
        partition: &Partition,
        prefix: &str,
    ) -> Result<Vec<Item>, StoreError> {
        let items = self
            .items_with(partition, prefix)
            .into_paginator()
            .items()
            .send();
        Ok(items.collect::<Result<Vec<_>, _>>().await?)
    }

    /// A consistent query of the items of a partition whose sort key starts with `prefix`.
    pub(super) fn items_with(&self, partition: &Partition, prefix: &str) -> QueryFluentBuilder {
        self.query()
            .key_condition_expression("#link = :link AND begins_with(#item, :prefix)")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(":link", partition.value())
            .expression_attribute_values(":prefix", text(prefix))
    }

    /// A consistent query of the items of a partition between two sort keys.
    pub(super) fn items_between(
        &self,
        partition: &Partition,
        first: &str,
        last: &str,
    ) -> QueryFluentBuilder {
        self.query()
            .key_condition_expression("#link = :link AND #item BETWEEN :first AND :last")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(":link", partition.value())
            .expression_attribute_values(":first", text(first))
            .expression_attribute_values(":last", text(last))
    }

    /// The item with this key, read consistently.
    pub(super) async fn get(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.name);
        let answer = get.set_key(Some(key)).consistent_read(true).send().await?;
        Ok(answer.item)
    }

    /// Writes all items, several batches at a time; items are made as batches are sent. `Ok` means
    /// that every one is written. No two may have the same key.
    pub(super) async fn write_all(
        &self,
        writes: impl Iterator<Item = WriteRequest>,
    ) -> Result<(), StoreError> {
        stream::iter(batches(writes, WRITE_BATCH).map(|batch| self.write_batch(batch)))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Reads the items with these keys, several batches at a time, in no order. Keys without an
    /// item are left out. No two keys may be equal.
    pub(super) async fn read_all(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        self.read_parts(keys, &[]).await
    }

    /// Reads some attributes of the items with these keys; all of them if none is named.
    pub(super) async fn read_parts(
        &self,
        keys: Vec<Item>,
        attributes: &[&str],
    ) -> Result<Vec<Item>, StoreError> {
        let batches = batches(keys.into_iter(), READ_BATCH);
        let items: Vec<Vec<Item>> =
            stream::iter(batches.map(|batch| self.read_batch(batch, attributes)))
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
        Ok(items.into_iter().flatten().collect())
    }

    /// Retries what DynamoDB leaves unwritten (`UnprocessedItems`, which throttling causes).
    async fn write_batch(&self, mut writes: Vec<WriteRequest>) -> Result<(), StoreError> {
        for attempt in 0..TRIES {
            pause_before(attempt).await;
            let answer = self
                .client
                .batch_write_item()
                .request_items(&self.name, writes)
                .send()
                .await?;
            writes = answer
                .unprocessed_items
                .and_then(|mut tables| tables.remove(&self.name))
                .unwrap_or_default();
            if writes.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Throttled(writes.len()))
    }

    /// Retries what DynamoDB leaves unread (`UnprocessedKeys`: more than 16 MB, throttling).
    async fn read_batch(
        &self,
        mut keys: Vec<Item>,
        attributes: &[&str],
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::with_capacity(keys.len());
        for attempt in 0..TRIES {
            pause_before(attempt).await;
            let wanted = wanted(keys, attributes)?;
            let batch = self.client.batch_get_item();
            let answer = batch.request_items(&self.name, wanted).send().await?;

            let read = answer
                .responses
                .and_then(|mut tables| tables.remove(&self.name));
            items.extend(read.unwrap_or_default());
            let unread = answer.unprocessed_keys;
            let unread = unread.and_then(|mut tables| tables.remove(&self.name));
            keys = unread.map(|unread| unread.keys).unwrap_or_default();
            if keys.is_empty() {
                return Ok(items);
            }
        }
        Err(StoreError::Throttled(keys.len()))
    }
}

/// What to read of the items with these keys: some attributes, or all of them if none is named.
fn wanted(keys: Vec<Item>, attributes: &[&str]) -> Result<KeysAndAttributes, StoreError> {
    let mut wanted = KeysAndAttributes::builder()
        .set_keys(Some(keys))
        .consistent_read(true);
    let mut names = Vec::with_capacity(attributes.len());
    for (place, attribute) in attributes.iter().enumerate() {
        let name = format!("#{place}");
        wanted = wanted.expression_attribute_names(&name, *attribute);
        names.push(name);
    }
    if !names.is_empty() {
        wanted = wanted.projection_expression(names.join(", "));
    }
    wanted
        .build()
        .map_err(|error| StoreError::Unavailable("BatchGetItem", Box::new(error)))
}

/// The elements in batches of `size`; the last one may be smaller.
fn batches<T>(mut elements: impl Iterator<Item = T>, size: usize) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        let batch: Vec<T> = elements.by_ref().take(size).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

/// Waits before a batch is retried, longer each time.
async fn pause_before(attempt: u32) {
    if attempt > 0 {
        sleep(with_jitter(FIRST_WAIT * 2_u32.pow(attempt - 1))).await;
    }
}

pub(super) fn put_request(item: Item) -> WriteRequest {
    #[expect(
        clippy::expect_used,
        reason = "PutRequest has one required field, the item, which is given here"
    )]
    let put = PutRequest::builder()
        .set_item(Some(item))
        .build()
        .expect("an item was given");
    WriteRequest::builder().put_request(put).build()
}

pub(super) fn delete_request(key: Item) -> WriteRequest {
    #[expect(
        clippy::expect_used,
        reason = "DeleteRequest has one required field, the key, which is given here"
    )]
    let delete = DeleteRequest::builder()
        .set_key(Some(key))
        .build()
        .expect("a key was given");
    WriteRequest::builder().delete_request(delete).build()
}
