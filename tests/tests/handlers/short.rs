//! Collections after which fewer rows are stored than Belvo says there are.

use std::time::Duration;

use domain::{Deadlines, RequestRecord, Status, Timestamp, Verdict};
use serde_json::json;
use test_harness::eventually;

use crate::worker::{AMPLE, Worker, id, webhook};

/// A function that repeats at once what is to be repeated within seconds.
async fn worker() -> Worker {
    let mut worker = Worker::with_own_tables().await;
    worker.app.retry_policy.longest_wait = Duration::ZERO;
    worker
}

/// Announces rows of a link, and how many there are.
async fn announce(worker: &Worker, link: &str, id: &str, total: u64) {
    let mut webhook = webhook(link, "historical_update", Some(id));
    webhook["data"] = json!({"total_transactions": total});
    // Otherwise the queue takes a second one for a redelivery.
    webhook["webhook_id"] = json!(self::id());
    worker.enqueue(&webhook).await;
}

async fn add_rows(worker: &Worker, link: &str, count: usize) {
    let day = Some("2026-01-10");
    let added = worker.here.sandbox.add_rows(link, count, day).await;
    assert_eq!(added.unwrap().len(), count);
}

fn state(record: &RequestRecord) -> (Status, Option<Verdict>) {
    (record.status(), record.verdict())
}

#[tokio::test]
async fn rows_that_the_listing_has_seconds_after_the_webhook_are_fetched_by_themselves() {
    let worker = worker().await;
    let (link, id) = (worker.link(20).await, id());
    announce(&worker, &link, &id, 22).await;
    let failed = worker.invoke(worker.waiting().await, AMPLE).await;
    assert!(failed.is_empty());

    let record = worker.record(&id).await;
    assert_eq!(state(&record), (Status::Short, Some(Verdict::Short(2))));
    let facts = record.facts();
    let in_minutes = Timestamp::now().plus_seconds(301);
    assert!(
        facts.due_at.is_some_and(|due_at| due_at < in_minutes),
        "checked, even if the repetition is lost: {facts:?}"
    );

    add_rows(&worker, &link, 2).await;
    assert_eq!(worker.process_everything().await, 1);
    let record = worker.record(&id).await;
    assert_eq!(state(&record), (Status::Collected, Some(Verdict::Complete)));
    let facts = record.facts();
    assert_eq!((facts.short_at, facts.due_at), (None, None));
}

#[tokio::test]
async fn the_first_repetition_waits_for_seconds() {
    let worker = Worker::with_own_tables().await;
    let (link, id) = (worker.link(20).await, id());
    announce(&worker, &link, &id, 22).await;
    worker.invoke(worker.waiting().await, AMPLE).await;

    let repetition = worker.waiting().await;
    assert_eq!(worker.invoke(repetition.clone(), AMPLE).await, repetition);
    assert_eq!(worker.here.sandbox.counters().await.unwrap()["gets"], 1);
}

#[tokio::test]
async fn rows_that_never_come_leave_the_request_incomplete_until_they_do() {
    let mut worker = worker().await;
    worker.app.deadlines.expires_s = 1;
    let (link, id) = (worker.link(20).await, id());
    announce(&worker, &link, &id, 22).await;
    assert_eq!(worker.process_everything().await, 2, "and its repetition");
    assert_eq!(worker.record(&id).await.status(), Status::Short);

    let record = eventually("the request ends", async || {
        worker.sweep().await;
        worker.process_everything().await;
        let record = worker.record(&id).await;
        record.status().is_terminal().then_some(record)
    })
    .await;
    assert_eq!(
        state(&record),
        (Status::Incomplete, Some(Verdict::Short(2)))
    );
    assert_eq!(record.facts().due_at, None);

    add_rows(&worker, &link, 2).await;
    announce(&worker, &link, &id, 22).await;
    worker.process_everything().await;
    let record = worker.record(&id).await;
    assert_eq!(state(&record), (Status::Collected, Some(Verdict::Complete)));
}

#[tokio::test]
async fn a_check_that_was_never_processed_leaves_a_short_request_incomplete() {
    let mut worker = worker().await;
    worker.app.deadlines = Deadlines {
        due_s: 1,
        expires_s: 1,
    };
    let (link, id) = (worker.link(20).await, id());
    announce(&worker, &link, &id, 22).await;
    worker.process_everything().await;

    let record = eventually("the request ends", async || {
        worker.sweep().await;
        worker.waiting().await;
        let record = worker.record(&id).await;
        record.status().is_terminal().then_some(record)
    })
    .await;
    assert_eq!(record.status(), Status::Incomplete);
}

#[tokio::test]
async fn a_sweep_that_comes_late_leaves_a_collected_request_collected() {
    let worker = worker().await;
    let (link, id) = (worker.link(20).await, id());
    announce(&worker, &link, &id, 20).await;
    worker.process_everything().await;
    let record = worker.record(&id).await;
    let requests = &worker.app.control.requests;
    let stayed = requests.stayed_incomplete(&record.id, Timestamp::now());
    stayed.await.unwrap();
    assert_eq!(worker.record(&id).await, record);
}

#[tokio::test]
async fn a_request_that_had_all_its_rows_does_not_become_short_by_what_belvo_deleted_since() {
    let worker = worker().await;
    let (link, id) = (worker.link(20).await, id());
    announce(&worker, &link, &id, 20).await;
    worker.process_everything().await;
    let newest = &worker.here.sandbox.rows(&link).await.unwrap()[0];
    let newest = newest["id"].as_str().unwrap();
    worker.here.sandbox.delete_row(&link, newest).await.unwrap();

    announce(&worker, &link, &id, 20).await;
    worker.process_everything().await;
    let record = worker.record(&id).await;
    assert_eq!(record.status(), Status::Collected);
    assert_eq!(record.collection.unwrap().tally.deleted, 1);

    announce(&worker, &link, &id, 25).await;
    worker.invoke(worker.waiting().await, AMPLE).await;
    assert_eq!(
        worker.record(&id).await.status(),
        Status::Incomplete,
        "new news"
    );
}

#[tokio::test]
async fn an_incomplete_request_that_is_announced_again_is_fetched_again_within_seconds() {
    let mut worker = worker().await;
    worker.app.deadlines.expires_s = 1;
    let (link, id) = (worker.link(20).await, id());
    announce(&worker, &link, &id, 22).await;
    worker.process_everything().await;
    eventually("the request ends", async || {
        worker.sweep().await;
        worker.process_everything().await;
        let ended = worker.record(&id).await.status().is_terminal();
        ended.then_some(())
    })
    .await;

    announce(&worker, &link, &id, 22).await;
    worker.invoke(worker.waiting().await, AMPLE).await;
    assert!(worker.record(&id).await.facts().is_short());
    add_rows(&worker, &link, 2).await;
    assert_eq!(worker.process_everything().await, 1, "its repetition");
    assert_eq!(worker.record(&id).await.status(), Status::Collected);
}
