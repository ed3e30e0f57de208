//! Misbehaviour of answers.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Harness, ids},
    receiver::Receiver,
};

fn page(link: &str, number: usize) -> String {
    format!("/api/transactions/?link={link}&page_size=10&page={number}")
}

#[tokio::test]
async fn answers_are_replaced_as_often_as_the_rule_says_in_the_order_of_the_rules() {
    let harness = Harness::start().await;
    let link = harness.link(5).await;
    let error =
        json!({ "error": { "status": 502, "code": "unexpected_error", "message": "other words" } });
    for (times, action) in [
        (2, error),
        (1, json!({ "html_403": true })),
        (1, json!({ "status": 429, "retry_after": 7 })),
    ] {
        harness
            .rule(json!({ "on": "get", "link": link, "times": times, "action": action }))
            .await;
    }
    harness
        .rule(json!({ "on": "get", "times": 1, "action": { "redirect": "http://other.example/" } }))
        .await;
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(harness.get(&page(&link, 1)).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [502, 502, 403, 429, 302, 200]);
    assert_eq!(answers[0].json()[0]["message"], "other words");
    assert!(
        answers[2].headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    assert!(answers[2].text.contains("openresty"));
    assert_eq!(answers[3].headers["retry-after"], "7");
    assert_eq!(answers[4].headers["location"], "http://other.example/");
}

#[tokio::test]
async fn a_page_may_have_a_row_twice() {
    let harness = Harness::start().await;
    let link = harness.link(5).await;
    harness
        .rule(json!({ "on": "get", "link": link, "action": { "repeat_rows": true } }))
        .await;
    let page = harness.get(&page(&link, 1)).await.json();
    let rows = page["results"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0], &page["count"]),
        (6, &rows[5], &json!(5))
    );
}

#[tokio::test]
async fn a_rule_lets_calls_pass_before_it_takes_effect() {
    let harness = Harness::start().await;
    let link = harness.link(5).await;
    harness.rule(json!({ "on": "get", "link": link, "skip": 2, "times": 1, "action": { "status": 429 } })).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(harness.get(&page(&link, 1)).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
}

#[tokio::test]
async fn a_rule_concerns_its_link_its_page_and_its_kind_of_call() {
    let harness = Harness::start().await;
    let (one, other) = (harness.link(25).await, harness.link(25).await);
    harness
        .rule(json!({ "on": "get", "link": one, "page": 2, "action": { "status": 503 } }))
        .await;
    harness
        .rule(json!({ "on": "token", "action": { "status": 504 } }))
        .await;
    harness
        .rule(json!({ "on": "links", "action": { "error": { "code": "not_found" } } }))
        .await;
    harness
        .rule(json!({ "on": "accounts", "action": { "status": 505 } }))
        .await;
    let status = async |path: &str| harness.get(path).await.status;
    assert_eq!(
        (status(&page(&one, 1)).await, status(&page(&one, 2)).await),
        (200, 503)
    );
    assert_eq!(
        (status(&page(&other, 2)).await, status(&page(&one, 3)).await),
        (200, 200)
    );
    assert_eq!(harness.post("/api/token/", &json!({})).await.status, 504);
    assert_eq!(status(&format!("/api/links/{one}/")).await, 404);
    assert_eq!(status("/api/accounts/").await, 505);
    harness.control(Method::DELETE, "/rules", Value::Null).await;
    assert_eq!(
        (status(&page(&one, 2)).await, status("/api/accounts/").await),
        (200, 200)
    );
}

#[tokio::test]
async fn delays_and_silence_last_until_the_client_has_enough() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    harness
        .rule(json!({ "on": "get", "times": 1, "action": { "delay_ms": 40 } }))
        .await;
    let started = Instant::now();
    assert_eq!(harness.get(&page(&link, 1)).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(40));
    harness
        .rule(json!({ "on": "get", "times": 1, "action": { "hang": true } }))
        .await;
    let patience = Duration::from_millis(100);
    assert!(
        tokio::time::timeout(patience, harness.try_get(&page(&link, 1)))
            .await
            .is_err()
    );
    assert_eq!(harness.get(&page(&link, 1)).await.status, 200);
    harness
        .rule(json!({ "on": "get", "times": 1, "action": { "disconnect": true } }))
        .await;
    assert!(harness.try_get(&page(&link, 1)).await.is_err());
    let statuses: Vec<Value> = harness.journal().await["gets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|get| get["status"].clone())
        .collect();
    assert_eq!(statuses, [json!(200), Value::Null, json!(200), Value::Null]);
}

#[tokio::test]
async fn a_connection_lost_before_a_retrieval_costs_nothing_and_after_it_costs_one_and_has_its_webhook()
 {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    harness
        .rule(json!({ "on": "post", "times": 1, "action": { "disconnect": true } }))
        .await;
    harness
        .rule(json!({ "on": "post", "times": 1, "action": { "disconnect": true, "after": true } }))
        .await;
    harness
        .rule(json!({ "on": "post", "times": 1, "action": { "error": { "code": "unexpected_error" }, "after": true } }))
        .await;
    assert!(harness.try_retrieve(&link).await.is_err());
    assert_eq!(harness.journal().await["retrievals"], json!({}));
    assert!(harness.try_retrieve(&link).await.is_err());
    assert_eq!(harness.retrieve(&link).await.status, 500);
    let deliveries = receiver.wait_for(2).await;
    let journal = harness.journal().await;
    assert_eq!(journal["retrievals"][&link], 2);
    for delivery in deliveries {
        let dashed = delivery.json()["request_id"]
            .as_str()
            .unwrap()
            .replace('-', "");
        assert!(
            journal["posts"]
                .as_array()
                .unwrap()
                .iter()
                .any(|post| post["request_id"] == dashed)
        );
    }
}

#[tokio::test]
async fn an_ignored_async_header_gets_the_rows_at_once() {
    let harness = Harness::start().await;
    let link = harness.link(50).await;
    harness
        .rule(json!({ "on": "post", "times": 1, "action": { "ignore_async": true } }))
        .await;
    let answer = harness.retrieve(&link).await;
    assert_eq!(answer.status, 201);
    assert!(answer.json().is_array());
}

#[tokio::test]
async fn a_dropped_page_is_never_reached_and_still_counted() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    harness
        .rule(json!({ "on": "get", "action": { "drop_page": 2 } }))
        .await;
    let truth = harness.truth(&link).await;
    let rows = harness.walk(&page(&link, 1)).await;
    assert_eq!(
        ids(&rows),
        [&ids(&truth)[..10], &ids(&truth)[20..]].concat()
    );
    assert_eq!(harness.get(&page(&link, 1)).await.json()["count"], 35);
}

#[tokio::test]
async fn a_torn_page_ends_in_the_middle() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    harness
        .rule(json!({ "on": "get", "times": 1, "action": { "torn_page": 2 } }))
        .await;
    assert_eq!(harness.get(&page(&link, 1)).await.json()["count"], 35);
    let torn = harness.get(&page(&link, 2)).await;
    assert_eq!(
        (
            torn.status,
            serde_json::from_str::<Value>(&torn.text).is_err()
        ),
        (200, true)
    );
    assert_eq!(harness.get(&page(&link, 2)).await.json()["count"], 35);
}

#[tokio::test]
async fn next_leads_to_another_origin() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    harness
        .rule(json!({ "on": "get", "action": { "foreign_next": "http://other.host" } }))
        .await;
    let next = harness.get(&page(&link, 1)).await.json()["next"].clone();
    assert_eq!(next, format!("http://other.host{}", page(&link, 2)));
    assert_eq!(
        harness.get(&page(&link, 4)).await.json()["next"],
        Value::Null
    );
}

#[tokio::test]
async fn rows_that_appear_during_a_walk_make_others_come_twice() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    harness
        .rule(json!({ "on": "get", "times": 1, "action": { "drift": { "insert": 4 } } }))
        .await;
    let before = harness.truth(&link).await;
    let rows = harness.walk(&page(&link, 1)).await;
    assert_eq!(rows.len(), 39);
    let mut distinct = ids(&rows);
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() < 39);
    assert_eq!(harness.truth(&link).await.len(), before.len() + 4);
}

#[tokio::test]
async fn a_row_is_repeated_on_the_next_page_and_an_empty_answer_has_no_rows() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    harness
        .rule(json!({ "on": "get", "times": 1, "action": { "duplicate_rows": true } }))
        .await;
    let rows = harness.walk(&page(&link, 1)).await;
    assert_eq!((rows.len(), &rows[9]), (36, &rows[10]));
    harness
        .rule(json!({ "on": "get", "times": 1, "action": { "empty": true } }))
        .await;
    let empty = harness.get(&page(&link, 1)).await.json();
    assert_eq!(
        empty,
        json!({ "count": 0, "next": null, "previous": null, "results": [] })
    );
}

#[tokio::test]
async fn a_rule_that_does_not_exist_is_refused() {
    let harness = Harness::start().await;
    for rule in [
        json!({ "on": "get", "action": { "explode": true } }),
        json!({ "on": "get", "action": { "hang": false } }),
        json!({ "on": "get", "action": {} }),
        json!({ "on": "get", "action": { "hang": true, "html_403": true } }),
        json!({ "on": "get", "action": { "error": { "code": "no_such_code" } } }),
        json!({ "on": "get", "action": { "early": true } }),
        json!({ "on": "post", "action": { "torn_page": 1 } }),
        json!({ "on": "webhook", "action": { "hang": true } }),
        json!({ "on": "get", "action": { "delay_ms": 1, "after": true } }),
        json!({ "on": "everything", "action": { "hang": true } }),
        json!({ "on": "get", "tmies": 1, "action": { "hang": true } }),
    ] {
        assert_eq!(
            harness
                .control(Method::POST, "/rules", rule.clone())
                .await
                .status,
            400,
            "{rule}"
        );
    }
    assert_eq!(
        harness
            .control(Method::GET, "/rules", Value::Null)
            .await
            .json(),
        json!([])
    );
}
