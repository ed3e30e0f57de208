//! A request's life, as it is told.

use serde_json::Value;
use test_harness::Stack;

use crate::command::run;

#[tokio::test]
async fn a_requests_life_is_told_across_the_functions_in_the_order_of_time() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    let id = link.retrieve().await;

    // It follows until the request has ended.
    let ended = run(&["tail", &id]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let steps = [
        "request  retrieval issued",
        "webhook  webhook queued",
        "collect  rows collected",
    ];
    let places = steps.map(|step| {
        ended
            .stdout
            .find(step)
            .unwrap_or_else(|| panic!("{ended:?}"))
    });
    assert!(places.is_sorted(), "{ended:?}");

    let lines = run(&["tail", &link.id, "--no-follow", "--json"])
        .await
        .stdout;
    let events = lines.lines().map(|text| {
        let told: Value = serde_json::from_str(text).unwrap();
        told["event"].as_str().unwrap().to_owned()
    });
    let events: Vec<_> = events.collect();
    assert!(events.contains(&"webhook_queued".to_owned()), "{events:?}");
}

#[tokio::test]
async fn an_id_of_nothing_is_not_followed() {
    let ended = run(&["tail", &uuid::Uuid::new_v4().to_string()]).await;
    assert_eq!(ended.code, 4, "{ended:?}");
}
