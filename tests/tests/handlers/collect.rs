//! The collect's handler.

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use collect::{Collect, handle};
use serde_json::json;
use shared::{
    domain::{LinkId, RequestId, Status},
    store::Transactions,
};

use crate::surroundings::{LINK, REQUEST, Surroundings, event, good_keys};

const TIME: Duration = Duration::from_mins(1);

async fn collect(here: &Surroundings) -> Collect {
    Collect {
        belvo: here.belvo(good_keys()).await,
        requests: here.requests(),
        transactions: here.transactions(),
        queue: here.queue().await,
    }
}

async fn failed(collect: &Collect, name: &str) -> Vec<String> {
    let batch: SqsEvent = serde_json::from_str(&event(name)).unwrap();
    let response = handle(collect, batch, TIME).await;
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

#[tokio::test]
async fn an_event_of_a_retrieval_stores_its_rows() {
    let here = Surroundings::new().await;
    let collect = collect(&here).await;

    assert!(failed(&collect, "collect-historical-update").await.is_empty());
    assert!(failed(&collect, "collect-two-messages-of-a-link").await.is_empty());

    let record = here.requests().get(&RequestId::parse(REQUEST).unwrap()).await.unwrap().unwrap();
    assert_eq!((record.status(), record.collection.unwrap().rows), (Status::Collected, 120));
    let stored = here.transactions().stored(&LinkId::parse(LINK).unwrap(), None, None).await.unwrap();
    assert_eq!(stored.len(), 120);
}

#[tokio::test]
async fn a_poison_message_comes_back_and_its_neighbour_does_not() {
    let here = Surroundings::new().await;
    let collect = collect(&here).await;
    let failed = failed(&collect, "collect-poison-beside-a-good-message").await;
    assert_eq!(failed, ["00000000-0000-4000-8000-000000000000"]);
}

#[tokio::test]
async fn after_a_failure_the_links_later_messages_come_back_too() {
    let here = Surroundings::new().await;
    let collect = collect(&here).await;
    here.control("rules", json!({"on": "get", "times": 1, "action": {"error": {"code": "unexpected_error"}}})).await;
    let failed = failed(&collect, "collect-two-messages-of-a-link").await;
    assert_eq!(failed, ["00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001"]);
}

#[tokio::test]
async fn events_that_ask_for_no_collection_fetch_nothing() {
    let here = Surroundings::new().await;
    let collect = collect(&here).await;
    here.control("rules", json!({"on": "get", "action": {"error": {"code": "unexpected_error"}}})).await;
    assert!(failed(&collect, "collect-link-event").await.is_empty());
    assert!(failed(&collect, "collect-failed-retrieval").await.is_empty());

    let failed = RequestId::parse("00000000-0000-4000-8000-00000000fa11").unwrap();
    let record = here.requests().get(&failed).await.unwrap().unwrap();
    assert_eq!((record.status(), record.failure.unwrap().code.as_str()), (Status::Failed, "login_error"));
}

#[tokio::test]
async fn a_store_that_is_gone_loses_no_message() {
    let here = Surroundings::new().await;
    let transactions = Transactions::new(&here.stack.aws, "no-such-table".to_owned());
    let collect = Collect { transactions, ..collect(&here).await };
    assert_eq!(failed(&collect, "collect-historical-update").await.len(), 1);
}
