//! Belvo at its worst: the rows end up whole, or the record says what is missing.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_sqs::types::MessageSystemAttributeName;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use test_harness::{Stack, eventually};

use crate::metrics;

#[tokio::test]
async fn a_second_page_that_fails_once_is_fetched_again() {
    let stack = Stack::of_this_run();
    for action in [
        json!({"error": {"code": "unexpected_error"}}),
        json!({"disconnect": true}),
        json!({"torn_page": 2}),
    ] {
        let link = stack.recurrent_link(1_100).await;
        link.misbehave(json!({"on": "get", "page": 2, "times": 1, "action": action}))
            .await;

        let record = link.collect().await;

        assert_eq!(record["verdict"], "complete", "{action}");
        link.assert_equals_the_sandbox().await;
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_stored_is_named_and_stops_no_other() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    let odd = link.newest().await;
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let noise: String = (0..900_000).map(|_| dice.random_range('!'..='~')).collect();
    link.amend(&odd, json!({"observations": noise})).await;

    let record = link.retrieve_until("incomplete").await;

    let named = json!([{"id": odd, "reason": "refused"}]);
    assert_eq!(record["collection"]["left_out"], named);
    let on_link = stack.get(&format!("/links/{}", link.id)).await.body;
    assert_eq!(on_link["left_out"]["transactions"], named);
    let id = record["id"].as_str().unwrap();
    let logged = metrics::logged(&stack, &[id, "rows_collected"]).await;
    assert_eq!(
        metrics::value(&stack, "MissingRows", &logged).await,
        Some(1.0)
    );
    let odd = BTreeSet::from([odd]);
    link.assert_equals_the_sandbox_but_for(&odd).await;
}

#[tokio::test]
async fn a_rate_limit_is_never_mistaken_for_no_new_rows() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(10).await;
    link.misbehave(json!({"on": "get", "times": 1, "action": {"status": 429, "retry_after": 1}}))
        .await;

    assert_eq!(link.collect().await["collection"]["rows"], 10);
}

#[tokio::test]
async fn rows_that_appear_while_pages_are_read_do_not_hide_others() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(1_100).await;
    link.misbehave(json!({"on": "get", "times": 1, "action": {"drift": {"insert": 7}}}))
        .await;

    let record = link.collect().await;

    assert_eq!(
        (&record["verdict"], &record["collection"]["rows"]),
        (&json!("over by 7"), &json!(1_107))
    );
    assert_eq!(
        record["compared"][0]["verdict"], "complete",
        "as many as Belvo's pages count in the end"
    );
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn rows_that_stay_lost_are_counted_as_missing() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    link.misbehave(json!({"on": "get", "action": {"lose_rows": 3}}))
        .await;

    let record = link.retrieve_until("short").await;

    assert_eq!(record["verdict"], "short by 3");
    assert_eq!(link.stored().await.len(), 37);
}

#[tokio::test]
async fn a_page_that_is_skipped_loses_nothing() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(2_100).await;
    link.misbehave(json!({"on": "get", "action": {"drop_page": 2}}))
        .await;

    assert_eq!(link.collect().await["verdict"], "complete");
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn keys_are_not_sent_to_another_host() {
    let stack = Stack::of_this_run();
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", elsewhere.local_addr().unwrap());
    let link = stack.recurrent_link(1_100).await;
    link.misbehave(json!({"on": "get", "action": {"foreign_next": origin}}))
        .await;
    assert_eq!(link.collect().await["verdict"], "complete");
    link.assert_equals_the_sandbox().await;

    let link = stack.recurrent_link(1_100).await;
    let redirect = json!({"redirect": format!("{origin}/api/transactions/")});
    link.misbehave(json!({"on": "get", "action": redirect}))
        .await;
    let id = link.retrieve().await;
    eventually("the collection to be interrupted", || async {
        let logs = stack.function_logs().await;
        let broken_off = |line: &&str| line.contains(&id) && line.contains("\"cause\"");
        logs.lines().find(broken_off).map(str::to_owned)
    })
    .await;
    let record = stack.get(&format!("/requests/{id}")).await.body;
    assert_ne!(record["status"], "collected");

    let visitor = tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await;
    assert!(visitor.is_err(), "a request reached {origin}");
}

#[tokio::test]
async fn what_belvo_refuses_for_good_ends_the_request_with_its_reason() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(10).await;
    link.misbehave(json!({"on": "get", "action": {"error": {"code": "invalid_link"}}}))
        .await;

    let id = link.retrieve().await;

    assert_eq!(
        stack.request_with_status(&id, "failed").await["failure"]["code"],
        "invalid_link"
    );
}

#[tokio::test]
async fn a_poison_message_ends_in_the_dead_letter_queue_and_delays_nobody() {
    let stack = Stack::of_this_run();
    let sqs = aws_sdk_sqs::Client::new(&stack.aws);
    let poison = format!("poison {}", uuid::Uuid::new_v4());
    sqs.send_message()
        .queue_url(&stack.queue_url)
        .message_body(&poison)
        .message_group_id("poison")
        .message_deduplication_id(&poison)
        .send()
        .await
        .unwrap();

    let link = stack.recurrent_link(10).await;
    link.collect().await;

    eventually("the poison in the dead-letter queue", || async {
        let received = sqs
            .receive_message()
            .queue_url(&stack.dead_letter_queue_url)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .visibility_timeout(0)
            .max_number_of_messages(10)
            .send()
            .await
            .unwrap();
        let poisonous = received
            .messages()
            .iter()
            .find(|message| message.body() == Some(&poison))?;
        let reason = poisonous
            .message_attributes()?
            .get("reason")?
            .string_value()?;
        reason
            .starts_with("the message cannot be read")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn webhooks_out_of_order_end_in_the_same_rows() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    link.misbehave(json!({"on": "webhook", "times": 1, "action": {"hold_until_next": true}}))
        .await;

    let first = link.retrieve().await;
    // Another window: an identical one in flight would be the same request.
    let second = stack.request(&link.days(363, 0)).await.body["request_id"]
        .as_str()
        .unwrap()
        .to_owned();

    for id in [first, second] {
        let record: Value = stack.request_with_status(&id, "collected").await;
        assert_eq!(record["verdict"], "complete");
    }
    link.assert_equals_the_sandbox().await;
}
