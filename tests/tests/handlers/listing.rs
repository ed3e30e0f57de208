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
    read(&handle(query, call).await)
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
async fn links_are_found_by_what_is_wrong_with_them_and_by_the_callers_id() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let (fine, blocked, stale) = (
        service.registered().await,
        service.registered().await,
        service.registered().await,
    );
    let other = service.connect("other").await;
    assert_eq!(service.register(&other, "other").await.0, 201);
    service
        .process(event(&blocked, "LINK", "token_required"))
        .await;
    service.stale_for(&stale, 49).await;
    assert!(
        links(&query, "stale=true").await.is_empty(),
        "not found yet"
    );
    service.worker.sweep().await;

    let mut all = [&fine, &blocked, &stale, &other].map(String::clone);
    all.sort_unstable();
    let usable: Vec<_> = all
        .iter()
        .filter(|link| **link != blocked)
        .cloned()
        .collect();
    assert_eq!(links(&query, "").await, all);
    assert_eq!(links(&query, "blocked=true").await, [blocked.as_str()]);
    assert_eq!(
        links(&query, "blocked=token_required").await,
        [blocked.as_str()]
    );
    assert!(links(&query, "blocked=deleted").await.is_empty());
    assert_eq!(links(&query, "blocked=false").await, usable);
    assert_eq!(links(&query, "stale=true").await, [stale.as_str()]);
    assert!(!links(&query, "stale=false").await.contains(&stale));
    assert_eq!(links(&query, "external_id=other").await, [other.as_str()]);
    assert_eq!(links(&query, "external_id=mine").await.len(), 3);
    assert_eq!(
        links(&query, "external_id=mine&blocked=true").await,
        [blocked]
    );
    assert_eq!(links(&query, "status=valid").await, all);

    service.worker.process_everything().await;
    service
        .process(webhook(&stale, "historical_update", None))
        .await;
    assert!(links(&query, "stale=true").await.is_empty(), "it was seen");
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
    let shown = show(&query, &link).await;
    let at = shown["collected"]["transactions"]["at"].as_str();
    assert!(accepted["asked_at"].as_str() < at, "{shown}");

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
