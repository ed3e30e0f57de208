//! The other resources that are handled like transactions.

use serde_json::{Value, json};
use test_harness::{Link, Stack, days_ago};

const WITHOUT_DATES: [&str; 3] = ["employments", "employment-records", "financial-statements"];

async fn link(stack: &Stack) -> Link<'_> {
    let resources = json!({
        "invoices": 1_200,
        "employments": 12,
        "employment-records": 3,
        "financial-statements": 5,
    });
    let link = stack
        .link(json!({"transactions": 20, "resources": resources}))
        .await;
    // An invoice without a date is on no day, here as at Belvo.
    for (id, row) in link.truth_of("invoices").await {
        if row["invoice_date"].is_null() {
            link.amend(&id, json!({"invoice_date": days_ago(1)})).await;
        }
    }
    link
}

/// Further fields of `POST /requests`.
fn body(resource: &str) -> Value {
    match resource {
        "invoices" => json!({"type": "INFLOW", "date_from": days_ago(364), "date_to": days_ago(0)}),
        _ => json!({}),
    }
}

async fn is_collected_kept_and_tombstoned(resource: &str, rows: u64) {
    let stack = Stack::of_this_run();
    let link = link(&stack).await;

    let record = link.collect_resource(resource, body(resource)).await;

    assert_eq!(
        (&record["verdict"], &record["collection"]["rows"]),
        (&json!("complete"), &json!(rows)),
        "{record}"
    );
    assert_eq!(
        (&record["resource"], &record["collection"]["new"]),
        (&json!(resource), &json!(rows))
    );
    assert_eq!(
        (&record["declared"], &record["collection"]["accounts"]),
        (&Value::Null, &json!(0))
    );
    let stored = link.assert_resource_equals_the_sandbox(resource).await;
    assert!(link.stored().await.is_empty(), "transactions are separate");

    // The webhook once more, and the same retrieval once more: nothing is written.
    let before = link.written_at_of(resource).await;
    let again = link.collect_resource(resource, body(resource)).await;
    assert_eq!(
        (
            &again["collection"]["unchanged"],
            &again["collection"]["new"]
        ),
        (&json!(rows), &json!(0)),
        "{again}"
    );
    assert_eq!(link.written_at_of(resource).await, before);

    // One disappears, one changes.
    let mut ids = stored.keys();
    let (gone, amended) = (ids.next().unwrap(), ids.next().unwrap());
    link.delete(gone).await;
    link.amend(amended, json!({"created_at": "2026-01-01T00:00:00Z"}))
        .await;
    let after = link.collect_resource(resource, body(resource)).await;
    assert_eq!(
        (
            &after["collection"]["deleted"],
            &after["collection"]["changed"]
        ),
        (&json!(1), &json!(1)),
        "{after}"
    );
    link.assert_resource_equals_the_sandbox(resource).await;
    let history = |id: &str| format!("/links/{}/resources/{resource}/{id}/history", link.id);
    let tombstoned = stack.get(&history(gone)).await.body;
    assert_eq!(
        (
            &tombstoned["versions"][0]["deleted"],
            &tombstoned["versions"][0]["row"]["id"]
        ),
        (&json!(true), &json!(gone))
    );
    let versions = stack.get(&history(amended)).await.body["versions"].clone();
    assert_eq!(
        versions[1]["differs_in"],
        json!(["collected_at", "created_at"])
    );

    // What was known before the change.
    let rows_before = before.iter().filter(|(key, _)| key.starts_with("T#"));
    let then = rows_before.map(|(_, written_at)| written_at).max().unwrap();
    let listed = stack
        .get(&format!(
            "/links/{}/resources/{resource}?as_of={then}&limit=500",
            link.id
        ))
        .await
        .body;
    assert_eq!(
        listed["rows"].as_array().unwrap().len() as u64,
        rows.min(500),
        "as of {then}"
    );
}

#[tokio::test]
async fn invoices_are_handled_like_transactions() {
    is_collected_kept_and_tombstoned("invoices", 1_200).await;
}

#[tokio::test]
async fn employments_are_handled_like_transactions() {
    is_collected_kept_and_tombstoned("employments", 12).await;
}

#[tokio::test]
async fn employment_records_are_handled_like_transactions() {
    is_collected_kept_and_tombstoned("employment-records", 3).await;
}

#[tokio::test]
async fn financial_statements_are_handled_like_transactions() {
    is_collected_kept_and_tombstoned("financial-statements", 5).await;
}

#[tokio::test]
async fn a_second_delivery_of_the_webhook_writes_nothing() {
    let stack = Stack::of_this_run();
    for resource in ["invoices", "employment-records"] {
        let link = link(&stack).await;
        link.misbehave(json!({"on": "webhook", "action": {"duplicate": 1}}))
            .await;
        link.collect_resource(resource, body(resource)).await;
        let before = link.written_at_of(resource).await;
        let webhook_type = resource.to_uppercase().replace('-', "_");
        let record = link
            .notify_and_collect(json!({"webhook_type": webhook_type}))
            .await;
        assert_eq!(
            (&record["resource"], &record["collection"]["new"]),
            (&json!(resource), &json!(0)),
            "{record}"
        );
        assert_eq!(link.written_at_of(resource).await, before);
        assert_eq!(link.retrievals().await, 1);
    }
}

#[tokio::test]
async fn resources_without_a_date_filter_are_fetched_whole() {
    let stack = Stack::of_this_run();
    let link = link(&stack).await;
    for resource in WITHOUT_DATES {
        link.collect_resource(resource, json!({})).await;
    }
    let dated = json!({"date_from": days_ago(30), "date_to": days_ago(0)});
    let record = link.collect_resource("employments", dated).await;
    assert_eq!(
        (&record["date_to"], &record["collection"]["rows"]),
        (&json!(days_ago(0)), &json!(12)),
        "{record}"
    );
    assert!(
        link.page_queries()
            .await
            .iter()
            .all(|query| !query.contains("date"))
    );
}

#[tokio::test]
async fn a_window_of_invoices_is_fetched_by_their_own_date_and_listed_newest_first() {
    let stack = Stack::of_this_run();
    let link = link(&stack).await;
    let window = json!({"type": "OUTFLOW", "date_from": days_ago(60), "date_to": days_ago(30)});
    let record = link.collect_resource("invoices", window).await;
    assert_eq!(
        (&record["type"], &record["verdict"]),
        (&json!("OUTFLOW"), &json!("complete"))
    );

    let (from, to) = (days_ago(60), days_ago(30));
    let filter = format!("invoice_date__range={from}%2C{to}");
    // The window is more than a page of such rows: its days are divided.
    let queries = link.page_queries().await;
    assert!(queries[0].contains(&filter), "{queries:?}");
    let is_of_days = |query: &String| query.contains("invoice_date__range=");
    assert!(queries.iter().all(is_of_days), "{queries:?}");
    let day = |row: &Value| row["invoice_date"].as_str().unwrap_or_default().to_owned();
    let listed = stack
        .get(&format!("/links/{}/resources/invoices?limit=500", link.id))
        .await
        .body;
    let days: Vec<_> = listed["rows"].as_array().unwrap().iter().map(day).collect();
    assert!(days.is_sorted_by(|one, other| one >= other));
    let truth = link.truth_of("invoices").await;
    assert_eq!(
        days.len(),
        truth
            .values()
            .map(day)
            .filter(|day| (&from..=&to).contains(&day))
            .count()
    );
}

#[tokio::test]
async fn retrievals_of_other_resources_are_not_counted() {
    let stack = Stack::of_this_run();
    let link = link(&stack).await;
    let quota = || async {
        stack.get(&format!("/links/{}/quota", link.id)).await.body["retrievals"].clone()
    };
    let before = quota().await;
    link.collect_resource("invoices", body("invoices")).await;
    assert_eq!(quota().await, before);
}

#[tokio::test]
async fn an_unknown_resource_is_answered_with_the_known_ones() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(1).await;
    let answer = stack
        .get(&format!("/links/{}/resources/owners", link.id))
        .await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .contains("financial-statements"),
        "{answer:?}"
    );
    let refused = stack
        .request(&json!({"link": link.id, "resource": "owners"}))
        .await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["field"]),
        (400, &json!("resource"))
    );
    assert_eq!(link.retrievals().await, 0);
}
