//! Requests whose webhook never arrives, and what becomes of them.

use domain::{Status, Timestamp, Verdict};
use serde_json::json;

use crate::worker::{AMPLE, Worker, id, webhook};

const AN_HOUR: i64 = 3_600;
const A_DAY: i64 = 24 * AN_HOUR;

#[tokio::test]
async fn a_request_whose_webhook_is_lost_is_collected_after_a_sweep() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(400).await;
    let id = id();
    worker.issue(&link, &id, AN_HOUR).await;

    worker.sweep().await;
    assert_eq!(worker.process_everything().await, 1);

    let record = worker.record(&id).await;
    assert_eq!(
        (record.status(), record.verdict()),
        (Status::Collected, Some(Verdict::Complete))
    );
    assert!(record.collection.as_ref().unwrap().tally.rows > 0);
    assert_eq!(
        (record.facts().notified_at, record.facts().due_at),
        (None, None)
    );
    assert_eq!(
        worker.here.sandbox.counters().await.unwrap()["gets"],
        1,
        "one GET"
    );
    worker.sweep().await;
    assert!(worker.waiting().await.is_empty(), "it is not checked again");
}

#[tokio::test]
async fn rows_that_were_already_stored_do_not_complete_an_overdue_request() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(400).await;
    worker
        .enqueue(&webhook(&link, "historical_update", None))
        .await;
    worker.process_everything().await;
    let (young, old) = (id(), id());
    worker.issue(&link, &young, AN_HOUR).await;
    worker.issue(&link, &old, A_DAY + 1).await;

    worker.sweep().await;
    worker.process_everything().await;

    assert_eq!(
        worker.record(&young).await.status(),
        Status::Issued,
        "Belvo may still be working on it"
    );
    assert_eq!(
        worker.record(&old).await.status(),
        Status::Collected,
        "in the end the stored rows have to do"
    );
    let mut failed = webhook(&link, "historical_update", Some(&young));
    failed["data"] = json!({"error_code": "login_error", "error_message": "no"});
    worker.enqueue(&failed).await;
    worker.process_everything().await;
    assert_eq!(worker.record(&young).await.status(), Status::Failed);
}

#[tokio::test]
async fn a_request_is_not_checked_again_before_it_is_due_again() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(5).await;
    worker.issue(&link, &id(), AN_HOUR).await;
    worker.sweep().await;
    worker.sweep().await;
    assert_eq!(worker.waiting().await.len(), 1);
}

#[tokio::test]
async fn a_dead_lettered_overdue_check_succeeds_when_redriven() {
    let mut worker = Worker::with_own_tables().await;
    worker.app.retry_policy.attempts = 1;
    let link = worker.link(400).await;
    let id = id();
    worker.issue(&link, &id, AN_HOUR).await;
    let failure =
        json!({"on": "get", "times": 1, "action": {"error": {"code": "unexpected_error"}}});
    worker.here.sandbox.rule(failure).await.unwrap();
    worker.sweep().await;
    worker.process_everything().await;
    assert_eq!(worker.record(&id).await.failure.unwrap().code, "gave_up");

    let dead_letters = worker.dead_letters().await;
    assert!(worker.invoke(dead_letters, AMPLE).await.is_empty());

    assert_eq!(worker.record(&id).await.status(), Status::Collected);
}

#[tokio::test]
async fn a_webhook_with_the_code_overdue_is_an_ordinary_webhook() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(20).await;
    let id = id();
    worker.enqueue(&webhook(&link, "overdue", Some(&id))).await;
    worker.process_everything().await;
    let record = worker.record(&id).await;
    assert_eq!(
        (record.status(), record.facts().notified_at.is_some()),
        (Status::Collected, true)
    );
}

#[tokio::test]
async fn a_request_that_is_not_due_is_left_alone() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(5).await;
    worker.issue(&link, &id(), 60).await;
    worker.sweep().await;
    assert!(worker.waiting().await.is_empty());
}

#[tokio::test]
async fn a_request_whose_data_is_not_ready_is_checked_again_and_finally_expires() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(400).await;
    worker
        .here
        .sandbox
        .rule(json!({"on": "get", "action": {"empty": true}}))
        .await
        .unwrap();
    let (young, old) = (id(), id());
    worker.issue(&link, &young, AN_HOUR).await;
    worker.issue(&link, &old, A_DAY + 1).await;

    worker.sweep().await;
    worker.process_everything().await;

    let record = worker.record(&young).await;
    assert_eq!(record.status(), Status::Issued);
    assert!(
        record.facts().due_at > Some(Timestamp::now().plus_seconds(AN_HOUR - 60)),
        "after twice as long: {record:?}"
    );
    let record = worker.record(&old).await;
    assert_eq!(
        (record.status(), record.facts().due_at),
        (Status::Expired, None)
    );
}

#[tokio::test]
async fn a_request_whose_messages_are_never_processed_expires_after_twice_its_deadline() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(5).await;
    let (old, ended) = (id(), id());
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&ended)))
        .await;
    worker.process_everything().await;
    worker.issue(&link, &old, 2 * A_DAY + 1).await;
    worker.issue(&link, &ended, 2 * A_DAY + 1).await;
    worker.sweep().await;

    assert_eq!(
        worker.waiting().await.len(),
        1,
        "a check is sent only for the one seen recently"
    );
    let record = worker.record(&old).await;
    assert_eq!(
        (record.status(), record.facts().due_at),
        (Status::Expired, None)
    );
    assert_eq!(worker.record(&ended).await.status(), Status::Collected);
}

#[tokio::test]
async fn an_overdue_request_with_new_rows_is_collecting_while_its_collection_is_continued() {
    let worker = Worker::with_pages_of(10).await.in_own_tables().await;
    let link = worker.link(400).await;
    let id = id();
    worker.issue(&link, &id, AN_HOUR).await;
    worker.sweep().await;
    let failure = json!({
        "on": "get",
        "skip": 4,
        "times": 1,
        "action": {"error": {"code": "unexpected_error"}},
    });
    worker.here.sandbox.rule(failure).await.unwrap();
    assert!(
        worker
            .invoke(worker.waiting().await, AMPLE)
            .await
            .is_empty()
    );
    assert_eq!(worker.waiting().await.len(), 1, "a continuation");
    assert_eq!(worker.record(&id).await.status(), Status::Collecting);
}

#[tokio::test]
async fn a_late_webhook_collects_an_expired_request() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(400).await;
    worker
        .here
        .sandbox
        .rule(json!({"on": "get", "times": 1, "action": {"empty": true}}))
        .await
        .unwrap();
    let id = id();
    worker.issue(&link, &id, A_DAY + 1).await;
    worker.sweep().await;
    worker.process_everything().await;
    assert_eq!(worker.record(&id).await.status(), Status::Expired);

    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id)))
        .await;
    worker.process_everything().await;

    assert_eq!(worker.record(&id).await.status(), Status::Collected);
}

#[tokio::test]
async fn a_request_that_ended_before_it_was_recorded_as_issued_does_not_stay_due() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(5).await;
    let id = id();
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id)))
        .await;
    worker.process_everything().await;
    worker.issue(&link, &id, AN_HOUR).await;
    let gets = worker.here.sandbox.counters().await.unwrap()["gets"].clone();

    worker.sweep().await;
    worker.process_everything().await;

    let record = worker.record(&id).await;
    assert_eq!(
        (record.status(), record.facts().due_at),
        (Status::Collected, None)
    );
    assert_eq!(
        worker.here.sandbox.counters().await.unwrap()["gets"],
        gets,
        "nothing is fetched for it"
    );
}

#[tokio::test]
async fn an_overdue_request_that_belvo_refuses_ends_as_failed() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(5).await;
    worker
        .here
        .sandbox
        .rule(json!({"on": "get", "action": {"error": {"code": "invalid_link"}}}))
        .await
        .unwrap();
    let id = id();
    worker.issue(&link, &id, AN_HOUR).await;
    worker.sweep().await;
    worker.process_everything().await;
    assert_eq!(
        worker.record(&id).await.failure.unwrap().code,
        "invalid_link"
    );
}
