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
    types::{AttributeValue, KeysAndAttributes},
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use domain::Timestamp;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, sleep};

use super::{
    pace::{Paces, Turn},
    partition::Partition,
    write_request::{WriteRequest, body},
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

pub(super) use super::partition::NAME;

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

    /// Sends requests one by one, several at a time, and returns the keys of those that DynamoDB
    /// does not take.
    pub(super) async fn write_each<K>(
        &self,
        partition: &str,
        requests: impl Iterator<Item = (K, WriteRequest)>,
    ) -> Result<Vec<K>, StoreError> {
        let writes = requests.map(async |(key, request)| {
            match self.write_batch(partition, vec![request]).await {
                Ok(()) => Ok(None),
                Err(StoreError::Invalid(..)) => Ok(Some(key)),
                Err(error) => Err(error),
            }
        });
        let refused = stream::iter(writes).buffer_unordered(AT_ONCE);
        refused
            .try_filter_map(async |key| Ok(key))
            .try_collect()
            .await
    }

    /// Sends all requests, several batches at a time. `Ok` means that every one is done. Where
    /// DynamoDB throttles, this goes on at the pace of the partition, for as long as the caller
    /// lets it. No two items may have the same key, and all are of this partition.
    pub(super) async fn write_all(
        &self,
        partition: &str,
        requests: impl Iterator<Item = WriteRequest>,
    ) -> Result<(), StoreError> {
        let batches = batches(requests, WRITE_BATCH);
        stream::iter(batches.map(|batch| self.write_batch(partition, batch)))
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
    async fn write_batch(
        &self,
        partition: &str,
        mut requests: Vec<WriteRequest>,
    ) -> Result<(), StoreError> {
        loop {
            let turn = self.paces.turn(partition, requests.len()).await;
            let sent = self.send(requests, &turn).await?;
            if sent.left.is_empty() {
                turn.written(sent.consumed);
                return Ok(());
            }
            turn.throttled();
            requests = sent.left;
        }
    }

    /// Sends a batch once its turn has come. In a partition that is not paced, a batch that is
    /// refused is left to the SDK's retries; in one that is, it waits for another turn.
    async fn send(&self, requests: Vec<WriteRequest>, turn: &Turn<'_>) -> Result<Sent, StoreError> {
        let body = Bytes::from(body(&self.name, &requests, turn.is_paced()));
        let batch = self
            .client
            .batch_write_item()
            // For what the client derives from the name. The body takes its place.
            .request_items(&self.name, Vec::new())
            .customize()
            .mutate_request(move |request| has_body(request, &body));
        if !turn.is_paced() {
            let answer = batch.send().await;
            if answer.as_ref().is_err_and(is_throttling) {
                turn.throttled();
            }
            return self.sent(answer?);
        }

        let batch = batch.config_override(Builder::new().retry_classifier(RefusedBatches));
        match batch.send().await {
            Ok(answer) => self.sent(answer),
            Err(error) if is_throttling(&error) => Ok(Sent {
                left: requests,
                ..Sent::default()
            }),
            Err(error) => Err(error.into()),
        }
    }

    fn sent(&self, answer: BatchWriteItemOutput) -> Result<Sent, StoreError> {
        let tables = answer.consumed_capacity.unwrap_or_default().into_iter();
        let units = tables.filter_map(|table| table.capacity_units);
        let left = answer.unprocessed_items.unwrap_or_default();
        let left = left.get(&self.name).into_iter().flatten();
        Ok(Sent {
            left: left.map(WriteRequest::again).collect::<Result<_, _>>()?,
            consumed: units.fold(0.0, |sum, units| sum + units),
        })
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

/// Gives a request another body.
fn has_body(request: &mut HttpRequest, body: &Bytes) {
    let headers = request.headers_mut();
    headers.insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body.clone());
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
