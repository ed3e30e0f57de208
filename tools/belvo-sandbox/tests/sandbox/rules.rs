//! Misbehaviour of answers.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    harness::{Harness, ids},
    receiver::Receiver,
    widget::token_request,
};

fn page(link: &str, number: usize) -> String {
    format!("/api/transactions/?link={link}&page_size=10&page={number}")
}

#[tokio::test]
async fn answers_are_replaced_as_often_as_the_rule_says_in_the_order_of_the_rules() {
    let harness = Harness::start().await;
    let link = harness.link(5).await;
    let error = json!({ "code": "unexpected_error", "status": 502, "message": "other words" });
    for (times, action) in [
        (2, json!({ "error": error })),
        (1, json!({ "html_403": true })),
        (1, json!({ "status": 429, "retry_after": 7 })),
        (1, json!({ "redirect": "http://other.example/" })),
    ] {
        let rule = json!({ "on": "get", "link": link, "times": times, "action": action });
        harness.rule(rule).await;
    }

    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(harness.get(&page(&link, 1)).await);
    }

    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [502, 502, 403, 429, 302, 200]);
    assert_eq!(answers[0].json()[0]["message"], "other words");
    let content_type = answers[2].headers["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("text/html"));
    assert!(answers[2].text.contains("openresty"));
    assert_eq!(answers[3].headers["retry-after"], "7");
    assert_eq!(answers[4].headers["location"], "http://other.example/");
}

#[tokio::test]
async fn a_page_may_have_a_row_twice() {
    let harness = Harness::start().await;
    let link = harness.link(5).await;
    harness.always("get", json!({ "repeat_rows": true })).await;

    let page = harness.get(&page(&link, 1)).await.json();

    let rows = page["results"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0], rows[5]);
    assert_eq!(page["count"], 5);
}

#[tokio::test]
async fn an_outdated_answer_has_changed_rows_as_they_were() {
    let harness = Harness::start().await;
    let link = harness.link(3).await;
    let before = harness.get(&page(&link, 1)).await.json();
    let changed = before["results"][1]["id"].as_str().unwrap();
    let path = format!("/links/{link}/transactions/{changed}");
    harness.patch(&path, json!({ "description": "new" })).await;

    harness.once("get", json!({ "outdated": true })).await;

    assert_eq!(harness.get(&page(&link, 1)).await.json(), before);
    let after = harness.get(&page(&link, 1)).await.json();
    assert_eq!(after["results"][1]["description"], "new");
}

#[tokio::test]
async fn a_rule_lets_calls_pass_before_it_takes_effect() {
    let harness = Harness::start().await;
    let link = harness.link(5).await;
    let action = json!({ "status": 429 });
    let rule = json!({ "on": "get", "link": link, "skip": 2, "times": 1, "action": action });
    harness.rule(rule).await;

    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(harness.get(&page(&link, 1)).await.status);
    }

    assert_eq!(statuses, [200, 200, 429, 200]);
}

#[tokio::test]
async fn a_rule_concerns_its_link_and_its_page() {
    let harness = Harness::start().await;
    let (one, other) = (harness.link(25).await, harness.link(25).await);
    let action = json!({ "status": 503 });
    let rule = json!({ "on": "get", "link": one, "page": 2, "action": action });
    harness.rule(rule).await;
    let status = async |link: &str, number| harness.get(&page(link, number)).await.status;

    assert_eq!(status(&one, 1).await, 200);
    assert_eq!(status(&one, 2).await, 503);
    assert_eq!(status(&one, 3).await, 200);
    assert_eq!(status(&other, 2).await, 200);

    harness.delete("/rules").await;
    assert_eq!(status(&one, 2).await, 200);
}

#[tokio::test]
async fn a_rule_concerns_its_kind_of_call() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    let not_found = json!({ "error": { "code": "not_found" } });
    harness.always("token", json!({ "status": 504 })).await;
    harness.always("links", not_found).await;
    harness.always("accounts", json!({ "status": 505 })).await;
    let status = async |path: &str| harness.get(path).await.status;

    let token = harness
        .post("/api/token/", &token_request(&json!({})))
        .await;
    assert_eq!(token.status, 504);
    assert_eq!(status(&format!("/api/links/{link}/")).await, 404);
    assert_eq!(status("/api/accounts/").await, 505);
    assert_eq!(status(&page(&link, 1)).await, 200);

    harness.delete("/rules").await;
    assert_eq!(status("/api/accounts/").await, 200);
}

#[tokio::test]
async fn an_account_may_lack_its_id() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    harness
        .once("accounts", json!({ "without_id": true }))
        .await;

    let path = format!("/api/accounts/?link={link}");
    let torn = harness.get(&path).await.json();
    let whole = harness.get(&path).await.json();

    assert_eq!(torn["results"][0].get("id"), None);
    assert_eq!(torn["results"][1], whole["results"][1]);
    assert!(whole["results"][0]["id"].is_string());
}

#[tokio::test]
async fn an_answer_is_delayed() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    harness.once("get", json!({ "delay_ms": 40 })).await;

    let started = Instant::now();
    assert_eq!(harness.get(&page(&link, 1)).await.status, 200);

    assert!(started.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn calls_without_an_answer_have_no_status_in_the_journal() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    let page = page(&link, 1);

    harness.once("get", json!({ "hang": true })).await;
    let hung = timeout(Duration::from_millis(100), harness.try_get(&page));
    assert!(hung.await.is_err());
    assert_eq!(harness.get(&page).await.status, 200);

    harness.once("get", json!({ "disconnect": true })).await;
    assert!(harness.try_get(&page).await.is_err());

    let journal = harness.journal().await;
    let gets = journal["gets"].as_array().unwrap().iter();
    let statuses: Vec<&Value> = gets.map(|get| &get["status"]).collect();
    assert_eq!(statuses, [&Value::Null, &json!(200), &Value::Null]);
}

#[tokio::test]
async fn a_connection_lost_before_a_retrieval_costs_nothing() {
    let harness = Harness::start().await;
    let link = harness.link(1).await;
    harness.once("post", json!({ "disconnect": true })).await;

    assert!(harness.try_retrieve(&link).await.is_err());

    assert_eq!(harness.journal().await["retrievals"], json!({}));
}

#[tokio::test]
async fn an_answer_lost_after_a_retrieval_costs_one_and_has_its_webhook() {
    let receiver = Receiver::start().await;
    let harness = Harness::delivering_to(&receiver).await;
    let link = harness.link(1).await;
    let disconnect = json!({ "disconnect": true, "after": true });
    let error = json!({ "error": { "code": "unexpected_error" }, "after": true });
    harness.once("post", disconnect).await;
    harness.once("post", error).await;

    assert!(harness.try_retrieve(&link).await.is_err());
    assert_eq!(harness.retrieve(&link).await.status, 500);

    let webhooks = receiver.wait_for(2).await;
    let journal = harness.journal().await;
    assert_eq!(journal["retrievals"][&link], 2);
    let posts = journal["posts"].as_array().unwrap();
    for webhook in webhooks {
        let request_id = webhook.request_id();
        let mut issued = posts.iter().map(|post| &post["request_id"]);
        assert!(issued.any(|issued| *issued == request_id));
    }
}

#[tokio::test]
async fn an_ignored_async_header_gets_the_rows_at_once() {
    let harness = Harness::start().await;
    let link = harness.link(50).await;
    harness.once("post", json!({ "ignore_async": true })).await;

    let answer = harness.retrieve(&link).await;

    assert_eq!(answer.status, 201);
    assert!(answer.json().is_array());
}

#[tokio::test]
async fn a_dropped_page_is_never_reached_and_still_counted() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    harness.always("get", json!({ "drop_page": 2 })).await;

    let rows = harness.walk(&page(&link, 1)).await;

    let truth = harness.truth(&link).await;
    let expected = [&truth[..10], &truth[20..]].concat();
    assert_eq!(ids(&rows), ids(&expected));
    assert_eq!(harness.get(&page(&link, 1)).await.json()["count"], 35);
}

#[tokio::test]
async fn a_page_that_loses_rows_still_counts_them() {
    let harness = Harness::start().await;
    let link = harness.link(8).await;
    harness.always("get", json!({ "lose_rows": 3 })).await;

    let body = harness.get(&page(&link, 1)).await.json();

    let truth = harness.truth(&link).await;
    assert_eq!(ids(body["results"].as_array().unwrap()), ids(&truth[..5]));
    assert_eq!((&body["count"], &body["next"]), (&json!(8), &json!(null)));
}

#[tokio::test]
async fn rows_are_swapped_after_a_page_and_every_count_stays_the_same() {
    let harness = Harness::start().await;
    let link = harness.link(8).await;
    let before = harness.truth(&link).await;
    harness.once("get", json!({ "swap": 2 })).await;

    let body = harness.get(&page(&link, 1)).await.json();

    assert_eq!(ids(body["results"].as_array().unwrap()), ids(&before));
    let after = harness.truth(&link).await;
    let days = |rows: &[Value]| {
        let days = rows.iter().map(|row| row["value_date"].clone());
        days.collect::<Vec<_>>()
    };
    assert_eq!(days(&after), days(&before));
    let stayed = ids(&after)
        .iter()
        .filter(|id| ids(&before).contains(id))
        .count();
    assert_eq!(stayed, 6);
}

#[tokio::test]
async fn a_torn_page_ends_in_the_middle() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    harness.once("get", json!({ "torn_page": 2 })).await;
    assert_eq!(harness.get(&page(&link, 1)).await.json()["count"], 35);

    let torn = harness.get(&page(&link, 2)).await;

    assert_eq!(torn.status, 200);
    assert!(serde_json::from_str::<Value>(&torn.text).is_err());
    assert_eq!(harness.get(&page(&link, 2)).await.json()["count"], 35);
}

#[tokio::test]
async fn next_leads_to_another_origin() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    let action = json!({ "foreign_next": "http://other.host" });
    harness.always("get", action).await;

    let first = harness.get(&page(&link, 1)).await.json();
    let last = harness.get(&page(&link, 4)).await.json();

    let second = format!("http://other.host{}", page(&link, 2));
    assert_eq!(first["next"], second);
    assert_eq!(last["next"], Value::Null);
}

#[tokio::test]
async fn rows_that_appear_during_a_walk_make_others_come_twice() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    let action = json!({ "drift": { "insert": 4 } });
    harness.once("get", action).await;

    let rows = harness.walk(&page(&link, 1)).await;

    assert_eq!(rows.len(), 39);
    let mut distinct = ids(&rows);
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() < 39);
    assert_eq!(harness.truth(&link).await.len(), 39);
}

#[tokio::test]
async fn a_page_may_start_with_the_last_row_of_the_page_before() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    harness.once("get", json!({ "duplicate_rows": true })).await;

    let rows = harness.walk(&page(&link, 1)).await;

    assert_eq!(rows.len(), 36);
    assert_eq!(rows[9], rows[10]);
}

#[tokio::test]
async fn an_empty_answer_has_no_rows() {
    let harness = Harness::start().await;
    let link = harness.link(35).await;
    harness.once("get", json!({ "empty": true })).await;

    let page = harness.get(&page(&link, 1)).await.json();

    let empty = json!({ "count": 0, "next": null, "previous": null, "results": [] });
    assert_eq!(page, empty);
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
        let refused = harness.control(Method::POST, "/rules", rule.clone()).await;

        assert_eq!(refused.status, 400, "{rule}");
    }
    assert_eq!(harness.look("/rules").await, json!([]));
}
