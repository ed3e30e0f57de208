//! Receives and hashes the pages of a listing as `floor-receive` does, and stores as many items:
//! the least that stores new rows.
//!
//! The items are ready-made. One event has them made, before the event comes that is measured: all
//! of them, each with a key of its own, as the attribute values and batches that the SDK takes.
//! They are copies of items that `collect` has stored, so that as many bytes are sent. Storing
//! moves them into the requests: nothing is parsed, built or cloned for a row. What is left is the
//! client's work, which is that of our functions: it serialises, signs and sends each batch, as
//! many at once as `collect`. What DynamoDB leaves undone is an error.

use std::sync::{Mutex, PoisonError};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use floors::{Listing, Receiver, item, variable};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::aws::{CallBudget, sdk_config};

/// `BatchWriteItem` takes 25 items.
const BATCH: usize = 25;
/// Concurrent batches, as many as those of `collect`.
const AT_ONCE: usize = 8;
/// Batches of the rows of a page.
const BATCHES_OF_A_PAGE: usize = 1_000 / BATCH;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Make(Making),
    Store(Listing),
}

/// What to make.
#[derive(Deserialize)]
struct Making {
    rows: usize,
    /// The partition of the new items.
    link: String,
    /// Items to copy one after the other, in DynamoDB's JSON.
    patterns: Vec<Map<String, Value>>,
}

struct App {
    http: reqwest::Client,
    dynamodb: Client,
    table: String,
    /// Made and not stored yet.
    batches: Mutex<Vec<Vec<WriteRequest>>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App {
        http: Receiver::client()?,
        dynamodb: Client::new(&sdk_config(CallBudget::PATIENT)?),
        table: variable("TRANSACTIONS_TABLE")?,
        batches: Mutex::default(),
    };
    let answer = async |event: LambdaEvent<Event>| match event.payload {
        Event::Make(making) => {
            let rows = making.rows;
            app.set_batches(making.batches()?);
            Ok::<_, Error>(json!({ "made": rows }))
        }
        Event::Store(listing) => app.store(listing).await,
    };
    lambda_runtime::run(service_fn(answer)).await
}

impl App {
    fn set_batches(&self, batches: Vec<Vec<WriteRequest>>) -> Vec<Vec<WriteRequest>> {
        let mut made = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut made, batches)
    }

    /// Receives a listing, and stores what was made as if it were its rows.
    async fn store(&self, listing: Listing) -> Result<Value, Error> {
        let mut batches = self.set_batches(Vec::new()).into_iter();
        let mut receiver = Receiver::new(&self.http, listing);
        let (mut pages, mut rows) = (0, 0);
        while receiver.receive().await? {
            pages += 1;
            let of_page = batches.by_ref().take(BATCHES_OF_A_PAGE);
            rows += stream::iter(of_page.map(|batch| self.send(batch)))
                .buffer_unordered(AT_ONCE)
                .try_fold(0, async |sum, sent| Ok(sum + sent))
                .await?;
        }
        if batches.next().is_some() {
            return Err("the listing has fewer rows than were made".into());
        }
        Ok(json!({ "pages": pages, "rows": rows, "digest": receiver.digest() }))
    }

    /// Sends a batch and returns how many items it has.
    async fn send(&self, batch: Vec<WriteRequest>) -> Result<usize, Error> {
        let items = batch.len();
        let request = self.dynamodb.batch_write_item();
        let answer = request.request_items(&self.table, batch).send().await?;
        let left = answer.unprocessed_items.unwrap_or_default();
        if left.is_empty() {
            Ok(items)
        } else {
            Err("DynamoDB left items unwritten".into())
        }
    }
}

impl Making {
    fn batches(self) -> Result<Vec<Vec<WriteRequest>>, Error> {
        let patterns = self.patterns.into_iter().map(item);
        let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        let copies = patterns.iter().cycle().take(self.rows).enumerate();
        let puts = copies.map(|(number, pattern)| {
            let key = AttributeValue::S(format!("T#{number:036}"));
            let put = PutRequest::builder()
                .set_item(Some(pattern.clone()))
                .item("_link", AttributeValue::S(self.link.clone()))
                .item("_item", key)
                .build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        });
        let puts = puts.collect::<Result<Vec<_>, Error>>()?;
        Ok(puts.chunks(BATCH).map(<[_]>::to_vec).collect())
    }
}
