//! A consumer that follows a link through the deployed API.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Link, Stack, difference};

/// What a consumer has of a link's transactions, by id, and where it goes on.
#[derive(Default)]
struct Consumer {
    rows: BTreeMap<String, Value>,
    cursor: String,
}

impl Consumer {
    async fn follow(&mut self, stack: &Stack, link: &Link<'_>) {
        loop {
            let path = format!("/links/{}/changes?limit=40{}", link.id, self.cursor);
            let answer = stack.get(&path).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let all = |name: &str| answer.body[name].as_array().unwrap().clone();
            for changed in all("added").into_iter().chain(all("modified")) {
                let row = changed["row"].clone();
                self.rows
                    .insert(row["id"].as_str().unwrap().to_owned(), row);
            }
            for removed in all("removed") {
                self.rows.remove(removed["id"].as_str().unwrap());
            }
            self.cursor = format!("&cursor={}", answer.body["next_cursor"].as_str().unwrap());
            if answer.body["has_more"] == false {
                return;
            }
        }
    }
}

/// The link's transactions at Belvo, each with the id of its account.
async fn truth(link: &Link<'_>) -> BTreeMap<String, Value> {
    let mut rows = link.truth().await;
    for row in rows.values_mut() {
        row["account"] = row["account"]["id"].clone();
    }
    rows
}

fn assert_equal(copy: &BTreeMap<String, Value>, truth: &BTreeMap<String, Value>) {
    assert!(copy.keys().eq(truth.keys()));
    for (id, row) in truth {
        assert_eq!(difference(&copy[id], row), None, "{id}");
    }
}

#[tokio::test]
async fn a_consumer_has_what_belvo_has_after_every_collection() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(90).await;
    let mut consumer = Consumer::default();
    link.collect().await;
    consumer.follow(&stack, &link).await;
    assert_equal(&consumer.rows, &truth(&link).await);

    let newest = link.newest().await;
    link.delete(&newest).await;
    let amended = consumer.rows.keys().find(|id| **id != newest).unwrap();
    link.amend(amended, json!({"description": "amended"})).await;
    link.add(3, &tests::days_ago(1)).await;
    link.collect().await;
    consumer.follow(&stack, &link).await;
    assert_equal(&consumer.rows, &truth(&link).await);
    assert_eq!(consumer.rows.len(), 92);
}

#[tokio::test]
async fn a_cursor_of_something_else_is_named() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(1).await;
    let path = format!("/links/{}/changes?cursor=MjAyNi0wMy0wMSNpZA", link.id);
    let answer = stack.get(&path).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["field"]),
        (400, &json!("cursor"))
    );
}
