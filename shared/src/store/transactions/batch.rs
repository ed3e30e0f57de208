//! Batches, and what DynamoDB leaves of them undone.

use aws_sdk_dynamodb::types::{KeysAndAttributes, WriteRequest};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, sleep};

use super::Transactions;
use crate::store::{StoreError, item::Item};

/// `BatchWriteItem` takes 25 rows.
const WRITE_BATCH: usize = 25;
/// `BatchGetItem` takes 100 keys.
const READ_BATCH: usize = 100;
/// Batches under way at once.
const AT_ONCE: usize = 8;
/// How often what a batch left undone is tried, and the first wait before it; it doubles each time.
const TRIES: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(50);

impl Transactions {
    /// Writes all of them, several batches at a time; items are made as batches are sent. `Ok`
    /// means that every one is written. No two may have one key.
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

    /// Sends again what DynamoDB leaves unwritten (`UnprocessedItems`, which throttling causes).
    async fn write_batch(&self, mut writes: Vec<WriteRequest>) -> Result<(), StoreError> {
        for attempt in 0..TRIES {
            pause_before(attempt).await;
            let answer = self
                .client
                .batch_write_item()
                .request_items(&self.table, writes)
                .send()
                .await?;
            writes = answer
                .unprocessed_items
                .and_then(|mut tables| tables.remove(&self.table))
                .unwrap_or_default();
            if writes.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Throttled(writes.len()))
    }

    /// Asks again for what DynamoDB leaves unread (`UnprocessedKeys`: more than 16 MB, throttling).
    async fn read_batch(
        &self,
        mut keys: Vec<Item>,
        attributes: &[&str],
    ) -> Result<Vec<Item>, StoreError> {
        let names: Vec<_> = (0..attributes.len())
            .map(|place| format!("#{place}"))
            .collect();
        let mut items = Vec::with_capacity(keys.len());
        for attempt in 0..TRIES {
            pause_before(attempt).await;
            let mut wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true);
            if !names.is_empty() {
                wanted = wanted.projection_expression(names.join(", "));
            }
            for (name, attribute) in names.iter().zip(attributes) {
                wanted = wanted.expression_attribute_names(name, *attribute);
            }
            let wanted = wanted.build();
            let wanted =
                wanted.map_err(|error| StoreError::Unavailable("BatchGetItem", Box::new(error)))?;
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.table, wanted)
                .send()
                .await?;
            items.extend(
                answer
                    .responses
                    .and_then(|mut tables| tables.remove(&self.table))
                    .unwrap_or_default(),
            );
            let unread = answer
                .unprocessed_keys
                .and_then(|mut tables| tables.remove(&self.table));
            keys = unread.map(|unread| unread.keys).unwrap_or_default();
            if keys.is_empty() {
                return Ok(items);
            }
        }
        Err(StoreError::Throttled(keys.len()))
    }
}

/// The elements in batches of one size; the last one may be smaller.
fn batches<T>(mut elements: impl Iterator<Item = T>, size: usize) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        let batch: Vec<T> = elements.by_ref().take(size).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

/// Waits before a batch is tried again, longer each time.
async fn pause_before(attempt: u32) {
    if attempt > 0 {
        sleep(FIRST_WAIT * 2_u32.pow(attempt - 1)).await;
    }
}
