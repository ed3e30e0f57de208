//! Links that are read as a whole whether or not a webhook has announced anything.

use std::{collections::BTreeSet, time::Duration};

use aws_lambda_events::sqs::SqsMessage;
use domain::{Connection, Days, Filter, LinkId, LinkRecord, Resource, ScrubPeriod, Timestamp};
use serde_json::{Value, json};

use crate::worker::{AMPLE, Worker, webhook};

fn task_of(message: &SqsMessage) -> Value {
    serde_json::from_str(message.body.as_deref().unwrap()).unwrap()
}

/// Reads the queue's messages, and returns of which links and resources they are checks.
async fn process_checks(worker: &Worker) -> Vec<(String, String)> {
    let messages = worker.waiting().await;
    let check = |message: &SqsMessage| {
        let task = task_of(message);
        assert_eq!(task["kind"], "check_link");
        let text = |name: &str| task["task"][name].as_str().unwrap().to_owned();
        (text("link"), text("resource"))
    };
    let checks = messages.iter().map(check).collect();
    assert!(worker.invoke(messages, AMPLE).await.is_empty());
    checks
}

async fn change(worker: &Worker, link: &str, change: impl Fn(LinkRecord) -> LinkRecord) {
    let id = LinkId::parse(link).unwrap();
    worker.app.control.links.change(&id, change).await.unwrap();
}

/// Lets the link's time have come.
async fn make_due(worker: &Worker, link: &str) {
    let a_minute_ago = Timestamp::now().plus_seconds(-60);
    let due = |known: LinkRecord| known.read_again(Resource::TRANSACTIONS, a_minute_ago);
    change(worker, link, due).await;
}

async fn due_at(worker: &Worker, link: &str) -> Option<Timestamp> {
    let id = LinkId::parse(link).unwrap();
    let record = worker.app.control.links.get(&id).await.unwrap();
    Some(record?.due()?.1)
}

/// The ids of the rows that are stored and not deleted.
async fn stored(worker: &Worker, link: &str) -> BTreeSet<String> {
    let rows = worker.app.transactions.rows(Resource::TRANSACTIONS);
    let link = LinkId::parse(link).unwrap();
    let all = Filter::default();
    let (listed, _) = rows.list(&link, &all, None, 500).await.unwrap();
    let ids = listed.iter().map(|listed| listed.row.id().to_string());
    ids.collect()
}

async fn at_belvo(worker: &Worker, link: &str) -> BTreeSet<String> {
    let rows = worker.here.sandbox.rows(link).await.unwrap();
    let ids = rows
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned());
    ids.collect()
}

async fn collect(worker: &Worker, link: &str) {
    let webhook = webhook(link, "historical_update", None);
    worker.enqueue(&webhook).await;
    worker.process_everything().await;
}

#[tokio::test]
async fn a_single_link_without_any_webhook_is_collected_after_the_due_time() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(30).await;
    let at = Timestamp::now().plus_seconds(-1_801);
    let single = Connection {
        access_mode: Some("single".to_owned()),
        ..Connection::default()
    };
    let registered = |known: LinkRecord| known.registered(single.clone(), at, 1_800);
    change(&worker, &link, registered).await;

    worker.sweep().await;
    assert_eq!(process_checks(&worker).await.len(), 1);

    assert_eq!(stored(&worker, &link).await.len(), 30);
    worker.sweep().await;
    assert!(worker.waiting().await.is_empty(), "once");
    assert_eq!(
        worker.here.sandbox.counters().await.unwrap()["posts"],
        0,
        "no retrieval"
    );
}

#[tokio::test]
async fn a_row_that_took_anothers_place_is_found_by_the_next_scrub() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(30).await;
    collect(&worker, &link).await;
    let first_due = due_at(&worker, &link).await.unwrap();
    let a_week = Timestamp::now().plus_seconds(7 * 24 * 60 * 60);
    assert!(first_due <= a_week);
    let old = worker.here.sandbox.rows(&link).await.unwrap()[20].clone();
    let id = old["id"].as_str().unwrap();
    worker.here.sandbox.delete_row(&link, id).await.unwrap();
    let (sandbox, day) = (&worker.here.sandbox, old["value_date"].as_str());
    sandbox.add_rows(&link, 1, day).await.unwrap();
    assert!(stored(&worker, &link).await.contains(id));

    make_due(&worker, &link).await;
    worker.sweep().await;
    let checks = process_checks(&worker).await;

    assert_eq!(checks, [(link.clone(), "transactions".to_owned())]);
    let belvo = at_belvo(&worker, &link).await;
    assert_eq!(stored(&worker, &link).await, belvo);
    assert_eq!(due_at(&worker, &link).await, Some(first_due), "as before");
}

#[tokio::test]
async fn scrubs_wait_while_other_work_does() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(30).await;
    collect(&worker, &link).await;
    make_due(&worker, &link).await;
    for message in 0..40 {
        worker
            .enqueue_text(&format!("link-{message}"), "\"work\"")
            .await;
    }
    worker.sweep().await;
    assert_eq!(worker.waiting().await.len(), 40);

    worker.sweep().await;
    assert_eq!(process_checks(&worker).await.len(), 1);
}

#[tokio::test]
async fn a_scrub_lets_other_messages_of_its_link_pass() {
    let mut worker = Worker::with_pages_of(10).await.in_own_tables().await;
    worker.app.turn = Duration::ZERO;
    let link = worker.link(100).await;
    make_due(&worker, &link).await;
    worker.sweep().await;
    let check = worker.waiting().await;
    worker
        .enqueue(&webhook(&link, "new_transactions_available", None))
        .await;
    assert!(worker.invoke(check, AMPLE).await.is_empty());

    let waiting = worker.waiting().await;
    let kind = |message: &SqsMessage| task_of(message)["kind"].as_str().unwrap().to_owned();
    let kinds: Vec<_> = waiting.iter().map(kind).collect();
    assert_eq!(kinds, ["webhook", "continuation"]);
    assert!(worker.invoke(waiting, AMPLE).await.is_empty());
    worker.process_everything().await;
    assert_eq!(stored(&worker, &link).await, at_belvo(&worker, &link).await);
}

#[tokio::test]
async fn without_a_period_no_link_is_read_again_but_a_new_one_is_looked_at() {
    let mut worker = Worker::with_own_tables().await;
    worker.app.scrubs = ScrubPeriod::of_days(0);
    let (collected, new) = (worker.link(30).await, worker.link(30).await);
    collect(&worker, &collected).await;
    assert_eq!(due_at(&worker, &collected).await, None);

    let at = Timestamp::now().plus_seconds(-1_801);
    let registered = |known: LinkRecord| known.registered(Connection::default(), at, 1_800);
    change(&worker, &new, registered).await;
    worker.sweep().await;
    assert_eq!(process_checks(&worker).await.len(), 1);
    assert_eq!(stored(&worker, &new).await.len(), 30);
    let id = LinkId::parse(&new).unwrap();
    let record = worker.app.control.links.get(&id).await.unwrap();
    assert!(record.unwrap().scrub_at.is_empty());
}

#[tokio::test]
async fn a_link_is_read_again_in_an_hour_if_rows_were_missing_for_a_webhook_without_a_request() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(30).await;
    let mut webhook = webhook(&link, "historical_update", None);
    webhook["data"] = json!({"total_transactions": 32});
    worker.enqueue(&webhook).await;
    worker.process_everything().await;
    let due_at = due_at(&worker, &link).await.unwrap();
    let in_an_hour = Timestamp::now().plus_seconds(60 * 60);
    assert!(due_at <= in_an_hour && due_at > in_an_hour.plus_seconds(-60));

    let (sandbox, day) = (&worker.here.sandbox, Some("2026-01-10"));
    sandbox.add_rows(&link, 2, day).await.unwrap();
    make_due(&worker, &link).await;
    worker.sweep().await;
    process_checks(&worker).await;
    assert_eq!(stored(&worker, &link).await.len(), 32);
}

#[tokio::test]
async fn rows_of_another_resource_are_read_again_too() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(30).await;
    let mut webhook = webhook(&link, "historical_update", None);
    webhook["webhook_type"] = json!("INVOICES");
    worker.enqueue(&webhook).await;
    worker.process_everything().await;
    let invoices = Resource::by_name("invoices").unwrap();
    let a_minute_ago = Timestamp::now().plus_seconds(-60);
    let due = |known: LinkRecord| known.read_again(invoices, a_minute_ago);
    change(&worker, &link, due).await;

    worker.sweep().await;
    let before = worker.here.get_queries().await.len();
    let checks = process_checks(&worker).await;
    assert_eq!(checks, [(link, "invoices".to_owned())]);
    assert!(worker.here.get_queries().await.len() > before);
}

#[tokio::test]
async fn a_scrub_writes_nothing_for_unchanged_rows() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(30).await;
    collect(&worker, &link).await;
    let id = LinkId::parse(&link).unwrap();
    let rows = worker.app.transactions.rows(Resource::TRANSACTIONS);
    let before = rows.known(&id, Days::ALL, None).await.unwrap();
    let items = worker.items_of(&link).await;

    make_due(&worker, &link).await;
    worker.sweep().await;
    process_checks(&worker).await;

    assert_eq!(rows.known(&id, Days::ALL, None).await.unwrap(), before);
    assert_eq!(worker.items_of(&link).await, items);
}
