//! Lists: pagination and filters.

use belvo_sandbox::Config;
use serde_json::{Value, json};

use crate::harness::{Harness, ids};

/// Whether a row is among those that are asked for.
type Matches<'a> = &'a dyn Fn(&Value) -> bool;

#[tokio::test]
async fn a_walk_over_the_pages_gives_every_row_once_in_the_order_of_the_truth() {
    let harness = Harness::start().await;
    let link = harness.link(257).await;
    let truth = harness.truth(&link).await;
    for size in ["", "&page_size=10", "&page_size=257", "&page_size=1000"] {
        let rows = harness
            .walk(&format!("/api/transactions/?link={link}{size}"))
            .await;
        assert!(rows == truth, "page size {size:?}");
    }
    let key = |row: &Value| {
        (
            std::cmp::Reverse(row["value_date"].to_string()),
            row["id"].to_string(),
        )
    };
    assert!(truth.is_sorted_by_key(key));
}

#[tokio::test]
async fn the_envelope_counts_all_rows_and_links_to_its_neighbours_with_the_same_query() {
    let harness = Harness::start().await;
    let link = harness.link(50).await;
    let first = format!(
        "/api/transactions/?link={link}&value_date__range=2025-01-01,2026-06-30&page_size=20"
    );
    let page = harness.get(&first).await.json();
    let query = format!("link={link}&value_date__range=2025-01-01%2C2026-06-30&page_size=20");
    let next = format!("{}/api/transactions/?{query}&page=2", harness.url());
    assert_eq!(
        (&page["count"], &page["next"], &page["previous"]),
        (&json!(50), &json!(next), &Value::Null)
    );
    let second = harness.get(&next).await.json();
    assert_eq!(
        second["previous"],
        format!("{}/api/transactions/?{query}", harness.url())
    );
    let last = harness.get(second["next"].as_str().unwrap()).await.json();
    assert_eq!(
        (last["results"].as_array().unwrap().len(), &last["next"]),
        (10, &Value::Null)
    );
    assert_eq!(
        harness.get(&format!("{first}&page=4")).await.code(),
        "not_found"
    );
}

#[tokio::test]
async fn page_sizes_have_a_default_and_a_silent_maximum() {
    let config = Config {
        page_size: 10,
        max_page_size: 25,
        ..Config::default()
    };
    let harness = Harness::start_with(config).await;
    let link = harness.link(60).await;
    for (asked, given) in [
        ("", 10),
        ("&page_size=7", 7),
        ("&page_size=5000", 25),
        ("&page_size=0", 10),
    ] {
        let page = harness
            .get(&format!("/api/transactions/?link={link}{asked}"))
            .await
            .json();
        assert_eq!(page["results"].as_array().unwrap().len(), given, "{asked}");
    }
}

#[tokio::test]
async fn filters_give_the_rows_that_match_and_no_others() {
    let harness = Harness::start().await;
    let link = harness.link(900).await;
    let truth = harness.truth(&link).await;
    let accounts = harness
        .get(&format!("/api/accounts/?link={link}"))
        .await
        .json();
    let account = |at: usize| accounts["results"][at]["id"].as_str().unwrap().to_owned();
    let (one, other) = (account(0), account(2));
    let from_to = |row: &Value, from: &str, to: &str| {
        row["value_date"]
            .as_str()
            .is_some_and(|day| from <= day && day <= to)
    };
    let of =
        |row: &Value, ids: &[&String]| ids.iter().any(|id| row["account"]["id"] == id.as_str());
    let cases: [(String, Matches); 9] = [
        (
            "value_date__range=2026-02-01,2026-03-01".to_owned(),
            &|row| from_to(row, "2026-02-01", "2026-03-01"),
        ),
        (
            "value_date__gte=2026-06-01&value_date__lte=2026-06-15".to_owned(),
            &|row| from_to(row, "2026-06-01", "2026-06-15"),
        ),
        ("value_date__gt=2026-06-01".to_owned(), &|row| {
            from_to(row, "2026-06-02", "9")
        }),
        ("value_date__lt=2026-06-01".to_owned(), &|row| {
            from_to(row, "0", "2026-05-31")
        }),
        ("value_date=2026-06-01".to_owned(), &|row| {
            from_to(row, "2026-06-01", "2026-06-01")
        }),
        (format!("account={one}"), &|row| of(row, &[&one])),
        (format!("account__in={one},{other}"), &|row| {
            of(row, &[&one, &other])
        }),
        ("status=PENDING".to_owned(), &|row| {
            row["status"] == "PENDING"
        }),
        (
            "type=INFLOW&status__in=PENDING,PROCESSED".to_owned(),
            &|row| {
                row["type"] == "INFLOW"
                    && (row["status"] == "PENDING" || row["status"] == "PROCESSED")
            },
        ),
    ];
    for (query, expected) in cases {
        let rows = harness
            .walk(&format!("/api/transactions/?link={link}&{query}"))
            .await;
        let expected: Vec<Value> = truth.iter().filter(|row| expected(row)).cloned().collect();
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(ids(&rows), ids(&expected), "{query}");
    }
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused_and_a_strange_link_has_no_rows() {
    let harness = Harness::start().await;
    let link = harness.link(5).await;
    for (query, code, field) in [
        (String::new(), "required", "link"),
        ("link=not-a-uuid".to_owned(), "invalid", "link"),
        (format!("link={link}&account=7"), "invalid", "account"),
        (
            format!("link={link}&value_date__gte=01.02.2026"),
            "invalid",
            "value_date__gte",
        ),
        (
            format!("link={link}&value_date__range=2026-01-01"),
            "invalid",
            "value_date__range",
        ),
        (
            format!("link={link}&amount__gt=10"),
            "validation_error",
            "amount__gt",
        ),
    ] {
        let answer = harness.get(&format!("/api/transactions/?{query}")).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, code),
            "{query}"
        );
        assert_eq!(answer.json()[0]["field"], field);
    }
    let strange = harness
        .get("/api/transactions/?link=00000000-0000-4000-8000-000000000000")
        .await
        .json();
    assert_eq!(
        (&strange["count"], &strange["next"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn links_are_found_by_each_of_their_filters() {
    let harness = Harness::start().await;
    let link = harness.link(0).await;
    let other = json!({ "access_mode": "single", "external_id": "user-2", "transactions": 0 });
    harness
        .control(reqwest::Method::POST, "/links", other)
        .await;
    let by_id = format!("id={link}");
    for query in [
        by_id.as_str(),
        "external_id=user-1",
        "access_mode=recurrent",
        "status=valid&external_id=user-1",
    ] {
        let page = harness.get(&format!("/api/links/?{query}")).await.json();
        assert_eq!(
            (&page["count"], &page["results"][0]["id"]),
            (&json!(1), &json!(link)),
            "{query}"
        );
    }
}
