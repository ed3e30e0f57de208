//! A DynamoDB that leaves items of a batch unprocessed, as it does when throttling.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::IntoResponse};
use domain::{Changes, Days, LinkId, Observation, Resource, RowId, Timestamp};
use serde_json::{Value, json};
use shared::store::{Rows, StoreError, TransactionsTable};
use test_harness::Stack;
use tokio::{net::TcpListener, time::timeout};

/// Leaves all but the first item of this many further batches unprocessed.
struct Throttle {
    dynamodb: String,
    http: reqwest::Client,
    batches: AtomicU32,
}

impl Throttle {
    fn set(&self, batches: u32) {
        self.batches.store(batches, Ordering::Relaxed);
    }
}

/// A table behind a proxy that throttles this many batches.
async fn throttled(batches: u32) -> (Rows, Arc<Throttle>) {
    let stack = Stack::of_this_run();
    let dynamodb = test_harness::dynoxide_with_tables_of(&stack).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let throttle = Arc::new(Throttle {
        dynamodb,
        http,
        batches: batches.into(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .fallback(pass)
        .with_state(Arc::clone(&throttle));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let table = TransactionsTable::open(&stack.aws_at(&endpoint), stack.transactions_table);
    (table.rows(Resource::TRANSACTIONS), throttle)
}

async fn pass(
    State(throttle): State<Arc<Throttle>>,
    mut headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let mut request: Value = serde_json::from_slice(&body).unwrap();
    let mut undone = json!({});
    let is_batch = request["RequestItems"].is_object();
    let throttles = |batches: u32| batches.checked_sub(1);
    if is_batch
        && throttle
            .batches
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, throttles)
            .is_ok()
    {
        for (table, entries) in request["RequestItems"].as_object_mut().unwrap() {
            let list = if entries.is_array() {
                &mut *entries
            } else {
                &mut entries["Keys"]
            };
            let rest = list.as_array_mut().unwrap().split_off(1);
            let mut left = entries.clone();
            *(if left.is_array() {
                &mut left
            } else {
                &mut left["Keys"]
            }) = json!(rest);
            if !rest.is_empty() {
                undone[table] = left;
            }
        }
    }
    for own in ["host", "content-length"] {
        headers.remove(own);
    }
    let answer = throttle
        .http
        .post(&throttle.dynamodb)
        .headers(headers)
        .body(request.to_string())
        .send()
        .await
        .unwrap();
    let (status, mut answer) = (answer.status(), answer.json::<Value>().await.unwrap());
    for left in ["UnprocessedItems", "UnprocessedKeys"]
        .into_iter()
        .filter(|_| is_batch && undone != json!({}))
    {
        answer[left] = undone.clone();
    }
    (
        status,
        [("content-type", "application/x-amz-json-1.0")],
        answer.to_string(),
    )
}

fn changes() -> Changes {
    let row = |id: u32| {
        let row = json!({"id": format!("row-{id:02}"), "value_date": "2026-01-01", "amount": 1});
        test_harness::taken_apart(&row).0.into()
    };
    Changes {
        new: (0..60).map(row).collect(),
        ..Changes::default()
    }
}

fn seen() -> Observation {
    Observation {
        at: Timestamp::parse("2026-03-01T00:00:00Z").unwrap(),
        request: None,
    }
}

fn link() -> LinkId {
    LinkId::parse(&uuid::Uuid::new_v4().to_string()).unwrap()
}

fn ids() -> HashSet<RowId> {
    let changes = changes();
    let ids = changes.new.iter().map(|change| change.row.id().clone());
    ids.collect()
}

#[tokio::test]
async fn what_a_batch_left_undone_is_sent_again_until_all_is_written_and_read() {
    let (rows, throttle) = throttled(5).await;
    let link = link();
    rows.put(&link, &changes(), &seen()).await.unwrap();
    assert_eq!(rows.known(&link, Days::ALL, None).await.unwrap().len(), 60);

    throttle.set(3);
    assert_eq!(rows.look_up(&link, ids()).await.unwrap().len(), 60);
}

#[tokio::test]
async fn a_throttled_write_goes_on_for_as_long_as_it_may_and_loses_nothing() {
    let (rows, throttle) = throttled(u32::MAX).await;
    let link = link();
    let seen = seen();
    let changes = changes();
    let put = rows.put(&link, &changes, &seen);
    assert!(timeout(Duration::from_secs(1), put).await.is_err());

    throttle.set(0);
    rows.put(&link, &changes, &seen).await.unwrap();
    assert_eq!(rows.known(&link, Days::ALL, None).await.unwrap().len(), 60);
}

#[tokio::test]
async fn rows_that_are_never_all_read_are_an_error() {
    let (rows, throttle) = throttled(0).await;
    let link = link();
    rows.put(&link, &changes(), &seen()).await.unwrap();

    throttle.set(u32::MAX);
    let outcome = rows.look_up(&link, ids()).await;
    assert!(
        matches!(outcome, Err(StoreError::Throttled(_))),
        "{outcome:?}"
    );
}
