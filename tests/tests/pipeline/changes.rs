//! A service that follows links through the deployed API.

use std::collections::BTreeSet;

use serde_json::json;
use test_harness::{Follower, Stack};

#[tokio::test]
async fn a_follower_of_all_links_has_what_belvo_has_after_every_collection() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(90).await;
    let (mut follower, none) = (Follower::of([&link]), BTreeSet::new());
    link.collect().await;
    follower.follow_all(&stack).await;
    follower
        .assert_equals_the_sandbox_but_for(&link, &none)
        .await;

    let newest = link.newest().await;
    link.delete(&newest).await;
    let copy = follower.transactions(&link);
    let amended = copy.keys().find(|id| **id != newest).unwrap();
    link.amend(amended, json!({"description": "amended"})).await;
    link.add(3, &test_harness::days_ago(1)).await;
    link.collect().await;
    follower.follow_all(&stack).await;
    follower
        .assert_equals_the_sandbox_but_for(&link, &none)
        .await;
    assert_eq!(follower.transactions(&link).len(), 92);
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
