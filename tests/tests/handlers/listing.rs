//! Listings across links, and what a link shows of its latest collection.

use lambda_http::http::Method;
use query::{App, handle};
use serde_json::{Value, json};

use crate::{
    changes::{self, add_rows},
    service::{Service, event},
    surroundings::{api_call, read},
    worker::webhook,
};

async fn get(query: &App, route: &str, link: &str, parameters: &str) -> (u16, Value) {
    let call = api_call(
        &Method::GET,
        route,
        &json!({"link": link}),
        parameters,
        None,
    );
    // The stack of a test is small.
    read(&Box::pin(handle(query, call)).await)
}

async fn show(query: &App, link: &str) -> Value {
    let (status, view) = get(query, "/links/{link}", link, "").await;
    assert_eq!(status, 200, "{view}");
    view
}

/// The ids in all pages of a listing, one record a page.
async fn ids(
    query: &App,
    route: &str,
    parameters: &str,
    (records, id): (&str, &str),
) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(query, route, "", &format!("limit=1&{parameters}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let of_page = page[records].as_array().unwrap();
        ids.extend(
            of_page
                .iter()
                .map(|one| one[id].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    ids.sort_unstable();
    ids
}

async fn links(query: &App, parameters: &str) -> Vec<String> {
    ids(query, "/links", parameters, ("links", "link")).await
}

async fn requests(query: &App, status: &str) -> Vec<String> {
    let parameters = format!("status={status}");
    ids(query, "/requests", &parameters, ("requests", "id")).await
}

#[tokio::test]
async fn links_are_found_by_their_block_and_by_the_callers_id() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let (fine, blocked) = (service.registered().await, service.registered().await);
    let other = service.connect("other").await;
    assert_eq!(service.register(&other, "other").await.0, 201);
    service
        .process(event(&blocked, "LINK", "token_required"))
        .await;
    let deleted = service.connect("deleted").await;
    assert_eq!(service.register(&deleted, "deleted").await.0, 201);
    assert_eq!(service.delete(&deleted, "rows=keep").await.0, 202);
    service.worker.here.until_gone(&deleted).await;
    service
        .process(event(&deleted, "LINK", "link_deleted"))
        .await;

    let endless = format!("external_id={}", "x".repeat(3_000));
    let (all, none) = ([&fine, &blocked, &other, &deleted], []);
    for (parameters, expected) in [
        ("", &all[..]),
        ("status=valid", &all),
        ("external_id=deleted&blocked=true", &none),
        ("blocked=false", &[&fine, &other]),
        ("blocked=true", &[&blocked]),
        ("blocked=token_required", &[&blocked]),
        ("blocked=deleted", &[&deleted]),
        ("external_id=other", &[&other]),
        ("external_id=mine", &[&fine, &blocked]),
        ("external_id=mine&blocked=true", &[&blocked]),
        (&endless, &none),
    ] {
        let mut expected: Vec<_> = expected.iter().map(|link| (*link).clone()).collect();
        expected.sort_unstable();
        assert_eq!(links(&query, parameters).await, expected, "{parameters}");
    }
}

#[tokio::test]
async fn a_stale_link_is_found_until_it_is_seen() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let (fine, stale) = (service.registered().await, service.registered().await);
    let is_listed = async |parameters| {
        let found = links(&query, parameters).await;
        assert!(found.is_empty() || found == [stale.as_str()], "{found:?}");
        !found.is_empty()
    };
    service.stale_for(&stale, 49).await;
    assert!(!is_listed("stale=true").await, "not found yet");
    service.worker.sweep().await;
    assert!(is_listed("stale=true").await);
    assert_eq!(links(&query, "stale=false").await, [fine.as_str()]);

    service.worker.process_everything().await;
    service
        .process(event(&stale, "LINK", "token_required"))
        .await;
    assert!(!is_listed("stale=true").await, "it is blocked, too");
    assert!(is_listed("blocked=true&stale=true").await);
    service
        .process(webhook(&stale, "historical_update", None))
        .await;
    assert!(!is_listed("blocked=true&stale=true").await);
    assert!(!is_listed("stale=true").await);
}

#[tokio::test]
async fn what_cannot_be_listed_is_named() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    for (route, parameters, field) in [
        ("/links", "blocked=yes", "blocked"),
        ("/links", "stale=1", "stale"),
        ("/requests", "", "status"),
        ("/requests", "status=collected", "status"),
        ("/requests", "status=failed&cursor=x", "cursor"),
    ] {
        let (status, problem) = get(&query, route, "", parameters).await;
        assert_eq!(
            (status, problem["field"].as_str()),
            (400, Some(field)),
            "{route}?{parameters}"
        );
    }
}

#[tokio::test]
async fn requests_are_found_by_where_they_stand() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let link = service.registered().await;
    let worker = &service.worker;
    let [open, failed, expired, collected] = ["1", "2", "3", "4"].map(|digit| digit.repeat(32));
    worker.issue(&link, &open, 0).await;
    worker.issue(&link, &failed, 0).await;
    worker.issue(&link, &collected, 0).await;
    let without_rows = worker.link(0).await;
    worker.issue(&without_rows, &expired, 100_000).await;
    let mut error = webhook(&link, "historical_update", Some(&failed));
    error["data"] = json!({"errors": [{"code": "login_error", "message": "refused"}]});
    service.process(error).await;
    service
        .process(webhook(&link, "historical_update", Some(&collected)))
        .await;
    worker.sweep().await;
    worker.process_everything().await;

    assert_eq!(requests(&query, "issued").await, [open]);
    assert_eq!(requests(&query, "failed").await, [failed.as_str()]);
    assert_eq!(requests(&query, "expired").await, [expired]);
    for status in ["notified", "collecting", "short", "incomplete"] {
        assert!(requests(&query, status).await.is_empty(), "{status}");
    }

    service
        .process(webhook(&link, "historical_update", Some(&failed)))
        .await;
    assert!(
        requests(&query, "failed").await.is_empty(),
        "it has its rows now"
    );
}

#[tokio::test]
async fn a_link_shows_its_latest_collection_and_when_it_is_expected_again() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let link = service.registered().await;
    let before = show(&query, &link).await;
    assert_eq!(before.get("collected"), None);
    service
        .process(webhook(&link, "historical_update", None))
        .await;
    let collected = show(&query, &link).await;
    let last = &collected["collected"]["transactions"];
    assert_eq!(
        (
            &last["verdict"],
            &last["rows"],
            &last["added"],
            &last["modified"],
            &last["removed"]
        ),
        (
            &json!("complete"),
            &json!(40),
            &json!(40),
            &json!(0),
            &json!(0)
        ),
        "{collected}"
    );
    assert!(before["sequence"].as_u64() < collected["sequence"].as_u64());
    let hours =
        |view: &Value, name: &str| domain::Timestamp::parse(view[name].as_str().unwrap()).unwrap();
    let next = hours(&collected, "heard_at").plus_seconds(24 * 3_600);
    assert_eq!(
        hours(&collected, "expected_at"),
        next,
        "it is refreshed daily"
    );

    add_rows(&service.worker, &link, 2).await;
    service
        .process(webhook(&link, "new_transactions_available", None))
        .await;
    let refreshed = show(&query, &link).await;
    let last = &refreshed["collected"]["transactions"];
    assert_eq!(last["added"], 2, "{refreshed}");
    assert!(collected["collected"]["transactions"]["at"].as_str() < last["at"].as_str());
}

#[tokio::test]
async fn a_collection_that_is_asked_for_reads_what_belvo_has_and_spends_no_retrieval() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let link = service.registered().await;
    let collect = async |body: Value| {
        let route = "/links/{link}/collections";
        service.call(Method::POST, route, &link, "", body).await
    };
    let (status, accepted) = collect(json!({})).await;
    assert_eq!(
        (status, &accepted["resource"]),
        (202, &json!("transactions"))
    );
    service.worker.process_everything().await;
    assert_eq!(service.rows(&link).await, 40);
    let asked = async || show(&query, &link).await["asked"]["transactions"].clone();
    assert_eq!(asked().await["asked_at"], accepted["asked_at"]);
    assert_eq!(asked().await.get("failure"), None);

    add_rows(&service.worker, &link, 3).await;
    let days = |day: &str| json!({"date_from": day, "date_to": day});
    for (day, rows) in [("2026-01-09", 40), ("2026-01-10", 43)] {
        let (status, accepted) = collect(days(day)).await;
        assert_eq!((status, &accepted["date_from"]), (202, &json!(day)));
        service.worker.process_everything().await;
        assert_eq!(
            service.rows(&link).await,
            rows,
            "only the days that were named"
        );
    }
    assert_eq!(service.posts().await, 0);
}

#[tokio::test]
async fn a_collection_that_is_asked_for_and_fails_says_why() {
    let mut service = Service::new().await;
    service.worker.app.retry_policy.attempts = 1;
    let query = changes::query(&service.worker);
    let link = service.registered().await;
    for (code, failure) in [
        ("invalid_link", "invalid_link"),
        ("unexpected_error", "gave_up"),
    ] {
        let rule = json!({"on": "get", "times": 1, "action": {"error": {"code": code}}});
        service.worker.here.sandbox.rule(rule).await.unwrap();
        let route = "/links/{link}/collections";
        let (status, accepted) = service
            .call(Method::POST, route, &link, "", json!({}))
            .await;
        assert_eq!(status, 202, "{accepted}");
        service.worker.process_everything().await;
        let shown = show(&query, &link).await;
        let asked = &shown["asked"]["transactions"];
        assert_eq!(
            (&asked["asked_at"], &asked["failure"]),
            (&accepted["asked_at"], &json!(failure)),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_collection_that_is_asked_for_ends_with_its_link() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let link = service.registered().await;
    let route = "/links/{link}/collections";
    let (status, accepted) = service
        .call(Method::POST, route, &link, "", json!({}))
        .await;
    assert_eq!(status, 202, "{accepted}");
    service.delete(&link, "rows=keep").await;
    service.worker.here.until_gone(&link).await;
    service.worker.process_everything().await;
    let shown = show(&query, &link).await;
    let asked = &shown["asked"]["transactions"];
    assert_eq!(
        (&asked["asked_at"], &asked["failure"]),
        (&accepted["asked_at"], &json!("link_deleted")),
        "{shown}"
    );
}

#[tokio::test]
async fn a_webhook_about_accounts_does_not_make_overdue_rows_less_overdue() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let link = service.registered().await;
    let mut accounts = webhook(&link, "historical_update", None);
    accounts["webhook_type"] = json!("ACCOUNTS");
    service.process(accounts).await;
    assert_eq!(show(&query, &link).await["heard_at"], Value::Null);
    service.stale_for(&link, 49).await;
    service.worker.sweep().await;
    assert_eq!(show(&query, &link).await["stale"], true);
}

#[tokio::test]
async fn a_collection_of_a_link_that_is_gone_or_unknown_is_refused() {
    let service = Service::new().await;
    let link = service.registered().await;
    let route = "/links/{link}/collections";
    let unknown = uuid::Uuid::new_v4().to_string();
    let (status, _) = service
        .call(Method::POST, route, &unknown, "", json!({}))
        .await;
    assert_eq!(status, 404);
    service.delete(&link, "rows=keep").await;
    let (status, problem) = service
        .call(Method::POST, route, &link, "", json!({}))
        .await;
    assert_eq!(
        (status, &problem["blocked"]["reason"]),
        (409, &json!("deleting"))
    );
}
