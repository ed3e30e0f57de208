//! The handler of the collect function, given the events of `events/`.

use aws_lambda_events::sqs::SqsEvent;
use collect::{App, handle};
use domain::{Days, LinkId, RequestId, Resource, Status};
use serde_json::json;
use shared::store::TransactionsTable;

use crate::{
    surroundings::{LINK, REQUEST, event},
    worker::{AMPLE, Worker, webhook},
};

async fn failed(app: &App, name: &str) -> Vec<String> {
    let batch: SqsEvent = serde_json::from_str(&event(name)).unwrap();
    let response = handle(app, batch, AMPLE).await;
    response
        .batch_item_failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect()
}

#[tokio::test]
async fn an_event_of_a_retrieval_stores_its_rows() {
    let alone = ["collect-two-messages-of-a-link"];
    for events in [
        &["collect-historical-update", "collect-continuation"][..],
        &alone,
    ] {
        let worker = Worker::with_own_tables().await;
        for event in events {
            let gets_before = worker.here.get_queries().await.len();
            assert!(failed(&worker.app, event).await.is_empty(), "{event}");
            let gets = worker.here.get_queries().await.len();
            assert!(gets > gets_before, "{event} fetches");
        }
        assert!(worker.dead_letters().await.is_empty());

        let record = worker.record(REQUEST).await;
        let found = (record.status(), record.collection.unwrap().tally.rows);
        assert_eq!(found, (Status::Collected, 120), "{events:?}");
        let rows = worker.app.transactions.rows(Resource::TRANSACTIONS);
        let link = LinkId::parse(LINK).unwrap();
        let stored = rows.known(&link, Days::ALL, None).await.unwrap();
        assert_eq!(stored.len(), 120, "{events:?}");
    }
}

#[tokio::test]
async fn a_poison_message_is_dead_lettered_at_once_and_its_neighbour_is_collected() {
    let worker = Worker::with_own_tables().await;
    assert!(
        failed(&worker.app, "collect-poison-beside-a-good-message")
            .await
            .is_empty()
    );
    let dead_letters = worker.dead_letters().await;
    assert_eq!(dead_letters.len(), 1);
    let reason = dead_letters[0].message_attributes["reason"]
        .string_value
        .clone()
        .unwrap();
    assert!(reason.starts_with("the message cannot be read"), "{reason}");
    assert_eq!(worker.record(REQUEST).await.status(), Status::Collected);
}

#[tokio::test]
async fn a_message_of_an_unknown_kind_is_dead_lettered_with_its_reason_and_delays_no_other() {
    let worker = Worker::new().await;
    let link = worker.link(5).await;
    let id = uuid::Uuid::new_v4().simple().to_string();
    worker
        .enqueue_text(&link, r#"{"kind": "of_tomorrow"}"#)
        .await;
    let webhook = webhook(&link, "historical_update", Some(&id));
    worker.enqueue(&webhook).await;

    worker.process_everything().await;

    let dead = worker.dead_letters().await;
    assert_eq!(dead.len(), 1);
    let reason = dead[0].message_attributes["reason"].string_value.clone();
    let reason = reason.unwrap();
    assert!(reason.contains("unknown kind"), "{reason}");
    assert_eq!(worker.record(&id).await.status(), Status::Collected);
}

#[tokio::test]
async fn after_a_failure_the_links_later_messages_are_retried_too() {
    let Worker { here, app, .. } = Worker::with_own_tables().await;
    here.sandbox
        .rule(json!({"on": "get", "times": 1, "action": {"error": {"code": "unexpected_error"}}}))
        .await
        .unwrap();
    let failed = failed(&app, "collect-two-messages-of-a-link").await;
    assert_eq!(
        failed,
        [
            "00000000-0000-4000-8000-000000000000",
            "00000000-0000-4000-8000-000000000001"
        ]
    );
}

#[tokio::test]
async fn events_that_ask_for_no_collection_fetch_nothing() {
    let Worker { here, app, .. } = Worker::with_own_tables().await;
    here.sandbox
        .rule(json!({"on": "get", "action": {"error": {"code": "unexpected_error"}}}))
        .await
        .unwrap();
    assert!(failed(&app, "collect-link-event").await.is_empty());
    assert!(failed(&app, "collect-failed-retrieval").await.is_empty());

    let failed = RequestId::parse("00000000-0000-4000-8000-00000000fa11").unwrap();
    let record = app.control.requests.get(&failed).await.unwrap().unwrap();
    assert_eq!(
        (record.status(), record.failure.unwrap().code.as_str()),
        (Status::Failed, "login_error")
    );
}

#[tokio::test]
async fn an_unavailable_store_loses_no_message() {
    let Worker { here, app, .. } = Worker::with_own_tables().await;
    let transactions = TransactionsTable::open(&here.stack.aws, "no-such-table".to_owned());
    let app = App {
        transactions,
        ..app
    };
    assert_eq!(failed(&app, "collect-historical-update").await.len(), 1);
}
