//! What one sees: links, requests, what is stuck, and how the stack is.

use serde_json::{Value, json};
use test_harness::{Stack, eventually};

use crate::command::{json, registered, run};

#[tokio::test]
async fn a_link_is_shown_with_what_was_collected_its_quota_and_its_requests() {
    let stack = Stack::of_this_run();
    let (link, external_id) = registered(&stack, 20).await;
    let record = link.collect().await;

    let shown = json(&["link", &link.id], 0).await;
    assert_eq!(shown["link"]["external_id"], json!(external_id));
    assert_eq!(
        shown["link"]["collected"]["transactions"]["verdict"],
        "complete"
    );
    assert_eq!(shown["requests"][0]["id"], record["id"]);
    assert_eq!(
        shown["retrievals"],
        Value::Null,
        "each answer has a name of its own"
    );
    assert_eq!(shown["quota"]["retrievals"][0]["class"], "long");

    let page = run(&["link", &link.id]).await.stdout;
    for part in [
        "recurrent",
        "complete; 20 rows at Belvo",
        record["id"].as_str().unwrap(),
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(
        !page.contains('\u{1b}'),
        "no colour where there is no terminal: {page}"
    );
}

#[tokio::test]
async fn a_blocked_link_needs_attention_and_shows_the_remedy() {
    let stack = Stack::of_this_run();
    let (link, _) = registered(&stack, 5).await;
    let event = stack.sandbox.event(&link.id, "token_required").await;
    event.unwrap();
    eventually("the link to be blocked", || async {
        let link = stack.get(&format!("/links/{}", link.id)).await.body;
        (link["blocked"]["reason"] == "token_required").then_some(())
    })
    .await;

    let ended = run(&["link", &link.id]).await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(
        ended.stdout.contains("blocked: token_required"),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("POST /connect/token"), "{ended:?}");
}

#[tokio::test]
async fn a_request_is_shown_with_what_its_verdict_rests_on() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(12).await;
    let record = link.collect().await;
    let id = record["id"].as_str().unwrap();

    assert_eq!(json(&["request", id], 0).await["verdict"], "complete");
    let page = run(&["request", id]).await.stdout;
    assert!(page.contains("rows_of_pages"), "{page}");
    assert!(page.contains("12 new"), "{page}");
}

#[tokio::test]
async fn what_has_an_unknown_id_is_told_apart_from_a_failure() {
    let id = uuid::Uuid::new_v4().to_string();
    for arguments in [["link", &id], ["request", &id]] {
        let ended = run(&arguments).await;
        assert_eq!(ended.code, 4, "{ended:?}");
        assert!(ended.stderr.starts_with("error: "), "{ended:?}");
    }
}

#[tokio::test]
async fn what_the_api_refuses_shows_the_field_to_correct() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(3).await;
    link.collect().await;
    let days = ["--from", "2199-01-01", "--to", "2199-01-02"];
    let arguments = [&["collect", &link.id], &days[..]].concat();

    let ended = run(&arguments).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("invalid-field (HTTP 400): date_to must not"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("field: date_to"), "{ended:?}");

    let ended = run(&[&arguments, &["--json"][..]].concat()).await;
    let error: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(error["error"]["field"], "date_to");
    assert_eq!(error["error"]["problem"]["status"], 400);
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn what_is_not_a_command_line_is_a_matter_of_usage() {
    assert_eq!(run(&["link", "no-uuid"]).await.code, 2);
    assert_eq!(
        run(&["why-missing", &uuid::Uuid::new_v4().to_string()])
            .await
            .code,
        2
    );
    assert_eq!(run(&["dead-letters", "redrive"]).await.code, 2);
}

#[tokio::test]
async fn a_request_whose_webhook_is_lost_is_stuck() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(5).await;
    link.misbehave(json!({"on": "webhook", "action": {"drop": true}}))
        .await;
    let id = link.retrieve().await;

    let found = json(&["stuck", "--older-than", "0"], 3).await;
    let requests = found["requests"].as_array().unwrap();
    assert!(
        requests.iter().any(|request| request["id"] == json!(id)),
        "{found}"
    );

    let by_default = run(&["stuck", "--json"]).await.stdout;
    let by_default: Value = serde_json::from_str(&by_default).unwrap();
    assert_eq!(by_default["older_than_s"], 1_800, "the stack's own time");
    assert!(!by_default.to_string().contains(&id), "it is not that old");
}

#[tokio::test]
async fn the_status_counts_the_last_hour_and_finds_what_is_wrong() {
    let stack = Stack::of_this_run();
    let (link, _) = registered(&stack, 5).await;
    link.collect().await;
    stack.deliver("{}", Some("Bearer wrong")).await;
    put_oldest_message(&stack, 7_300).await;

    let status = json(&["status"], 3).await;
    let (facts, findings) = (&status["facts"], status["findings"].to_string());
    let hour = &facts["last_hour"];
    assert!(hour["webhooks_accepted"].as_u64() > Some(0), "{status}");
    assert!(
        hour["webhooks_refused"]["unauthorized"].as_u64() > Some(0),
        "{status}"
    );
    assert!(
        hour["stored_after_ms"]["median"].as_u64() > Some(0),
        "{status}"
    );
    assert_eq!(facts["queue"]["oldest_s"], 7_300, "{status}");
    assert_eq!(facts["unread"], json!([]));
    assert!(
        findings.contains("webhooks refused in the last hour"),
        "{findings}"
    );
    assert!(
        findings.contains("the oldest message has waited for 2 h"),
        "{findings}"
    );
    put_oldest_message(&stack, 0).await;
}

/// What SQS tells CloudWatch, which the local one does not.
async fn put_oldest_message(stack: &Stack, age_s: u32) {
    let queue = stack.queue_url.rsplit('/').next().unwrap();
    let metric = json!({"Namespace": "AWS/SQS", "MetricData": [{
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
        "Value": age_s, "Unit": "Seconds"}]});
    let target = "GraniteServiceVersion20100801.PutMetricData";
    stack.local_aws("monitoring", target, &metric).await;
}

#[tokio::test]
async fn what_has_changed_lately_is_summed_by_link() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(10).await;
    link.collect().await;
    link.delete(&link.newest().await).await;
    link.add(2, &test_harness::days_ago(1)).await;
    link.collect().await;

    let changes = json(&["changes", &link.id, "--since", "60"], 0).await;
    assert_eq!(changes["collections"], 2, "{changes}");
    let of_link = &changes["links"][0];
    assert_eq!(
        (&of_link["added"], &of_link["removed"]),
        (&json!(12), &json!(1)),
        "{changes}"
    );

    let all = json(&["changes"], 0).await;
    assert!(all["links"].to_string().contains(&link.id), "{all}");
}

#[tokio::test]
async fn completions_and_the_manual_page_are_printed() {
    let script = run(&["completions", "bash"]).await.stdout;
    assert!(
        script.contains("complete -F") && script.contains("why-missing"),
        "{script}"
    );
    let page = run(&["man"]).await.stdout;
    assert!(page.contains(".TH belvo-ingest 1"), "{page}");
    assert!(page.contains("Exit codes"), "{page}");
}
