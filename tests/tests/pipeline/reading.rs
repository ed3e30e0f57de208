//! The read routes.

use serde_json::{Value, json};
use test_harness::Stack;

/// `2026-03-01#id`, as a cursor is written.
const CURSOR_IN_MARCH: &str = "MjAyNi0wMy0wMSNpZA";

/// Which rows a filter has to choose.
type Chosen<'a> = &'a dyn Fn(&Value) -> bool;

#[tokio::test]
async fn transactions_are_listed_newest_first_page_by_page() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(120).await;
    link.collect().await;

    let pages = link.stored_pages("limit=50").await;

    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
    let days: Vec<_> = pages
        .concat()
        .iter()
        .map(|row| row["value_date"].as_str().unwrap().to_owned())
        .collect();
    assert!(days.is_sorted_by(|newer, older| newer >= older), "{days:?}");
}

#[tokio::test]
async fn filters_select_the_rows_that_the_sandbox_would_select() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(400).await;
    link.make_one_pending().await;
    link.collect().await;
    let truth = link.truth().await;
    let account = truth.values().next().unwrap()["account"]["id"]
        .as_str()
        .unwrap();
    let mut days: Vec<_> = truth
        .values()
        .map(|row| row["value_date"].as_str().unwrap())
        .collect();
    days.sort_unstable();
    let (from, to) = (days[100], days[300]);
    let between = |row: &Value| (from..=to).contains(&row["value_date"].as_str().unwrap());

    let settled_outflow = |row: &Value| {
        row["type"] == "OUTFLOW"
            && row["status"] == "PROCESSED"
            && row["value_date"].as_str().unwrap() <= to
    };

    let filters: [(String, Chosen<'_>); 5] = [
        (format!("date_from={from}&date_to={to}"), &between),
        (format!("account={account}"), &|row| {
            row["account"]["id"] == account
        }),
        ("status=PENDING".to_owned(), &|row| {
            row["status"] == "PENDING"
        }),
        ("type=INFLOW".to_owned(), &|row| row["type"] == "INFLOW"),
        (
            format!("type=OUTFLOW&status=PROCESSED&date_to={to}"),
            &settled_outflow,
        ),
    ];
    for (parameters, chosen) in filters {
        let mut expected: Vec<_> = truth
            .values()
            .filter(|row| chosen(row))
            .map(|row| row["id"].clone())
            .collect();
        let rows = link
            .stored_pages(&format!("limit=20&{parameters}"))
            .await
            .concat();
        let mut found: Vec<_> = rows.iter().map(|row| row["id"].clone()).collect();
        expected.sort_by_key(ToString::to_string);
        found.sort_by_key(ToString::to_string);
        assert!(!expected.is_empty(), "{parameters} chooses something");
        assert_eq!(found, expected, "{parameters}");
    }
}

#[tokio::test]
async fn accounts_are_stored_once_each() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(60).await;
    link.collect().await;

    let accounts = stack
        .get(&format!("/links/{}/accounts", link.id))
        .await
        .body;

    let accounts = accounts["accounts"].as_array().unwrap().clone();
    assert_eq!(accounts.len(), 3);
    let truth = link.truth().await;
    for account in accounts {
        let row = truth
            .values()
            .find(|row| row["account"]["id"] == account["id"])
            .unwrap();
        assert_eq!(test_harness::difference(&row["account"], &account), None);
    }
}

#[tokio::test]
async fn a_links_requests_are_listed_newest_first() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(2).await;
    let ids = [
        link.collect().await["id"].clone(),
        link.collect().await["id"].clone(),
    ];

    let first = stack
        .get(&format!("/links/{}/requests?limit=1", link.id))
        .await
        .body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = stack
        .get(&format!(
            "/links/{}/requests?limit=1&cursor={cursor}",
            link.id
        ))
        .await
        .body;

    assert_eq!(
        [&second["requests"][0]["id"], &first["requests"][0]["id"]],
        [&ids[0], &ids[1]]
    );
}

#[tokio::test]
async fn a_bad_parameter_is_named() {
    let stack = Stack::of_this_run();
    let link = uuid::Uuid::new_v4();
    for (path, field) in [
        ("/links/1/transactions".to_owned(), "link"),
        (
            format!("/links/{link}/transactions?date_from=today"),
            "date_from",
        ),
        (
            format!("/links/{link}/transactions?date_to=2026-02-30"),
            "date_to",
        ),
        (
            format!("/links/{link}/transactions?date_from=2026-02-01&date_to=2026-01-01"),
            "date_from",
        ),
        (
            format!("/links/{link}/transactions?date_to=2026-01-01&cursor={CURSOR_IN_MARCH}"),
            "cursor",
        ),
        (
            format!("/links/{link}/transactions?as_of=yesterday"),
            "as_of",
        ),
        (format!("/links/{link}/transactions?limit=0"), "limit"),
        (format!("/links/{link}/transactions?limit=501"), "limit"),
        (format!("/links/{link}/transactions?cursor=x"), "cursor"),
        ("/requests/a%20b".to_owned(), "id"),
    ] {
        let answer = stack.get(&path).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_unknown_request_is_a_404_and_an_unknown_link_has_no_rows() {
    let stack = Stack::of_this_run();
    assert_eq!(
        stack
            .get(&format!("/requests/{}", uuid::Uuid::new_v4()))
            .await
            .status,
        404
    );
    let nothing = stack
        .get(&format!("/links/{}/transactions", uuid::Uuid::new_v4()))
        .await;
    assert_eq!(
        (nothing.status.as_u16(), &nothing.body["transactions"]),
        (200, &json!([]))
    );
}
