//! `POST /webhooks/belvo`: what is acknowledged, and what becomes of it.

use serde_json::{Value, json};
use test_harness::{Stack, eventually};
use uuid::Uuid;

#[tokio::test]
async fn a_redelivered_webhook_changes_no_row() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(50).await;
    let record = link.collect().await;
    let before = link.written_at().await;
    let id = record["id"].as_str().unwrap();

    // Other bytes, so that SQS does not drop it: the store itself must not change.
    let again = link.webhook("TRANSACTIONS", "historical_update", Some(id));
    stack.acknowledges(again.to_string()).await;
    eventually("the second collection", || async {
        let now = stack.get(&format!("/requests/{id}")).await.body;
        (now["collection"]["finished_at"] != record["collection"]["finished_at"]).then_some(())
    })
    .await;

    assert_eq!(link.written_at().await, before);
    assert_eq!(
        stack.get(&format!("/requests/{id}")).await.body["collected_at"],
        record["collected_at"]
    );
}

#[tokio::test]
async fn belvos_own_duplicates_change_no_row() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(50).await;
    link.collect().await;
    let before = link.written_at().await;
    link.misbehave(json!({"on": "webhook", "action": {"duplicate": 3}}))
        .await;

    let record = link.collect().await;

    assert_eq!(link.written_at().await, before);
    assert_eq!(
        (
            &record["collection"]["new"],
            &record["collection"]["changed"]
        ),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn a_webhook_that_arrives_before_the_202_ends_in_the_same_record() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(50).await;
    link.misbehave(json!({"on": "webhook", "action": {"early": true}}))
        .await;

    let record = link.collect().await;

    let requests = stack
        .get(&format!("/links/{}/requests", link.id))
        .await
        .body;
    assert_eq!(
        requests["requests"].as_array().unwrap().len(),
        1,
        "one record: {requests}"
    );
    let issued = eventually("the record to know its window", || async {
        let now = stack
            .get(&format!("/requests/{}", record["id"].as_str().unwrap()))
            .await
            .body;
        now["issued_at"].is_string().then_some(now)
    })
    .await;
    assert!(issued["date_from"].is_string());
    assert!(
        issued["notified_at"].as_str() < issued["issued_at"].as_str(),
        "{issued}"
    );
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn a_failure_does_not_delay_a_links_later_webhooks_for_long() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(10).await;
    link.misbehave(
        json!({"on": "get", "times": 1, "action": {"error": {"code": "unexpected_error"}}}),
    )
    .await;
    let ids: Vec<_> = (0..4).map(|_| Uuid::new_v4().to_string()).collect();

    for id in &ids {
        let body = link
            .webhook("TRANSACTIONS", "historical_update", Some(id))
            .to_string();
        stack.acknowledges(body).await;
    }

    for id in &ids {
        stack.request_with_status(id, "collected").await;
    }
}

#[tokio::test]
async fn a_wrong_or_missing_authorization_is_refused_and_starts_nothing() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    let body = link
        .webhook(
            "TRANSACTIONS",
            "historical_update",
            Some(&Uuid::new_v4().to_string()),
        )
        .to_string();

    let nearly = stack.authorization.to_uppercase();
    for authorization in [None, Some("Bearer wrong"), Some(nearly.as_str()), Some("")] {
        let answer = stack.deliver(body.clone(), authorization).await;
        assert_eq!(answer.status, 401, "{authorization:?}");
        assert!(!answer.body.to_string().contains(&stack.authorization));
    }

    // A later, good webhook of the same link has been processed; by then the refused ones would
    // have left a trace.
    link.collect().await;
    let requests = stack
        .get(&format!("/links/{}/requests", link.id))
        .await
        .body;
    assert_eq!(requests["requests"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_authorization_is_checked_before_the_body() {
    let stack = Stack::of_this_run();
    assert_eq!(stack.deliver("{", Some("Bearer wrong")).await.status, 401);
    assert_eq!(
        stack
            .deliver("x".repeat(100_000), Some("Bearer wrong"))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_malformed_body_is_answered_with_the_request_id() {
    let stack = Stack::of_this_run();
    let broken =
        r#"{"request_id": "4363b08b-51eb-4350-9c74-5df5ac92a7f6", "webhook_type": "TRANSAC"#;

    let answer = stack.deliver(broken, Some(&stack.authorization)).await;

    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.body["request_id"],
        "4363b08b-51eb-4350-9c74-5df5ac92a7f6"
    );
    assert!(answer.body["gateway_request_id"].is_string());
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(0).await;
    let mut body = link.webhook("TRANSACTIONS", "historical_update", Some("4363b08b-51eb"));
    body.as_object_mut().unwrap().remove("webhook_code");

    let answer = stack
        .deliver(body.to_string(), Some(&stack.authorization))
        .await;

    assert_eq!(
        (answer.status.as_u16(), &answer.body["field"]),
        (400, &json!("webhook_code"))
    );
    assert_eq!(answer.body["request_id"], "4363b08b-51eb");
}

#[tokio::test]
async fn an_oversized_body_is_refused() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(0).await;
    let mut body = link.webhook("TRANSACTIONS", "historical_update", None);
    body["padding"] = json!("x".repeat(70_000));

    assert_eq!(
        stack
            .deliver(body.to_string(), Some(&stack.authorization))
            .await
            .status,
        413
    );
}

#[tokio::test]
async fn webhooks_of_unknown_types_are_acknowledged_and_recorded() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(0).await;
    for (webhook_type, code) in [
        ("LINK", "token_required"),
        ("CONSENT", "consent_expired"),
        ("NEWS", "made_up"),
    ] {
        let body = link.webhook(webhook_type, code, None);

        let answer = stack
            .deliver(body.to_string(), Some(&stack.authorization))
            .await;

        assert_eq!(answer.status, 202);
        let delivery_id = answer.body["delivery_id"].as_str().unwrap();
        let archived = archived(&stack, &link.id, delivery_id).await;
        assert_eq!(
            (&archived["webhook_type"], &archived["webhook_code"]),
            (&json!(webhook_type), &json!(code))
        );
        assert_eq!(archived["outcome"], json!({"status": "noted"}));
        assert_eq!(archived["body"], body);
    }
}

#[tokio::test]
async fn an_unknown_code_about_transactions_leads_to_a_fetch() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(20).await;

    let body = link.webhook("TRANSACTIONS", "a_code_yet_to_come", None);
    stack.acknowledges(body.to_string()).await;

    eventually("the link's rows", || async {
        (link.stored().await.len() == 20).then_some(())
    })
    .await;
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn a_retrieval_that_we_did_not_issue_is_collected_by_its_link() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(20).await;
    let id = Uuid::new_v4();

    let body = link.webhook(
        "TRANSACTIONS",
        "new_transactions_available",
        Some(&id.to_string()),
    );
    stack.acknowledges(body.to_string()).await;

    let record = stack
        .request_with_status(&id.to_string(), "collected")
        .await;
    assert_eq!(
        (&record["issued_at"], &record["collection"]["rows"]),
        (&Value::Null, &json!(20))
    );
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn a_webhook_of_no_request_is_fetched_again_when_its_bytes_repeat() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(10).await;
    let body = link
        .webhook("TRANSACTIONS", "transactions_updated", None)
        .to_string();
    stack
        .deliver(body.clone(), Some(&stack.authorization))
        .await;
    eventually("the first rows", || async {
        (link.stored().await.len() == 10).then_some(())
    })
    .await;

    stack.sandbox.add_rows(&link.id, 5, None).await.unwrap();
    stack.deliver(body, Some(&stack.authorization)).await;

    eventually("the new rows", || async {
        (link.stored().await.len() == 15).then_some(())
    })
    .await;
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn a_failed_retrieval_is_recorded_with_its_reason() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(10).await;
    let errors = json!({"data_errors": {"code": "login_error", "message": "Invalid credentials"}});
    link.misbehave(json!({"on": "webhook", "action": errors}))
        .await;

    let id = link.retrieve().await;

    let record = stack.request_with_status(&id, "failed").await;
    assert_eq!(
        record["failure"],
        json!({"code": "login_error", "message": "Invalid credentials"})
    );
    assert!(link.stored().await.is_empty());
}

#[tokio::test]
async fn a_webhook_is_processed_again_when_somebody_asks_for_it() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(10).await;
    let id = Uuid::new_v4().to_string();
    let body = link.webhook("TRANSACTIONS", "historical_update", Some(&id));
    let answer = stack.deliver(body.to_string(), Some(&stack.authorization));
    let answer = answer.await.body;
    let webhook = answer["delivery_id"].as_str().unwrap();
    let first = archived(&stack, &link.id, webhook).await;
    assert_eq!(
        (&first["id"], &first["outcome"]["rows"]),
        (&json!(webhook), &json!(10))
    );

    link.add(5, "2026-01-10").await;
    let accepted = stack
        .post(&format!("/webhooks/{webhook}/replays"), &json!({}))
        .await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);

    let replayed = eventually("the replay", || async {
        let now = archived(&stack, &link.id, webhook).await;
        (now["replayed_at"] == accepted.body["replayed_at"]).then_some(now)
    });
    assert_eq!(replayed.await["outcome"]["written"], 5);
    link.assert_equals_the_sandbox().await;
}

/// The webhook of a link whose id begins with a delivery's, with its body, once it is processed.
async fn archived(stack: &Stack, link: &str, delivery_id: &str) -> Value {
    let what = format!("the webhook {delivery_id}");
    let id = eventually(&what, || async {
        let listed = stack.get(&format!("/links/{link}/webhooks")).await.body;
        let ids = listed["webhooks"].as_array().unwrap().iter();
        let mut ids = ids.map(|webhook| webhook["id"].as_str().unwrap().to_owned());
        ids.find(|id| id.starts_with(delivery_id))
    })
    .await;
    stack.get(&format!("/webhooks/{id}")).await.body
}
