//! Institutions, links, accounts and owners, and what can be done to them and to rows.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Harness, answer, id, ids, with_json},
    specification::{Specification, assert_valid},
};

async fn send(harness: &Harness, method: Method, path: &str, body: &Value) -> Answer {
    let request = harness.authorized(method, path);
    answer(with_json(request, body)).await.unwrap()
}

async fn delete(harness: &Harness, path: &str) -> u16 {
    let request = harness.authorized(Method::DELETE, path);
    answer(request).await.unwrap().status
}

async fn listed(harness: &Harness, path: &str) -> Vec<Value> {
    let page = harness.get(path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.text);
    page.json()["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn institutions_are_those_of_the_widget() {
    let harness = Harness::start().await;
    let specification = Specification::read();
    let page = harness.get("/api/institutions/").await.json();
    assert_valid(&specification.page_of("InstitutionPublicApi"), &page);
    assert_eq!(page["count"], 3);

    let one = listed(&harness, "/api/institutions/?name=erebor_br_retail").await;
    let path = format!("/api/institutions/{}/", one[0]["id"]);
    assert_eq!(harness.get(&path).await.json(), one[0]);
    let both = "/api/institutions/?country_code=BR&resources__allin=OWNERS,ACCOUNTS";
    assert_eq!(listed(&harness, both).await.len(), 3);
    assert!(
        listed(&harness, "/api/institutions/?type=fiscal")
            .await
            .is_empty()
    );
    assert_eq!(harness.get("/api/institutions/7/").await.status, 404);
}

#[tokio::test]
async fn links_are_found_by_what_they_are() {
    let harness = Harness::start().await;
    let specs = [
        json!({ "access_mode": "single", "institution": "erebor_br_retail" }),
        json!({ "refresh_rate": "24h", "institution_user_id": "user-2" }),
    ];
    let mut links = Vec::new();
    for spec in specs {
        links.push(harness.create(spec).await.id());
    }
    for (query, expected) in [
        ("institution=erebor_br_retail".to_owned(), 0),
        ("refresh_rate=24h".to_owned(), 1),
        ("institution_user_id__in=user-2,user-3".to_owned(), 1),
        (format!("id__in={}", links[1]), 1),
        (
            format!("id={}&created_at__gte=2000-01-01", links[0].to_uppercase()),
            0,
        ),
    ] {
        let found = listed(&harness, &format!("/api/links/?{query}")).await;
        assert_eq!(ids(&found), [&links[expected]], "{query}");
    }
}

#[tokio::test]
async fn a_link_gets_new_credentials_and_another_access_mode() {
    let harness = Harness::start().await;
    let specification = Specification::read();
    let link = harness.link(0).await;
    let path = format!("/api/links/{link}/");

    let invalid = json!({ "status": "invalid" });
    harness.patch(&format!("/links/{link}"), invalid).await;
    let renewed = send(&harness, Method::PUT, &path, &json!({ "password": "new" })).await;
    assert_eq!(renewed.json()["status"], "valid");

    let single = json!({ "access_mode": "single", "stale_in": "42d" });
    let changed = send(&harness, Method::PATCH, &path, &single).await;
    assert_valid(&specification.schema("Link"), &changed.json());
    assert_eq!(changed.json()["stale_in"], "42d");
    assert_eq!(harness.shown(&link).await["access_mode"], "single");
    assert_eq!(harness.shown(&link).await["refresh_rate"], Value::Null);
}

#[tokio::test]
async fn accounts_are_fetched_filtered_and_deleted_with_their_rows() {
    let harness = Harness::start().await;
    let specification = Specification::read();
    let link = harness.link(100).await;
    let fetched = harness
        .post("/api/accounts/", &json!({ "link": link }))
        .await;
    assert_eq!(fetched.status, 201);
    let valid = specification.array_of("AccountOpenFinanceBrazil");
    assert_valid(&valid, &fetched.json());

    let path = format!("/api/accounts/?link={link}");
    let all = listed(&harness, &path).await;
    let cards = listed(&harness, &format!("{path}&category__in=CREDIT_CARD")).await;
    assert_eq!((all.len(), cards.len()), (3, 1));
    let rich = format!("{path}&balance__current__gte=0.01&institution=ofmockbank_br_retail");
    assert_eq!(ids(&listed(&harness, &rich).await), ids(&all));

    let card = format!("/api/accounts/{}/", id(&cards[0]));
    assert_eq!(delete(&harness, &card).await, 204);
    assert_eq!(delete(&harness, &card).await, 404);
    assert_eq!(harness.get(&card).await.status, 404);
    assert_eq!(listed(&harness, &path).await.len(), 2);
    let rows = format!("/api/transactions/?link={link}&account={}", id(&cards[0]));
    assert!(listed(&harness, &rows).await.is_empty());

    let body = json!({ "link": link, "save_data": false });
    let again = harness.post("/api/accounts/", &body).await;
    assert_eq!(again.status, 200);
    assert_eq!(listed(&harness, &path).await.len(), 3);
}

#[tokio::test]
async fn a_link_has_an_owner() {
    let harness = Harness::start().await;
    let specification = Specification::read();
    let link = harness.link(0).await;
    harness.link(0).await;
    let page = harness
        .get(&format!("/api/owners/?link={link}"))
        .await
        .json();
    assert_valid(&specification.page_of("Owner"), &page);
    assert_eq!(page["count"], 1);
    let owner = &page["results"][0];

    let fetched = harness.post("/api/owners/", &json!({ "link": link })).await;
    assert_eq!((fetched.status, &fetched.json()[0]), (201, owner));
    let found = listed(&harness, "/api/owners/?display_name__icontains=bragg").await;
    assert_eq!(found.len(), 2);
    let path = format!("/api/owners/{}/", id(owner));
    assert_eq!(&harness.get(&path).await.json(), owner);
    assert_eq!(delete(&harness, &path).await, 204);
    assert_eq!(harness.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_row_is_deleted_where_belvo_has_it() {
    let harness = Harness::start().await;
    let link = harness.link(2).await;
    let rows = harness.truth(&link).await;
    let path = format!("/api/transactions/{}/", id(&rows[0]));
    let elsewhere = format!("/api/invoices/{}/", id(&rows[0]));

    assert_eq!(delete(&harness, &elsewhere).await, 404);
    assert_eq!(delete(&harness, &path).await, 204);
    assert_eq!(harness.get(&path).await.status, 404);
    assert_eq!(ids(&harness.truth(&link).await), [id(&rows[1])]);
}

#[tokio::test]
async fn rows_of_several_links_are_listed_together() {
    let harness = Harness::start().await;
    let two = json!({ "resources": { "invoices": 3 }, "today": "2026-06-30" });
    let one = harness.create(two.clone()).await.id();
    let other = harness.create(two).await.id();
    let both = listed(&harness, &format!("/api/invoices/?link__in={one},{other}")).await;
    assert_eq!(both.len(), 6);
    assert_eq!(listed(&harness, "/api/invoices/").await, both);
    let day = |row: &Value| row["invoice_date"].as_str().map(str::to_owned);
    assert!(both.is_sorted_by(|one, next| day(one) >= day(next)));
}

#[tokio::test]
async fn there_is_no_session_to_resume() {
    let harness = Harness::start().await;
    let link = harness.link(0).await;
    let body = json!({ "session": "6e7b283c6efa449c9c028a16b5c249fa", "token": "1", "link": link });
    for path in [
        "/api/links/",
        "/api/accounts/",
        "/api/owners/",
        "/api/transactions/",
    ] {
        let answer = send(&harness, Method::PATCH, path, &body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "session_expired".into())
        );
    }
    assert!(harness.violations().is_empty());
}
