//! `POST /requests`.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use test_harness::{Stack, eventually};

const FROM_TO: [&str; 2] = ["2026-01-01", "2026-01-31"];

#[tokio::test]
async fn a_request_is_answered_with_its_id_and_its_status_url() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;

    let answer = link.request().await;

    assert_eq!(answer.status, 202);
    let id = answer.body["request_id"].as_str().unwrap();
    assert_eq!(answer.headers["location"], format!("/requests/{id}"));
    assert_eq!(answer.body["status_url"], format!("/requests/{id}"));
    assert_eq!(stack.get(&format!("/requests/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_bad_request_names_the_field_and_spends_nothing() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;

    let answer = stack
        .request(&json!({"link": link.id, "date_from": "2026-02-01", "date_to": "2026-01-01"}))
        .await;

    assert_eq!(
        (answer.status.as_u16(), &answer.body["field"]),
        (400, &json!("date_from"))
    );
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert!(answer.body["gateway_request_id"].is_string());
    assert_eq!(link.retrievals().await, 0);
}

#[tokio::test]
async fn what_belvo_refuses_is_refused_with_belvos_code() {
    let stack = Stack::of_this_run();
    let unknown = uuid::Uuid::new_v4().to_string();

    let answer = stack
        .request(&json!({"link": unknown, "date_from": FROM_TO[0], "date_to": FROM_TO[1]}))
        .await;

    assert_eq!(
        (answer.status.as_u16(), &answer.body["belvo_code"]),
        (422, &json!("does_not_exist"))
    );
    assert!(answer.body["belvo_request_id"].is_string());
}

#[tokio::test]
async fn a_post_that_belvo_may_have_acted_on_is_not_repeated() {
    let stack = Stack::of_this_run();
    for action in [
        json!({"error": {"code": "unexpected_error"}}),
        json!({"disconnect": true, "after": true}),
    ] {
        let link = stack.recurrent_link(3).await;
        link.misbehave(json!({"on": "webhook", "action": {"drop": true}}))
            .await;
        link.misbehave(json!({"on": "post", "action": action}))
            .await;

        let answer = link.request().await;

        assert_eq!(answer.status, 502, "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        assert!(
            answer.body["type"]
                .as_str()
                .unwrap()
                .ends_with(":unconfirmed")
        );
        let posts = stack.sandbox.log().await.unwrap();
        let posts = posts["posts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|post| post["link"] == json!(link.id))
            .count();
        assert_eq!(posts, 1, "one POST for {action}");
        let listed = stack
            .get(&format!("/links/{}/requests", link.id))
            .await
            .body;
        let unconfirmed = &listed["unconfirmed"][0];
        assert_eq!(
            (&listed["requests"], &unconfirmed["status"]),
            (&json!([]), &json!("unknown")),
            "{listed}"
        );
        assert_eq!(
            (&unconfirmed["resource"], unconfirmed["until"].is_string()),
            (&json!("transactions"), true)
        );
    }
}

#[tokio::test]
async fn a_rate_limit_at_belvo_is_passed_on_with_a_retry_after() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    link.misbehave(json!({"on": "post", "action": {"html_403": true}}))
        .await;

    let answer = link.request().await;

    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "30");
}

#[tokio::test]
async fn an_answer_with_the_data_at_once_is_collected_like_any_other() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    link.misbehave(json!({"on": "post", "action": {"ignore_async": true}}))
        .await;

    let record = link.collect().await;

    assert_eq!(record["verdict"], "complete");
    assert!(record["ready_at"].is_string(), "{record}");
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn an_answer_with_the_data_at_once_leaves_no_trace_of_a_webhook() {
    let stack = Stack::of_this_run();
    let external_id = uuid::Uuid::new_v4().to_string();
    let link = json!({"transactions": 30, "external_id": external_id});
    let link = stack.link(link).await;
    let registration = json!({"link": link.id, "external_id": external_id});
    assert_eq!(stack.post("/links", &registration).await.status, 201);
    link.misbehave(json!({"on": "post", "action": {"ignore_async": true}}))
        .await;

    let record = link.collect().await;

    for fact in ["notified_at", "webhook_code", "declared"] {
        assert_eq!(record[fact], json!(null), "{fact} of {record}");
    }
    let shown = stack.get(&format!("/links/{}", link.id)).await.body;
    assert_eq!(shown["status"], "valid", "{shown}");
    assert_eq!(
        (&shown["last_event"], &shown["heard_at"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn identical_concurrent_requests_cost_one_retrieval() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    link.misbehave(json!({"on": "webhook", "action": {"drop": true}}))
        .await;

    let answers = join_all((0..5).map(|_| link.request())).await;

    let accepted: BTreeSet<_> = answers
        .iter()
        .filter(|answer| answer.status == 202)
        .map(|answer| answer.body["request_id"].to_string())
        .collect();
    assert_eq!(accepted.len(), 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|answer| [202, 409].contains(&answer.status.as_u16())),
        "{answers:?}"
    );
    let later = link.request().await;
    assert_eq!(
        (later.status.as_u16(), later.body["request_id"].to_string()),
        (202, accepted.into_iter().next().unwrap())
    );
    assert_eq!(link.retrievals().await, 1);
}

#[tokio::test]
async fn a_request_that_has_ended_may_be_made_again_and_another_one_at_any_time() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    let first = link.collect().await;
    let second = link.collect().await;
    assert_ne!(first["id"], second["id"]);

    link.misbehave(json!({"on": "webhook", "action": {"drop": true}}))
        .await;
    let (one, other) = (
        stack.request(&link.days(9, 0)).await,
        stack.request(&link.days(8, 0)).await,
    );
    assert_ne!(one.body["request_id"], other.body["request_id"]);
    assert_eq!(link.retrievals().await, 4);
}

#[tokio::test]
async fn a_request_that_belvo_did_not_answer_is_not_sent_again() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    link.misbehave(json!({"on": "webhook", "action": {"drop": true}}))
        .await;
    link.misbehave(
        json!({"on": "post", "times": 1, "action": {"disconnect": true, "after": true}}),
    )
    .await;
    assert_eq!(link.request().await.status, 502);

    let again = link.request().await;

    let kind = again.body["type"].as_str().unwrap();
    assert_eq!(again.status, 409, "{again:?}");
    assert!(
        kind.ends_with("unresolved"),
        "it is no longer being sent: {kind}"
    );
    let retry_after = again.headers["retry-after"].to_str().unwrap();
    assert!(retry_after.parse::<u32>().unwrap() > 1_700, "{retry_after}");
    assert_eq!(link.retrievals().await, 1);
}

#[tokio::test]
async fn the_webhook_of_a_request_that_belvo_did_not_answer_frees_an_equal_one_at_once() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    link.misbehave(
        json!({"on": "post", "times": 1, "action": {"disconnect": true, "after": true}}),
    )
    .await;
    assert_eq!(link.request().await.status, 502);

    let requests = format!("/links/{}/requests", link.id);
    eventually("the webhook's request is collected", || async {
        let listed = stack.get(&requests).await.body;
        (listed["requests"][0]["status"] == "collected").then_some(listed)
    })
    .await;

    assert_eq!(link.request().await.status, 202);
    assert_eq!(link.retrievals().await, 2);
}

#[tokio::test]
async fn what_belvo_definitely_refused_may_be_sent_again_at_once() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    link.misbehave(json!({"on": "post", "times": 1, "action": {"status": 429}}))
        .await;
    assert_eq!(link.request().await.status, 503);
    assert_eq!(link.request().await.status, 202);
}

#[tokio::test]
async fn a_request_with_the_same_key_is_answered_as_before_even_when_it_has_ended() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    let key = uuid::Uuid::new_v4().to_string();
    let first = stack.request_with_key(&link.last_year(), &key).await;
    stack
        .request_with_status(first.body["request_id"].as_str().unwrap(), "collected")
        .await;

    let again = stack.request_with_key(&link.last_year(), &key).await;

    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.headers["location"], first.headers["location"]);
    assert_eq!(link.retrievals().await, 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    let key = uuid::Uuid::new_v4().to_string();
    assert_eq!(
        stack.request_with_key(&link.days(9, 0), &key).await.status,
        202
    );

    let other = stack.request_with_key(&link.days(8, 0), &key).await;

    assert_eq!(other.status, 422);
    assert!(
        other.body["type"]
            .as_str()
            .unwrap()
            .ends_with("idempotency-key-reused")
    );
    assert_eq!(link.retrievals().await, 1);
}

#[tokio::test]
async fn a_key_whose_request_was_never_sent_may_be_used_again() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    let key = uuid::Uuid::new_v4().to_string();
    link.misbehave(json!({"on": "post", "times": 1, "action": {"status": 429}}))
        .await;
    assert_eq!(
        stack.request_with_key(&link.last_year(), &key).await.status,
        503
    );
    assert_eq!(
        stack.request_with_key(&link.last_year(), &key).await.status,
        202
    );
}

#[tokio::test]
async fn a_malformed_key_is_named() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    for key in ["k".repeat(256), "one\tkey".to_owned()] {
        let answer = stack.request_with_key(&link.last_year(), &key).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!("Idempotency-Key")),
            "{key:?}"
        );
    }
}
