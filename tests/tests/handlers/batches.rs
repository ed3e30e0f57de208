//! What the collect function does with the messages of a batch: shared fetches, parts and
//! continuations, dead-lettering, and links that do not wait for each other.

use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use collect::TIME_TO_RELEASE;
use domain::{Days, LinkId, RequestId, RowId, Status, Timestamp, Verdict};
use serde_json::{Value, json};
use shared::queue::Queue;

use crate::worker::{AMPLE, Worker, id, webhook};

/// Lets a continuation have waited long enough.
fn end_the_wait(continuation: &mut SqsMessage) {
    let body = continuation.body.as_deref().unwrap();
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["task"]["not_before"] = json!(Timestamp::now().plus_seconds(-1));
    continuation.body = Some(body.to_string());
}

fn seconds_to_work(seconds: u64) -> Duration {
    TIME_TO_RELEASE + Duration::from_secs(seconds)
}

/// A worker and a link of 400 rows in parts of 100, with a waiting webhook for each of these
/// requests. Belvo will stop answering once the fetches of all days, of the years before, of the
/// year and of two of its parts have succeeded.
async fn before_the_outage(ids: &[String]) -> (Worker, String) {
    let worker = Worker::with_pages_of(100).await;
    let link = worker.link(400).await;
    for id in ids {
        worker
            .enqueue(&webhook(&link, "historical_update", Some(id)))
            .await;
    }
    worker
        .here
        .sandbox
        .rule(json!({"on": "get", "skip": 5, "action": {"hang": true}}))
        .await
        .unwrap();
    (worker, link)
}

/// The same after an invocation, whose collection was interrupted.
async fn interrupted(ids: &[String]) -> (Worker, String) {
    let (worker, link) = before_the_outage(ids).await;
    assert!(
        worker
            .invoke(worker.waiting().await, seconds_to_work(8))
            .await
            .is_empty()
    );
    (worker, link)
}

#[tokio::test]
async fn several_messages_of_a_link_in_a_batch_share_one_fetch() {
    let worker = Worker::new().await;
    let link = worker.link(30).await;
    let ids = [id(), id(), id()];
    for id in &ids {
        worker
            .enqueue(&webhook(&link, "historical_update", Some(id)))
            .await;
    }
    worker
        .enqueue(&webhook(&link, "transactions_updated", None))
        .await;

    let messages = worker.waiting().await;
    assert_eq!(messages.len(), 4);
    assert!(worker.invoke(messages, AMPLE).await.is_empty());

    assert_eq!(worker.here.sandbox.counters().await.unwrap()["gets"], 1);
    for id in &ids {
        assert_eq!(worker.record(id).await.collection.unwrap().tally.rows, 30);
    }
}

#[tokio::test]
async fn distant_windows_are_fetched_separately() {
    let worker = Worker::new().await;
    let link = worker.link(30).await;
    let [early, late] = [("2025-01-01", "2025-01-31"), ("2026-01-01", "2026-01-31")];
    for (from, to) in [early, late, early] {
        let id = id();
        worker.here.issue(&link, &id, from, to).await;
        worker
            .enqueue(&webhook(&link, "historical_update", Some(&id)))
            .await;
    }

    assert_eq!(worker.process_everything().await, 1);

    assert_eq!(
        worker.here.sandbox.counters().await.unwrap()["gets"],
        2,
        "one for each window"
    );
}

#[tokio::test]
async fn a_large_window_is_fetched_in_parts_and_is_complete() {
    let worker = Worker::with_pages_of(100).await;
    let link = worker.link(1_050).await;
    let id = id();
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id)))
        .await;

    worker.process_everything().await;

    let record = worker.record(&id).await;
    assert_eq!(
        (record.verdict(), record.facts().collecting_at),
        (Some(Verdict::Complete), None),
        "one invocation was enough"
    );
    assert_eq!(record.collection.unwrap().tally.new, 1_050);
    let gets = worker.here.get_queries().await;
    assert!(gets.len() > 10, "{gets:?}");
    let stored = worker
        .here
        .rows()
        .known(&LinkId::parse(&link).unwrap(), Days::ALL, None)
        .await
        .unwrap();
    assert_eq!(stored.len(), 1_050);
}

#[tokio::test]
async fn a_collection_that_outlasts_its_invocation_is_continued_where_it_stopped() {
    let ids = [id(), id()];
    let (worker, link) = interrupted(&ids).await;

    worker.here.sandbox.forget_rules().await.unwrap();
    let before = worker.here.get_queries().await.len();
    assert_eq!(worker.record(&ids[0]).await.status(), Status::Collecting);
    let continuation = worker.waiting().await;
    assert_eq!(continuation.len(), 1, "one message continues both");
    assert_eq!(
        continuation[0].attributes["MessageGroupId"], link,
        "in the group of its link"
    );
    assert!(
        continuation[0]
            .body
            .as_ref()
            .unwrap()
            .contains(r#""kind":"continuation""#)
    );

    assert!(worker.invoke(continuation, AMPLE).await.is_empty());
    for id in &ids {
        let record = worker.record(id).await;
        assert_eq!(record.status(), Status::Collected);
        assert_eq!(
            (record.verdict(), record.collection.unwrap().tally.new),
            (Some(Verdict::Complete), 400)
        );
    }
    let after = worker.here.get_queries().await;
    let divided = |query: &&String| !query.contains("value_date");
    assert_eq!(
        after[before..].iter().filter(divided).count(),
        1,
        "only the whole is counted again: {after:?}"
    );
}

#[tokio::test]
async fn a_failure_in_a_later_part_does_not_undo_the_earlier_ones() {
    let worker = Worker::with_pages_of(100).await;
    let link = worker.link(400).await;
    let id = id();
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id)))
        .await;
    let failure = json!({
        "on": "get",
        "skip": 5,
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
    let continuation = worker.waiting().await;
    let mut too_early = worker.invoke(continuation, AMPLE).await;
    assert_eq!(
        too_early.len(),
        1,
        "it is continued only after the wait that the failure requires"
    );
    end_the_wait(&mut too_early[0]);
    assert!(worker.invoke(too_early, AMPLE).await.is_empty());

    let record = worker.record(&id).await;
    let collection = record.collection.clone().unwrap();
    assert_eq!(
        (record.verdict(), collection.tally.new, collection.unchanged),
        (Some(Verdict::Complete), 400, 0)
    );
}

#[tokio::test]
async fn an_invocation_without_progress_releases_its_message() {
    let worker = Worker::new().await;
    let link = worker.link(10).await;
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id())))
        .await;
    worker
        .here
        .sandbox
        .rule(json!({"on": "get", "action": {"hang": true}}))
        .await
        .unwrap();
    let messages = worker.waiting().await;

    assert_eq!(
        worker
            .invoke(messages.clone(), seconds_to_work(2))
            .await
            .len(),
        1
    );

    worker.here.sandbox.forget_rules().await.unwrap();
    assert!(worker.waiting().await.is_empty(), "no continuation");
    assert!(worker.invoke(messages, AMPLE).await.is_empty());
}

#[tokio::test]
async fn a_row_that_moves_between_parts_is_changed_and_not_deleted() {
    let worker = Worker::with_pages_of(100).await;
    let link = worker.link(400).await;
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id())))
        .await;
    worker.process_everything().await;
    let rows = worker.here.sandbox.rows(&link).await.unwrap();
    let (newest, oldest) = (&rows[0], &rows[rows.len() - 1]);
    for (row, day) in [
        (newest, &oldest["value_date"]),
        (oldest, &newest["value_date"]),
    ] {
        worker
            .here
            .sandbox
            .patch_row(
                &link,
                row["id"].as_str().unwrap(),
                json!({"value_date": day}),
            )
            .await
            .unwrap();
    }

    let id = id();
    worker
        .enqueue(&webhook(&link, "transactions_updated", Some(&id)))
        .await;
    worker.process_everything().await;

    let collection = worker.record(&id).await.collection.unwrap();
    assert_eq!(
        (
            collection.tally.changed,
            collection.tally.deleted,
            collection.tally.new
        ),
        (2, 0, 0)
    );
    let link = LinkId::parse(&link).unwrap();
    for row in [newest, oldest] {
        let row = RowId::parse(row["id"].as_str().unwrap()).unwrap();
        assert_eq!(
            test_harness::versions(&worker.here.rows(), &link, &row)
                .await
                .len(),
            2
        );
    }
}

#[tokio::test]
async fn after_its_last_attempt_a_message_is_dead_lettered_with_its_reason_and_can_be_redriven() {
    let mut worker = Worker::new().await;
    worker.app.retry_policy.attempts = 1;
    let link = worker.link(10).await;
    let id = id();
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id)))
        .await;
    let failure =
        json!({"on": "get", "times": 1, "action": {"error": {"code": "unexpected_error"}}});
    worker.here.sandbox.rule(failure).await.unwrap();

    assert!(
        worker
            .invoke(worker.waiting().await, AMPLE)
            .await
            .is_empty(),
        "the queue may delete it"
    );

    let dead_letters = worker.dead_letters().await;
    assert_eq!(dead_letters.len(), 1);
    let reason = dead_letters[0].message_attributes["reason"]
        .string_value
        .clone()
        .unwrap();
    assert!(reason.contains("HTTP 500, unexpected_error"), "{reason}");
    let record = worker.record(&id).await;
    assert_eq!(
        (
            record.status(),
            record.failure.clone().unwrap().code.as_str()
        ),
        (Status::Failed, "gave_up")
    );
    assert_eq!(record.failure.unwrap().message, reason);

    assert!(worker.invoke(dead_letters, AMPLE).await.is_empty());
    assert_eq!(worker.record(&id).await.status(), Status::Collected);
}

#[tokio::test]
async fn a_dead_lettered_continuation_fails_every_request_it_serves() {
    let ids = [id(), id()];
    let (mut worker, _) = interrupted(&ids).await;
    worker.app.retry_policy.attempts = 1;

    let continuation = worker.waiting().await;
    assert!(
        worker
            .invoke(continuation, seconds_to_work(1))
            .await
            .is_empty(),
        "dead-lettered"
    );

    assert_eq!(worker.dead_letters().await.len(), 1);
    for id in &ids {
        assert_eq!(worker.record(id).await.failure.unwrap().code, "gave_up");
    }
}

#[tokio::test]
async fn a_message_is_retried_if_its_continuation_cannot_be_queued() {
    let (mut worker, _) = before_the_outage(&[id()]).await;
    let messages = worker.waiting().await;
    let nowhere = Queue::new(
        &worker.here.stack.aws,
        "http://127.0.0.1:9/no-such-queue.fifo".to_owned(),
    );
    worker.app.queue = nowhere;

    assert_eq!(worker.invoke(messages, seconds_to_work(8)).await.len(), 1);
}

#[tokio::test]
async fn a_failure_that_ends_one_message_does_not_hold_up_the_next() {
    let mut worker = Worker::new().await;
    worker.app.retry_policy.attempts = 1;
    let link = worker.link(5).await;
    let (refused, good) = (id(), id());
    worker
        .here
        .issue(&link, &refused, "2025-01-01", "2025-01-02")
        .await;
    worker
        .here
        .issue(&link, &good, "2026-01-01", "2026-01-02")
        .await;
    for id in [&refused, &good] {
        worker
            .enqueue(&webhook(&link, "historical_update", Some(id)))
            .await;
    }
    let failure =
        json!({"on": "get", "times": 1, "action": {"error": {"code": "unexpected_error"}}});
    worker.here.sandbox.rule(failure).await.unwrap();

    assert!(
        worker
            .invoke(worker.waiting().await, AMPLE)
            .await
            .is_empty()
    );

    assert_eq!(
        worker.record(&refused).await.failure.unwrap().code,
        "gave_up"
    );
    assert_eq!(worker.record(&good).await.status(), Status::Collected);
}

#[tokio::test]
async fn a_row_repeated_within_a_page_is_stored_once() {
    let worker = Worker::new().await;
    let link = worker.link(5).await;
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id())))
        .await;
    worker.process_everything().await;
    let rows = worker.here.sandbox.rows(&link).await.unwrap();
    worker
        .here
        .sandbox
        .patch_row(
            &link,
            rows[0]["id"].as_str().unwrap(),
            json!({"value_date": "2020-01-01"}),
        )
        .await
        .unwrap();

    // New on that day, and twice on the page.
    let id = id();
    worker
        .here
        .issue(&link, &id, "2020-01-01", "2020-01-01")
        .await;
    worker
        .here
        .sandbox
        .rule(json!({"on": "get", "action": {"repeat_rows": true}}))
        .await
        .unwrap();
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id)))
        .await;
    assert!(
        worker
            .invoke(worker.waiting().await, AMPLE)
            .await
            .is_empty()
    );

    let collection = worker.record(&id).await.collection.unwrap();
    assert_eq!(
        (
            collection.tally.changed,
            collection.tally.new,
            collection.tally.rows
        ),
        (1, 0, 1)
    );
}

#[tokio::test]
async fn rows_without_a_date_are_collected_although_no_part_covers_them() {
    let worker = Worker::with_pages_of(100).await;
    let link = worker.link(250).await;
    let rows = worker.here.sandbox.rows(&link).await.unwrap();
    worker
        .here
        .sandbox
        .patch_row(
            &link,
            rows[0]["id"].as_str().unwrap(),
            json!({"value_date": null}),
        )
        .await
        .unwrap();
    let id = id();
    worker
        .enqueue(&webhook(&link, "historical_update", Some(&id)))
        .await;

    worker.process_everything().await;

    let record = worker.record(&id).await;
    assert_eq!(
        (record.verdict(), record.collection.unwrap().tally.rows),
        (Some(Verdict::Complete), 250)
    );
}

#[tokio::test]
async fn links_that_hang_delay_no_other_link() {
    let worker = Worker::new().await;
    let hanging = [
        worker.link(5).await,
        worker.link(5).await,
        worker.link(5).await,
    ];
    for link in &hanging {
        worker
            .enqueue(&webhook(link, "historical_update", Some(&id())))
            .await;
        worker
            .here
            .sandbox
            .rule(json!({"on": "get", "link": link, "action": {"hang": true}}))
            .await
            .unwrap();
    }
    let good = worker.link(5).await;
    let id = id();
    worker
        .enqueue(&webhook(&good, "historical_update", Some(&id)))
        .await;
    let messages = worker.waiting().await;

    let (id, control) = (RequestId::parse(&id).unwrap(), worker.here.control());
    let good_is_collected = test_harness::eventually("the good link to be collected", async || {
        let record = control.requests.get(&id).await.unwrap()?;
        (record.status() == Status::Collected).then_some(())
    });
    tokio::select! {
        failed = worker.invoke(messages, AMPLE) => {
            panic!("it waited for the hanging links: {failed:?}")
        }
        () = good_is_collected => {}
    }
}

#[tokio::test]
async fn a_message_that_waited_behind_a_failing_one_has_all_its_attempts() {
    let worker = Worker::new().await;
    let link = worker.link(5).await;
    worker
        .enqueue(&webhook(&link, "historical_update", None))
        .await;
    let mut invoices = webhook(&link, "historical_update", None);
    invoices["webhook_type"] = json!("INVOICES");
    worker.enqueue(&invoices).await;
    let failure =
        json!({"on": "get", "times": 1, "action": {"error": {"code": "unexpected_error"}}});
    worker.here.sandbox.rule(failure).await.unwrap();

    let mut messages = worker.waiting().await;
    let receives = ("ApproximateReceiveCount".to_owned(), "29".to_owned());
    messages[1].attributes.extend([receives]);
    let waited = messages[1].body.clone();
    let retried = worker.invoke(messages.clone(), AMPLE).await;

    assert_eq!(retried, messages[..1], "the one that failed");
    let queued = worker.waiting().await;
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0].body, waited);
    assert_eq!(queued[0].attributes["ApproximateReceiveCount"], "1");
    assert_eq!(queued[0].attributes["MessageGroupId"], link);
}
