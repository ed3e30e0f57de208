//! Receives and hashes the pages of a listing as `floor-receive` does, and stores as many items:
//! the least that stores new rows.
//!
//! The items are ready-made. One event has them made, before the event comes that is measured: all
//! of them, each with a key of its own, as the bodies of `BatchWriteItem` that are sent. They are
//! copies of items that `collect` has stored, so that as many bytes are sent. Storing takes a body
//! as it is: nothing is parsed, built, copied or serialised for a row. What is left is the client's
//! work, which is that of our functions: it signs and sends each batch, as many at once as
//! `collect`, and reads the answer. What DynamoDB leaves undone is an error. Its memory is mostly
//! that of the bodies.

use std::sync::{Mutex, PoisonError};

use aws_sdk_dynamodb::{Client, config::http::HttpRequest};
use aws_smithy_types::body::SdkBody;
use floors::{Listing, Receiver, variable};
use futures::{StreamExt, TryStreamExt, stream};
use hyper::body::Bytes;
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

/// A request to write some items.
struct Batch {
    items: usize,
    body: Bytes,
}

struct App {
    http: reqwest::Client,
    dynamodb: Client,
    table: String,
    /// Made and not stored yet.
    batches: Mutex<Vec<Batch>>,
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
            app.set_batches(making.batches(&app.table));
            Ok::<_, Error>(json!({ "made": making.rows }))
        }
        Event::Store(listing) => app.store(listing).await,
    };
    lambda_runtime::run(service_fn(answer)).await
}

impl App {
    /// Replaces the batches that are to be stored, and returns them.
    fn set_batches(&self, batches: Vec<Batch>) -> Vec<Batch> {
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
    async fn send(&self, Batch { items, body }: Batch) -> Result<usize, Error> {
        let answer = self
            .dynamodb
            .batch_write_item()
            // For what the client derives from the name. The body takes its place.
            .request_items(&self.table, Vec::new())
            .customize()
            .mutate_request(move |request| has_body(request, &body))
            .send()
            .await?;
        if answer.unprocessed_items.is_none_or(|left| left.is_empty()) {
            Ok(items)
        } else {
            Err("DynamoDB left items unwritten".into())
        }
    }
}

fn has_body(request: &mut HttpRequest, body: &Bytes) {
    let length = body.len().to_string();
    request.headers_mut().insert("content-length", length);
    *request.body_mut() = SdkBody::from(body.clone());
}

impl Making {
    fn batches(&self, table: &str) -> Vec<Batch> {
        let patterns = self.patterns.iter().cycle();
        let items = patterns.take(self.rows).enumerate();
        let puts: Vec<_> = items
            .map(|(number, pattern)| {
                let mut item = pattern.clone();
                item.insert("_link".to_owned(), json!({ "S": self.link }));
                item.insert(
                    "_item".to_owned(),
                    json!({ "S": format!("T#{number:036}") }),
                );
                json!({ "PutRequest": { "Item": item } })
            })
            .collect();
        let batches = puts.chunks(BATCH).map(|puts| Batch {
            items: puts.len(),
            body: json!({ "RequestItems": { table: puts } })
                .to_string()
                .into(),
        });
        batches.collect()
    }
}
