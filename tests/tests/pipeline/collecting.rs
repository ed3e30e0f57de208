//! From `POST /requests` to stored rows.

use serde_json::json;
use test_harness::Stack;

#[tokio::test]
async fn a_recurrent_link_is_stored_field_by_field() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(1_200).await;

    let record = link.collect().await;

    assert_eq!(record["verdict"], "complete");
    assert_eq!(record["collection"]["rows"], 1_200);
    assert_eq!(record["collection"]["new"], 1_200);
    // The first one has only a part of the rows, and is divided into two.
    assert_eq!(record["collection"]["pages"], 3);
    assert_eq!(record["collection"]["accounts"], 3);
    assert_eq!(record["declared"]["total_transactions"], 1_200);
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn a_single_link_is_stored_field_by_field() {
    let stack = Stack::of_this_run();
    let link = stack
        .link(json!({"access_mode": "single", "transactions": 40}))
        .await;

    assert_eq!(link.collect().await["verdict"], "complete");

    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn a_link_without_transactions_is_complete_too() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(0).await;

    let record = link.collect().await;

    assert_eq!(
        (&record["verdict"], &record["collection"]["rows"]),
        (&json!("complete"), &json!(0))
    );
    assert!(link.stored().await.is_empty());
}

#[tokio::test]
async fn a_second_collection_writes_only_what_changed() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(60).await;
    link.collect().await;
    let before = link.written_at().await;

    let unchanged = link.collect().await;
    assert_eq!(
        (
            &unchanged["collection"]["new"],
            &unchanged["collection"]["changed"]
        ),
        (&json!(0), &json!(0))
    );
    assert_eq!(unchanged["collection"]["unchanged"], 60);
    assert_eq!(
        link.written_at().await,
        before,
        "an unchanged window writes nothing"
    );

    let amended = link.truth().await.into_keys().next().unwrap();
    link.amend(&amended, json!({"description": "Amended"}))
        .await;
    let changed = link.collect().await;
    assert_eq!(
        (
            &changed["collection"]["changed"],
            &changed["collection"]["unchanged"]
        ),
        (&json!(1), &json!(59))
    );
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn rows_that_settle_are_stored_settled() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(200).await;
    let pending = link.make_one_pending().await;
    link.collect().await;
    assert_eq!(link.stored().await[&pending]["status"], "PENDING");

    link.settle().await;
    link.collect().await;

    assert!(
        link.stored()
            .await
            .values()
            .all(|row| row["status"] != "PENDING")
    );
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn the_steps_of_a_request_are_recorded_in_order() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;

    let record = link.collect().await;

    let at = |fact: &str| {
        record[fact]
            .as_str()
            .unwrap_or_else(|| panic!("{fact} in {record}"))
            .to_owned()
    };
    assert!(at("issued_at") <= at("collected_at"));
    assert!(at("notified_at") <= at("collected_at"));
    assert_eq!(
        (&record["link"], &record["webhook_code"]),
        (&json!(link.id), &json!("historical_update"))
    );
    assert_eq!(link.retrievals().await, 1);
}
