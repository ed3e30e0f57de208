//! The monthly quota of retrievals, and who refuses once it is used up.

use serde_json::{Value, json};
use test_harness::{Link, Stack};

async fn long(stack: &Stack, link: &Link<'_>) -> Value {
    let quota = stack.get(&format!("/links/{}/quota", link.id)).await.body;
    quota["retrievals"]
        .as_array()
        .expect("classes")
        .iter()
        .find(|quota| quota["class"] == "long")
        .unwrap()
        .clone()
}

async fn posts(stack: &Stack, link: &Link<'_>) -> usize {
    let log = stack.sandbox.log().await.unwrap();
    log["posts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|post| post["link"] == json!(link.id))
        .count()
}

#[tokio::test]
async fn the_ninth_long_retrieval_of_a_month_is_refused_with_the_remaining_quota() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    for days in 0..8 {
        assert_eq!(stack.request(&link.days(300 + days, 0)).await.status, 202);
    }

    let refused = link.request().await;

    assert_eq!(refused.status, 429);
    assert!(
        refused.body["type"]
            .as_str()
            .unwrap()
            .ends_with("quota-exhausted")
    );
    let quota = &refused.body["quota"];
    assert_eq!(
        (&quota["class"], &quota["limit"], &quota["left"]),
        (&json!("long"), &json!(8), &json!(0))
    );
    assert!(quota["resets_at"].is_string() && refused.headers.contains_key("retry-after"));
    assert_eq!(
        (link.retrievals().await, posts(&stack, &link).await),
        (8, 8),
        "Belvo was not asked"
    );
    assert_eq!(
        stack.request(&link.days(3, 0)).await.status,
        202,
        "short ones are counted apart"
    );
}

#[tokio::test]
async fn the_remaining_quota_can_be_queried() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    assert_eq!(long(&stack, &link).await["left"], 8);
    link.retrieve().await;
    let quota = long(&stack, &link).await;
    assert_eq!((&quota["used"], &quota["left"]), (&json!(1), &json!(7)));
}

#[tokio::test]
async fn belvos_own_refusal_corrects_the_count() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    let limits = json!({"error": {"code": "operational_limits_reached"}});
    link.misbehave(json!({"on": "post", "times": 1, "action": limits}))
        .await;

    assert_eq!(link.request().await.status, 422);

    assert_eq!(link.request().await.status, 429);
    assert_eq!(
        (
            &long(&stack, &link).await["left"],
            posts(&stack, &link).await
        ),
        (&json!(0), 1)
    );
}

#[tokio::test]
async fn a_webhook_that_reports_the_limit_corrects_the_count() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    let errors =
        json!({"data_errors": {"code": "operational_limits_reached", "message": "no more"}});
    link.misbehave(json!({"on": "webhook", "times": 1, "action": errors}))
        .await;

    let id = link.retrieve().await;
    stack.request_with_status(&id, "failed").await;

    assert_eq!(long(&stack, &link).await["left"], 0);
}

#[tokio::test]
async fn what_belvo_definitely_did_not_start_is_not_counted() {
    let stack = Stack::of_this_run();
    for (action, used) in [
        (json!({"error": {"code": "invalid_link"}}), 0),
        (json!({"error": {"code": "operational_limits_reached"}}), 0),
        (json!({"html_403": true}), 0),
        (json!({"error": {"code": "unexpected_error"}}), 1),
        (json!({"disconnect": true, "after": true}), 1),
    ] {
        let link = stack.recurrent_link(3).await;
        link.misbehave(json!({"on": "post", "times": 1, "action": action}))
            .await;

        assert!(!link.request().await.status.is_success());

        assert_eq!(long(&stack, &link).await["used"], used, "{action}");
    }
}
