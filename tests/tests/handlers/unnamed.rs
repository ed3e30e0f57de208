//! Webhooks that name no request, and the requests that they answer.

use domain::{
    Days, LinkId, RequestRecord, Resource, Retrieval, Status, Timestamp, Verdict, Window,
};
use serde_json::{Value, json};

use crate::{
    archive::outcomes,
    worker::{AMPLE, Worker, id, webhook},
};

const A_MINUTE: i64 = 60;

/// A webhook that names no request, and that no other has the bytes of.
fn unnamed(link: &str) -> Value {
    let mut unnamed = webhook(link, "historical_update", None);
    unnamed["webhook_id"] = json!(id());
    unnamed
}

/// A link with a request that Belvo works on, and the request's id.
async fn requested(worker: &Worker, rows: u64) -> (String, String) {
    let (link, id) = (worker.link(rows).await, id());
    worker.issue(&link, &id, A_MINUTE).await;
    (link, id)
}

async fn process(worker: &Worker, webhook: &Value) {
    worker.enqueue(webhook).await;
    worker.process_everything().await;
}

fn state(record: &RequestRecord) -> (Status, Option<Verdict>) {
    (record.status(), record.verdict())
}

#[tokio::test]
async fn the_only_open_request_of_the_resource_is_answered() {
    let worker = Worker::with_own_tables().await;
    let (link, id) = requested(&worker, 20).await;
    let mut invoices = unnamed(&link);
    invoices["webhook_type"] = json!("INVOICES");
    process(&worker, &invoices).await;
    assert_eq!(worker.record(&id).await.status(), Status::Issued);

    process(&worker, &unnamed(&link)).await;

    let record = worker.record(&id).await;
    assert_eq!(state(&record), (Status::Collected, Some(Verdict::Complete)));
    let facts = record.facts();
    assert_eq!((facts.notified_at.is_some(), facts.due_at), (true, None));
    let days = record.collection.unwrap().days;
    assert_eq!(days, Days::ALL, "it may be about other rows as well");
}

#[tokio::test]
async fn of_two_open_requests_none_is_answered() {
    let worker = Worker::with_own_tables().await;
    let (link, first) = requested(&worker, 20).await;
    let second = id();
    worker.issue(&link, &second, A_MINUTE).await;
    process(&worker, &unnamed(&link)).await;
    for id in [&first, &second] {
        assert_eq!(worker.record(id).await.status(), Status::Issued);
    }
}

#[tokio::test]
async fn no_request_is_answered_while_another_may_be_at_work() {
    let worker = Worker::with_own_tables().await;
    let (link, id) = requested(&worker, 20).await;
    let another = Retrieval {
        window: Some(Window::parse("2026-02-01", "2026-02-28", Timestamp::now().day()).unwrap()),
        ..Retrieval::of(LinkId::parse(&link).unwrap(), Resource::TRANSACTIONS)
    };
    let (intents, at) = (&worker.app.control.intents, Timestamp::now());
    intents.begin(&another, at).await.unwrap();
    process(&worker, &unnamed(&link)).await;
    assert_eq!(worker.record(&id).await.status(), Status::Issued);

    intents.withdraw(&another, at).await.unwrap();
    process(&worker, &unnamed(&link)).await;
    assert_eq!(worker.record(&id).await.status(), Status::Collected);
}

#[tokio::test]
async fn a_failure_is_archived_and_says_nothing_about_the_request() {
    let worker = Worker::with_own_tables().await;
    let (link, id) = requested(&worker, 20).await;
    let mut failed = unnamed(&link);
    failed["data"] = json!({"errors": [{"code": "institution_down", "message": "m"}]});
    process(&worker, &failed).await;
    assert_eq!(worker.record(&id).await.status(), Status::Issued);
    assert_eq!(outcomes(&worker, &link).await, ["failed"]);
}

#[tokio::test]
async fn the_rows_of_all_accounts_are_stored_although_one_account_was_requested() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(40).await;
    let truth = worker.here.sandbox.rows(&link).await.unwrap();
    let account = |row: &Value| row["account"]["id"].as_str().unwrap().to_owned();
    let of_one = account(&truth[0]);
    assert!(truth.iter().any(|row| account(row) != of_one));
    let id = id();
    worker.issue_of(&link, &id, A_MINUTE, Some(&of_one)).await;

    process(&worker, &unnamed(&link)).await;

    let record = worker.record(&id).await;
    assert_eq!(state(&record), (Status::Collected, Some(Verdict::Complete)));
    assert_eq!(record.collection.unwrap().tally.rows, 40);
}

#[tokio::test]
async fn an_attempt_after_a_failure_answers_the_same_request_and_none_that_came_later() {
    let worker = Worker::with_own_tables().await;
    let (link, first) = requested(&worker, 20).await;
    let outage = json!({"on": "get", "times": 1, "action": {"status": 503}});
    worker.here.sandbox.rule(outage).await.unwrap();
    worker.enqueue(&unnamed(&link)).await;
    let failed = worker.invoke(worker.waiting().await, AMPLE).await;
    assert_eq!(failed.len(), 1);
    assert_eq!(worker.record(&first).await.status(), Status::Notified);

    let later = id();
    worker.issue(&link, &later, 0).await;
    assert!(worker.invoke(failed, AMPLE).await.is_empty());

    assert_eq!(worker.record(&first).await.status(), Status::Collected);
    assert_eq!(worker.record(&later).await.status(), Status::Issued);
}

#[tokio::test]
async fn a_webhook_that_is_delivered_again_answers_no_other_request() {
    let worker = Worker::with_own_tables().await;
    let (link, first) = requested(&worker, 20).await;
    let webhook = unnamed(&link);
    process(&worker, &webhook).await;
    let later = id();
    worker.issue(&link, &later, 0).await;

    process(&worker, &webhook).await;
    assert_eq!(worker.record(&first).await.status(), Status::Collected);
    assert_eq!(worker.record(&later).await.status(), Status::Issued);

    process(&worker, &unnamed(&link)).await;
    assert_eq!(worker.record(&later).await.status(), Status::Collected);
}

#[tokio::test]
async fn what_it_declares_is_compared_with_what_it_is_about_and_not_with_the_request() {
    let worker = Worker::with_own_tables().await;
    let (link, id) = requested(&worker, 20).await;
    let mut declaring = unnamed(&link);
    declaring["data"] = json!({"total_transactions": 22});
    process(&worker, &declaring).await;

    let record = worker.record(&id).await;
    assert_eq!(state(&record), (Status::Collected, Some(Verdict::Complete)));
    assert_eq!(record.declared, None);
    let links = &worker.app.control.links;
    let known = links.get(&record.retrieval.link).await.unwrap().unwrap();
    let (_, due_at) = known.due().unwrap();
    let in_an_hour = Timestamp::now().plus_seconds(3_600);
    assert!(due_at <= in_an_hour, "two rows are missing: {due_at}");
}

#[tokio::test]
async fn a_continuation_goes_on_for_both() {
    let worker = Worker::with_pages_of(100).await.in_own_tables().await;
    let (link, id) = requested(&worker, 400).await;
    let outage = json!({"on": "get", "skip": 4, "times": 1, "action": {"status": 503}});
    worker.here.sandbox.rule(outage).await.unwrap();
    let mut declaring = unnamed(&link);
    declaring["data"] = json!({"total_transactions": 500});
    worker.enqueue(&declaring).await;
    assert!(
        worker
            .invoke(worker.waiting().await, AMPLE)
            .await
            .is_empty()
    );
    assert_eq!(worker.record(&id).await.status(), Status::Collecting);

    let mut continuation = worker.waiting().await;
    assert_eq!(continuation.len(), 1);
    let body: Value = serde_json::from_str(continuation[0].body.as_ref().unwrap()).unwrap();
    let mut due = body;
    due["task"]["not_before"] = json!(Timestamp::now());
    continuation[0].body = Some(due.to_string());
    assert!(worker.invoke(continuation, AMPLE).await.is_empty());

    let record = worker.record(&id).await;
    assert_eq!(record.status(), Status::Collected);
    let links = &worker.app.control.links;
    let known = links.get(&record.retrieval.link).await.unwrap().unwrap();
    let (_, due_at) = known.due().unwrap();
    assert!(due_at <= Timestamp::now().plus_seconds(3_600));
}
