//! A DynamoDB that leaves items of a batch unprocessed, as it does when throttling.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::IntoResponse};
use domain::{Changes, Days, LinkId, Observation, Resource, Timestamp};
use serde_json::{Value, json};
use shared::store::{Rows, StoreError, TransactionsTable};
use tests::Stack;
use tokio::net::TcpListener;

/// Leaves all but the first item of this many further batches unprocessed.
struct Throttle {
    dynamodb: String,
    http: reqwest::Client,
    batches: AtomicU32,
}

/// A table behind a proxy that throttles this many batches.
async fn throttled(batches: u32) -> Rows {
    let stack = Stack::of_this_run();
    let dynamodb = tests::dynoxide_with_tables_of(&stack).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let throttle = Arc::new(Throttle {
        dynamodb,
        http,
        batches: batches.into(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(pass).with_state(throttle);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let table = TransactionsTable::open(&stack.aws_at(&endpoint), stack.transactions_table);
    table.rows(Resource::TRANSACTIONS)
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
        tests::taken_apart(&row).0.into()
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

#[tokio::test]
async fn unprocessed_items_of_a_batch_are_retried_until_all_are_written_and_read() {
    let (rows, link) = (throttled(5).await, link());
    rows.put(&link, changes(), &seen()).await.unwrap();
    assert_eq!(rows.known(&link, Days::ALL, None).await.unwrap().len(), 60);

    let (rows, link) = (throttled(0).await, link);
    rows.put(&link, changes(), &seen()).await.unwrap();
    let ids = changes()
        .new
        .iter()
        .map(|change| change.row.id().clone())
        .collect();
    assert_eq!(rows.look_up(&link, ids).await.unwrap().len(), 60);
}

#[tokio::test]
async fn a_batch_that_never_completes_is_an_error_and_not_a_loss() {
    let rows = throttled(u32::MAX).await;
    let outcome = rows.put(&link(), changes(), &seen()).await;
    assert!(
        matches!(outcome, Err(StoreError::Throttled(_))),
        "{outcome:?}"
    );
}
