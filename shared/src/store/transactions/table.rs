//! The table itself: batches, retries of what DynamoDB leaves undone, and queries by key.

use aws_sdk_dynamodb::{
    Client,
    config::{
        Builder,
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction},
    },
    operation::{
        batch_write_item::{BatchWriteItemError, BatchWriteItemOutput},
        query::builders::QueryFluentBuilder,
        update_item::builders::UpdateItemFluentBuilder,
    },
    types::{
        AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest, ReturnConsumedCapacity,
        WriteRequest,
    },
};
use domain::Timestamp;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, sleep};

use super::{
    pace::{Paces, Turn},
    partition::Partition,
};
use crate::{
    advice::with_jitter,
    store::{
        StoreError,
        error::is_throttling,
        item::{Item, text},
        retention::{CHANGES_DAYS, expires_at},
    },
};

/// `BatchWriteItem` takes 25 rows.
const WRITE_BATCH: usize = 25;
/// `BatchGetItem` takes 100 keys.
const READ_BATCH: usize = 100;
/// Concurrent batches.
const AT_ONCE: usize = 8;
/// How often what a batch left unread is tried, and the wait before the first retry, which doubles
/// each time.
const TRIES: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// What an error calls this table.
pub(super) const NAME: &str = "Transactions";

#[derive(Clone)]
pub(super) struct Table {
    client: Client,
    name: String,
    paces: Paces,
    changes_days: u32,
}

/// What became of a batch.
#[derive(Default)]
struct Sent {
    /// What DynamoDB left undone.
    left: Vec<WriteRequest>,
    /// Write units, where they were asked for.
    consumed: f64,
}

impl Table {
    pub(super) fn new(client: Client, name: String) -> Self {
        Self {
            client,
            name,
            paces: Paces::default(),
            changes_days: CHANGES_DAYS,
        }
    }

    pub(super) fn keeping_changes_for(self, days: u32) -> Self {
        Self {
            changes_days: days,
            ..self
        }
    }

    /// When an entry of the change log of this time expires.
    pub(super) fn change_expiry(&self, at: Timestamp) -> AttributeValue {
        expires_at(at, self.changes_days.into())
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

    /// Writes items one by one, several at a time, and returns the keys of those that DynamoDB does
    /// not take.
    pub(super) async fn write_each<K>(
        &self,
        items: impl Iterator<Item = (K, Item)>,
    ) -> Result<Vec<K>, StoreError> {
        let puts = items.map(async |(key, item)| {
            let put = self.client.put_item().table_name(&self.name);
            match put
                .set_item(Some(item))
                .send()
                .await
                .map_err(StoreError::from)
            {
                Ok(_) => Ok(None),
                Err(StoreError::Invalid(..)) => Ok(Some(key)),
                Err(error) => Err(error),
            }
        });
        let refused = stream::iter(puts).buffer_unordered(AT_ONCE);
        refused
            .try_filter_map(async |key| Ok(key))
            .try_collect()
            .await
    }

    /// Writes all items, several batches at a time. `Ok` means that every one is written. Where
    /// DynamoDB throttles, this goes on at the pace of the partition, for as long as the caller
    /// lets it. No two items may have the same key, and all have the same partition.
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

    /// Sends what DynamoDB leaves unwritten (`UnprocessedItems`, which throttling causes) again.
    async fn write_batch(&self, mut writes: Vec<WriteRequest>) -> Result<(), StoreError> {
        let partition = partition_of(&writes).to_owned();
        loop {
            let turn = self.paces.turn(&partition, writes.len()).await;
            let sent = self.send(writes, &turn).await?;
            if sent.left.is_empty() {
                turn.written(sent.consumed);
                return Ok(());
            }
            turn.throttled();
            writes = sent.left;
        }
    }

    /// Sends a batch once its turn has come. In a partition that is not paced, a batch that is
    /// refused is left to the SDK's retries; in one that is, it waits for another turn.
    async fn send(&self, writes: Vec<WriteRequest>, turn: &Turn<'_>) -> Result<Sent, StoreError> {
        let batch = self.client.batch_write_item();
        if !turn.is_paced() {
            let answer = batch.request_items(&self.name, writes).send().await;
            if answer.as_ref().is_err_and(is_throttling) {
                turn.throttled();
            }
            return Ok(self.sent(answer?));
        }

        let batch = batch
            .request_items(&self.name, writes.clone())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .customize()
            .config_override(Builder::new().retry_classifier(RefusedBatches));
        match batch.send().await {
            Ok(answer) => Ok(self.sent(answer)),
            Err(error) if is_throttling(&error) => Ok(Sent {
                left: writes,
                ..Sent::default()
            }),
            Err(error) => Err(error.into()),
        }
    }

    fn sent(&self, answer: BatchWriteItemOutput) -> Sent {
        let tables = answer.consumed_capacity.unwrap_or_default().into_iter();
        let units = tables.filter_map(|table| table.capacity_units);
        let left = answer.unprocessed_items;
        let left = left.and_then(|mut tables| tables.remove(&self.name));
        Sent {
            left: left.unwrap_or_default(),
            consumed: units.fold(0.0, |sum, units| sum + units),
        }
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

/// Keeps the SDK from sending a batch again that DynamoDB has refused: it would not wait for its
/// turn.
#[derive(Debug)]
struct RefusedBatches;

impl ClassifyRetry for RefusedBatches {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let outcome = context.output_or_error();
        let error = outcome.and_then(|outcome| outcome.err()?.as_operation_error());
        let error = error.and_then(|error| error.downcast_ref::<BatchWriteItemError>());
        if error.is_some_and(is_throttling) {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "refused batches"
    }
}

/// The partition of a batch, all of whose items have the same.
fn partition_of(writes: &[WriteRequest]) -> &str {
    let item = writes.first().and_then(|write| {
        let put = write.put_request.as_ref().map(|put| &put.item);
        put.or_else(|| write.delete_request.as_ref().map(|delete| &delete.key))
    });
    let link = item.and_then(|item| item.get("_link")?.as_s().ok());
    link.map(String::as_str).unwrap_or_default()
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
