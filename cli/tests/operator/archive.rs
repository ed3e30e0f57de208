//! Webhooks of the archive, and what was spent.

use serde_json::json;
use test_harness::Stack;

use crate::command::{json, registered, run};

#[tokio::test]
async fn a_webhook_is_listed_shown_and_replayed() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(10).await;
    let record = link.collect().await;

    let listed = json(&["webhooks", "list", &link.id], 0).await;
    let webhook = &listed["webhooks"][0];
    assert_eq!(webhook["request_id"], record["id"], "{listed}");
    assert_eq!(webhook["outcome"]["verdict"], "complete", "{listed}");

    let id = webhook["id"].as_str().unwrap();
    let shown = json(&["webhooks", "show", id], 0).await;
    assert_eq!(
        shown["webhook"]["body"]["link_id"],
        json!(link.id),
        "{shown}"
    );

    link.add(2, &test_harness::days_ago(1)).await;
    let replayed = json(&["webhooks", "replay", id, "--wait"], 0).await;
    assert_eq!(replayed["is_queued"], false);
    assert_eq!(replayed["webhook"]["outcome"]["written"], 2, "{replayed}");
    link.assert_equals_the_sandbox().await;
    assert_eq!(link.retrievals().await, 1, "a replay is free");
}

#[tokio::test]
async fn a_webhook_that_is_not_archived_is_missing() {
    let id = "0".repeat(64);
    assert_eq!(run(&["webhooks", "show", &id]).await.code, 4);
    assert_eq!(run(&["webhooks", "replay", &id]).await.code, 4);
}

#[tokio::test]
async fn what_was_spent_is_shown_by_customer() {
    let stack = Stack::of_this_run();
    let (link, external_id) = registered(&stack, 5).await;
    link.collect().await;

    let spent = json(&["spend"], 0).await;
    let customers = spent["customers"].as_array().unwrap();
    let is_ours =
        |customer: &&serde_json::Value| customer["links"].to_string().contains(&external_id);
    let ours = customers.iter().find(is_ours).unwrap();
    assert!(ours["retrievals"][0]["used"].as_u64() >= Some(1), "{ours}");
    assert!(spent["long"].as_u64() >= Some(1), "{spent}");

    let prices = ["spend", "--long-price", "2", "--short-price", "0.5"];
    let spent = json(&prices, 0).await;
    let customers = spent["customers"].as_array().unwrap();
    let ours = customers.iter().find(is_ours).unwrap();
    let used = |class: usize| ours["retrievals"][class]["used"].as_f64().unwrap();
    let cost: f64 = ours["cost"].as_str().unwrap().parse().unwrap();
    assert!(
        (cost - 2.0 * used(0) - 0.5 * used(1)).abs() < 0.01,
        "{ours}"
    );
    assert_eq!(run(&prices[..3]).await.code, 2, "both prices or none");

    let nothing = json(&["spend", "--month", "2001-01"], 0).await;
    assert_eq!(nothing["customers"], json!([]));
    let ended = run(&["spend", "--month", "soon"]).await;
    assert_eq!(
        ended.code, 1,
        "the API says which field is wrong: {ended:?}"
    );
    assert!(ended.stderr.contains("field: month"), "{ended:?}");
}
