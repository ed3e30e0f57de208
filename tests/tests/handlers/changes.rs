//! A consumer that follows the changes of a link, and what its copy then has.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use lambda_http::http::Method;
use query::{App, handle};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    service::{Service, event},
    surroundings::{AMPLE_LIMITS, api_call, read_of},
    worker::{Worker, webhook},
};

/// What a consumer has of a link.
#[derive(Default)]
pub(crate) struct Consumer {
    /// By resource and id.
    pub(crate) rows: BTreeMap<(String, String), Value>,
    accounts: Vec<Value>,
    link: Value,
    cursor: Option<String>,
    /// How often it was told that everything was erased, and how often to begin again.
    erasures: usize,
    resets: usize,
}

/// The numbers of rows that were added, modified and removed.
pub(crate) type Told = [usize; 3];

impl Consumer {
    /// Asks until there is nothing more.
    pub(crate) async fn follow(&mut self, query: &App, link: &str, limit: u16) -> Told {
        let mut told = Told::default();
        while self.pull(query, link, limit, &mut told).await {}
        told
    }

    /// Asks once, and returns whether there is more.
    async fn pull(&mut self, query: &App, link: &str, limit: u16, told: &mut Told) -> bool {
        let cursor = self.cursor.as_ref();
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let parameters = format!("limit={limit}{cursor}");
        let (status, answer) = get(query, "changes", link, &parameters).await;
        if status == 410 {
            assert_eq!(answer["reset"], true, "{answer}");
            *self = Self {
                resets: self.resets + 1,
                erasures: self.erasures,
                ..Self::default()
            };
            return true;
        }
        assert_eq!(status, 200, "{answer}");
        self.take(&answer, told);
        answer["has_more"].as_bool().unwrap()
    }

    fn take(&mut self, answer: &Value, told: &mut Told) {
        if answer["erased"] == true {
            *self = Self {
                resets: self.resets,
                erasures: self.erasures + 1,
                ..Self::default()
            };
        }
        let all = |name: &str| answer[name].as_array().unwrap().clone();
        for (kind, name) in ["added", "modified"].into_iter().enumerate() {
            for changed in all(name) {
                let (key, row) = (key(&changed, &changed["row"]["id"]), changed["row"].clone());
                self.rows.insert(key, row);
                told[kind] += 1;
            }
        }
        for removed in all("removed") {
            self.rows.remove(&key(&removed, &removed["id"]));
            told[2] += 1;
        }
        if let Some(accounts) = answer["accounts"].as_array() {
            self.accounts.clone_from(accounts);
        }
        if answer["link"].is_object() {
            self.link = answer["link"].clone();
        }
        self.cursor = Some(answer["next_cursor"].as_str().unwrap().to_owned());
    }
}

fn key(of: &Value, id: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&of["resource"]), text(id))
}

/// What a route of a link answers.
async fn get(query: &App, what: &str, link: &str, parameters: &str) -> (u16, Value) {
    let (route, path) = (
        format!("/links/{{link}}/{what}"),
        json!({"link": link, "resource": "invoices"}),
    );
    let call = api_call(&Method::GET, &route, &path, parameters, None);
    read_of(&format!("GET {route}"), &handle(query, call).await)
}

/// The query function beside a collect function, with the same tables.
pub(crate) fn query(worker: &Worker) -> App {
    App {
        control: worker.app.control.clone(),
        transactions: worker.app.transactions.clone(),
        limits: AMPLE_LIMITS,
    }
}

/// What the store shows of a link, as a consumer would have it.
pub(crate) async fn stored(query: &App, link: &str) -> BTreeMap<(String, String), Value> {
    let mut rows = BTreeMap::new();
    for (resource, what, name) in [
        ("transactions", "transactions", "transactions"),
        ("invoices", "resources/{resource}", "rows"),
    ] {
        let mut cursor = String::new();
        loop {
            let (status, answer) = get(query, what, link, &format!("limit=500{cursor}")).await;
            assert_eq!(status, 200, "{answer}");
            for row in answer[name].as_array().unwrap() {
                let mut row = row.clone();
                if let Some(id) = row["account"].get("id").cloned() {
                    row["account"] = id;
                }
                let id = row["id"].as_str().unwrap().to_owned();
                rows.insert((resource.to_owned(), id), row);
            }
            match answer["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
    }
    rows
}

pub(crate) async fn collect(worker: &Worker, link: &str) {
    worker
        .enqueue(&webhook(link, "transactions_updated", None))
        .await;
    worker.process_everything().await;
}

pub(crate) async fn add_rows(worker: &Worker, link: &str, count: usize) {
    let day = Some("2026-01-10");
    let added = worker.here.sandbox.add_rows(link, count, day).await;
    assert_eq!(added.unwrap().len(), count);
}

/// A worker with a link of this many collected rows, its query function, and a consumer that has
/// them all.
async fn followed(rows: u64) -> (Worker, String, App, Consumer) {
    let worker = Worker::with_own_tables().await;
    let (link, query) = (worker.link(rows).await, query(&worker));
    collect(&worker, &link).await;
    let mut consumer = Consumer::default();
    consumer.follow(&query, &link, 100).await;
    (worker, link, query, consumer)
}

#[tokio::test]
async fn a_consumer_without_a_cursor_gets_everything_and_then_nothing() {
    let worker = Worker::with_own_tables().await;
    let seed = Uuid::new_v4().as_fields().0;
    let user = json!({"transactions": 40, "resources": {"invoices": 9}, "seed": seed});
    let link = worker.here.sandbox.link(user).await.unwrap();
    let query = query(&worker);
    let mut consumer = Consumer::default();
    assert_eq!(consumer.follow(&query, &link, 7).await, [0, 0, 0]);

    collect(&worker, &link).await;
    let mut invoices = webhook(&link, "historical_update", None);
    invoices["webhook_type"] = json!("INVOICES");
    worker.enqueue(&invoices).await;
    worker.process_everything().await;
    for mut consumer in [consumer, Consumer::default()] {
        let told = consumer.follow(&query, &link, 7).await;
        assert_eq!(told, [49, 0, 0], "invoices, too");
        assert_eq!(consumer.rows, stored(&query, &link).await);
        let truth = test_harness::by_id(&worker.here.sandbox.accounts(&link).await.unwrap());
        let copy = test_harness::by_id(&consumer.accounts);
        assert!(copy.keys().eq(truth.keys()));
        for (id, account) in &truth {
            assert_eq!(test_harness::difference(&copy[id], account), None, "{id}");
        }
        assert_eq!(consumer.follow(&query, &link, 7).await, [0, 0, 0]);
    }
}

#[tokio::test]
async fn what_is_added_amended_removed_and_restored_is_told() {
    let (worker, link, query, mut consumer) = followed(40).await;
    let truth = worker.here.sandbox.rows(&link).await.unwrap();
    let id = |place: usize| truth[place]["id"].as_str().unwrap().to_owned();
    let amended = json!({"description": "amended"});
    worker
        .here
        .sandbox
        .patch_row(&link, &id(3), amended)
        .await
        .unwrap();
    worker.here.sandbox.delete_row(&link, &id(5)).await.unwrap();
    worker.here.sandbox.delete_row(&link, &id(8)).await.unwrap();
    add_rows(&worker, &link, 2).await;
    collect(&worker, &link).await;
    assert_eq!(consumer.follow(&query, &link, 2).await, [2, 1, 2]);
    assert_eq!(consumer.rows, stored(&query, &link).await);

    worker
        .here
        .sandbox
        .restore_row(&link, &id(5))
        .await
        .unwrap();
    collect(&worker, &link).await;
    let told = consumer.follow(&query, &link, 100).await;
    assert_eq!(told, [1, 0, 0], "a row that returns counts as added");
    assert_eq!(consumer.rows, stored(&query, &link).await);
    assert_eq!(consumer.rows.len(), 41);
}

#[tokio::test]
async fn what_changes_while_everything_is_listed_is_told_afterwards() {
    let (worker, link, query, _) = followed(40).await;
    let (mut consumer, mut told) = (Consumer::default(), Told::default());
    assert!(consumer.pull(&query, &link, 15, &mut told).await);
    let first = consumer.rows.keys().next().unwrap().1.clone();
    worker.here.sandbox.delete_row(&link, &first).await.unwrap();
    add_rows(&worker, &link, 3).await;
    collect(&worker, &link).await;

    consumer.follow(&query, &link, 15).await;
    assert_eq!(consumer.rows, stored(&query, &link).await);
}

#[tokio::test]
async fn a_consumer_that_is_behind_what_is_kept_begins_again() {
    let (worker, link, query, mut consumer) = followed(40).await;
    for _ in 0..3 {
        add_rows(&worker, &link, 1).await;
        collect(&worker, &link).await;
    }
    let entries = worker.items_of(&link).await.into_iter();
    let is_entry = |item: &AttributeValue| item.as_s().unwrap().starts_with("C#");
    let entries: Vec<_> = entries.filter(|item| is_entry(&item["_item"])).collect();
    let expired = &entries[1];
    let client = aws_sdk_dynamodb::Client::new(&worker.aws);
    let delete = client.delete_item();
    let delete = delete
        .table_name(&worker.here.stack.transactions_table)
        .key("_link", expired["_link"].clone())
        .key("_item", expired["_item"].clone());
    delete.send().await.unwrap();

    consumer.follow(&query, &link, 100).await;
    assert_eq!(consumer.resets, 1);
    assert_eq!(consumer.rows, stored(&query, &link).await);
    assert_eq!(consumer.rows.len(), 43);
}

#[tokio::test]
async fn what_an_interrupted_collection_has_left_of_the_log_is_settled_by_the_next_one() {
    let (worker, link, query, mut consumer) = followed(40).await;
    // It had counted its entry, and crashed before it was written.
    let client = aws_sdk_dynamodb::Client::new(&worker.aws);
    let count = client
        .update_item()
        .table_name(&worker.here.stack.transactions_table)
        .key("_link", AttributeValue::S(link.clone()))
        .key("_item", AttributeValue::S("C".to_owned()))
        .update_expression("ADD #last :one")
        .expression_attribute_names("#last", "_last")
        .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
    count.send().await.unwrap();

    add_rows(&worker, &link, 2).await;
    collect(&worker, &link).await;
    assert_eq!(consumer.follow(&query, &link, 100).await, [2, 0, 0]);
    assert_eq!(consumer.resets, 0);
    assert_eq!(consumer.rows, stored(&query, &link).await);
}

#[tokio::test]
async fn a_cursor_that_no_answer_contained_is_named() {
    let (_worker, link, query, _) = followed(1).await;
    for cursor in ["x", "e30x", "eyJhdCI6MX0"] {
        let (status, problem) = get(&query, "changes", &link, &format!("cursor={cursor}")).await;
        assert_eq!(
            (status, &problem["field"]),
            (400, &json!("cursor")),
            "{cursor}"
        );
    }
}

#[tokio::test]
async fn the_state_of_a_link_is_told_when_it_changes() {
    let service = Service::new().await;
    let link = service.registered().await;
    let (query, mut consumer) = (query(&service.worker), Consumer::default());
    consumer.follow(&query, &link, 100).await;
    assert_eq!(consumer.link["status"], "valid");
    service
        .process(event(&link, "LINK", "token_required"))
        .await;
    consumer.follow(&query, &link, 100).await;
    assert_eq!(consumer.link["blocked"]["reason"], "token_required");
}

#[tokio::test]
async fn an_erasure_is_told_whatever_the_consumer_had_read() {
    let service = Service::new().await;
    let link = service.registered().await;
    let query = query(&service.worker);
    collect(&service.worker, &link).await;
    let (mut all, mut some) = (Consumer::default(), Consumer::default());
    all.follow(&query, &link, 100).await;
    some.pull(&query, &link, 5, &mut Told::default()).await;
    assert_eq!((all.rows.len(), some.rows.len()), (40, 5));

    service.delete(&link, "rows=erase").await;
    service.worker.here.until_gone(&link).await;
    service.process(event(&link, "LINK", "link_deleted")).await;
    for mut consumer in [all, some] {
        consumer.follow(&query, &link, 100).await;
        assert_eq!((consumer.erasures, consumer.rows.len()), (1, 0));
        assert!(consumer.accounts.is_empty());
        assert_eq!(consumer.link["blocked"]["reason"], "deleted");
    }
}
