//! Lists: pagination and filters.

use std::cmp::Reverse;

use belvo_sandbox::Config;
use serde_json::{Value, json};

use crate::harness::{Harness, id, ids};

/// A query, and whether a row should be in its answer.
type Case = (String, Box<dyn Fn(&Value) -> bool>);

#[tokio::test]
async fn a_walk_over_the_pages_gives_every_row_once_in_the_order_of_the_truth() {
    let harness = Harness::start().await;
    let link = harness.link(257).await;
    let truth = harness.truth(&link).await;

    for size in ["", "&page_size=10", "&page_size=257", "&page_size=1000"] {
        let path = format!("/api/transactions/?link={link}{size}");
        let rows = harness.walk(&path).await;

        assert!(rows == truth, "page size {size:?}");
    }
    let newest_first = |row: &Value| {
        let (day, id) = (row["value_date"].to_string(), row["id"].to_string());
        (Reverse(day), id)
    };
    assert!(truth.is_sorted_by_key(newest_first));
}

#[tokio::test]
async fn the_envelope_counts_all_rows_and_links_to_its_neighbours_with_the_same_query() {
    let harness = Harness::start().await;
    let link = harness.link(50).await;
    let path = format!("/api/transactions/?link={link}&page_size=20&value_date__range=");
    let first = format!("{path}2025-01-01,2026-06-30");
    // A link between pages is absolute and has its comma encoded.
    let linked = format!("{}{path}2025-01-01%2C2026-06-30", harness.url());

    let page = harness.get(&first).await.json();
    assert_eq!(page["count"], 50);
    assert_eq!(page["next"], format!("{linked}&page=2"));
    assert_eq!(page["previous"], Value::Null);

    let second = harness.get(&format!("{linked}&page=2")).await.json();
    assert_eq!(second["previous"], linked);

    let last = harness.get(second["next"].as_str().unwrap()).await.json();
    assert_eq!(last["results"].as_array().unwrap().len(), 10);
    assert_eq!(last["next"], Value::Null);

    let beyond = harness.get(&format!("{first}&page=4")).await;
    assert_eq!(beyond.code(), "not_found");
}

#[tokio::test]
async fn page_sizes_have_a_default_and_a_silent_maximum() {
    let harness = Harness::start_with(Config {
        page_size: 10,
        max_page_size: 25,
        ..Config::default()
    })
    .await;
    let link = harness.link(60).await;

    for (requested, given) in [("", 10), ("&page_size=7", 7), ("&page_size=5000", 25)] {
        let path = format!("/api/transactions/?link={link}{requested}");
        let page = harness.get(&path).await.json();

        let rows = page["results"].as_array().unwrap().len();
        assert_eq!(rows, given, "{requested}");
    }
}

/// A case in which a field of a row must be one of some texts.
fn one_of(query: &str, pointer: &'static str, allowed: &[&str]) -> Case {
    let allowed: Vec<String> = allowed.iter().map(|text| (*text).to_owned()).collect();
    let matches = move |row: &Value| {
        let text = row.pointer(pointer).and_then(Value::as_str);
        text.is_some_and(|text| allowed.iter().any(|allowed| allowed == text))
    };
    (query.to_owned(), Box::new(matches))
}

/// A case in which the day of a row must be in this range.
fn days(query: &str, from: &'static str, to: &'static str) -> Case {
    let matches = move |row: &Value| {
        let day = row["value_date"].as_str();
        day.is_some_and(|day| from <= day && day <= to)
    };
    (query.to_owned(), Box::new(matches))
}

async fn assert_filters(harness: &Harness, link: &str, cases: Vec<Case>) {
    let truth = harness.truth(link).await;
    for (query, matches) in cases {
        let path = format!("/api/transactions/?link={link}&{query}");
        let rows = harness.walk(&path).await;

        let matching = truth.iter().filter(|row| matches(row));
        let expected: Vec<Value> = matching.cloned().collect();
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(ids(&rows), ids(&expected), "{query}");
    }
}

#[tokio::test]
async fn filters_by_date_give_the_rows_that_match_and_no_others() {
    let harness = Harness::start().await;
    let link = harness.link(900).await;

    let range = "value_date__range=2026-02-01,2026-03-01";
    let between = "value_date__gte=2026-06-01&value_date__lte=2026-06-15";
    let cases = vec![
        days(range, "2026-02-01", "2026-03-01"),
        days(between, "2026-06-01", "2026-06-15"),
        days("value_date__gt=2026-06-01", "2026-06-02", "9"),
        days("value_date__lt=2026-06-01", "0", "2026-05-31"),
        days("value_date=2026-06-01", "2026-06-01", "2026-06-01"),
    ];
    assert_filters(&harness, &link, cases).await;
}

#[tokio::test]
async fn filters_by_account_status_and_type_give_the_rows_that_match_and_no_others() {
    let harness = Harness::start().await;
    let link = harness.link(900).await;
    let path = format!("/api/accounts/?link={link}");
    let accounts = harness.get(&path).await.json();
    let one = id(&accounts["results"][0]);
    let other = id(&accounts["results"][2]);

    let both = format!("account__in={one},{other}");
    let (query, is_inflow) = one_of("type=INFLOW", "/type", &["INFLOW"]);
    let statuses = ["PENDING", "PROCESSED"];
    let (more, has_status) = one_of("status__in=PENDING,PROCESSED", "/status", &statuses);
    let cases: Vec<Case> = vec![
        one_of(&format!("account={one}"), "/account/id", &[one]),
        one_of(&both, "/account/id", &[one, other]),
        one_of("status=PENDING", "/status", &["PENDING"]),
        (
            format!("{query}&{more}"),
            Box::new(move |row| is_inflow(row) && has_status(row)),
        ),
    ];
    assert_filters(&harness, &link, cases).await;
}

/// A case in which a number of a row must be in this range.
fn amounts(query: &str, from: f64, to: f64) -> Case {
    let matches = move |row: &Value| {
        let amount = row["amount"].as_f64();
        amount.is_some_and(|amount| from <= amount && amount <= to)
    };
    (query.to_owned(), Box::new(matches))
}

/// A case in which a text of a row must start between these.
fn between(query: &str, field: &'static str, from: &'static str, to: &'static str) -> Case {
    let matches = move |row: &Value| {
        let text = row[field].as_str().and_then(|text| text.get(..10));
        text.is_some_and(|text| from <= text && text <= to)
    };
    (query.to_owned(), Box::new(matches))
}

#[tokio::test]
async fn other_filters_give_the_rows_that_match_and_no_others() {
    let harness = Harness::start().await;
    let link = harness.link(900).await;

    let booked = "accounting_date__range=2026-03-01,2026-03-31";
    let cases = vec![
        amounts("amount__gt=100", 100.000_1, f64::MAX),
        amounts("amount__range=10,100.5", 10.0, 100.5),
        between(
            "created_at__gte=2026-06-01",
            "created_at",
            "2026-06-01",
            "9",
        ),
        between(
            "collected_at__gte=2026-06-30",
            "collected_at",
            "2026-06-30",
            "9",
        ),
        between(booked, "accounting_date", "2026-03-01", "2026-03-31"),
        one_of("currency=BRL", "/currency", &["BRL"]),
    ];
    assert_filters(&harness, &link, cases).await;
}

#[tokio::test]
async fn only_the_wanted_fields_are_shown() {
    let harness = Harness::start().await;
    let link = harness.link(3).await;
    let path = format!("/api/transactions/?link={link}");

    let page = harness
        .get(&format!("{path}&fields=id,amount"))
        .await
        .json();
    assert_eq!(page["count"], 3);
    for row in page["results"].as_array().unwrap() {
        let names: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(names, ["amount", "id"]);
    }

    let whole = harness.get(&path).await.json()["results"][0].take();
    let row = format!("/api/transactions/{}/?omit=account,merchant", id(&whole));
    let mut expected = whole.clone();
    let fields = expected.as_object_mut().unwrap();
    fields.retain(|name, _| name != "account" && name != "merchant");
    assert_eq!(harness.get(&row).await.json(), expected);
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused() {
    let harness = Harness::start().await;
    let link = harness.link(5).await;

    for (query, code, field) in [
        ("", "required", "link"),
        ("link=not-a-uuid", "invalid", "link"),
        ("link={link}&account=7", "invalid", "account"),
        (
            "link={link}&value_date__gte=01.02.2026",
            "invalid",
            "value_date__gte",
        ),
        (
            "link={link}&value_date__range=2026-01-01",
            "invalid",
            "value_date__range",
        ),
        ("link={link}&amount__gt=much", "invalid", "amount__gt"),
        ("link={link}&colour=red", "validation_error", "colour"),
    ] {
        let query = query.replace("{link}", &link);
        let answer = harness.get(&format!("/api/transactions/?{query}")).await;

        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.code(), code, "{query}");
        assert_eq!(answer.json()[0]["field"], field);
    }
}

#[tokio::test]
async fn an_unknown_link_has_no_rows() {
    let harness = Harness::start().await;

    let path = "/api/transactions/?link=00000000-0000-4000-8000-000000000000";
    let page = harness.get(path).await.json();

    assert_eq!(page["count"], 0);
    assert_eq!(page["next"], Value::Null);
}

#[tokio::test]
async fn links_are_found_by_each_of_their_filters() {
    let harness = Harness::start().await;
    let link = harness.link(0).await;
    let other = json!({ "access_mode": "single", "external_id": "user-2", "transactions": 0 });
    harness.create(other).await;

    let by_id = format!("id={link}");
    for query in [
        by_id.as_str(),
        "external_id=user-1",
        "access_mode=recurrent",
        "status=valid&external_id=user-1",
    ] {
        let page = harness.get(&format!("/api/links/?{query}")).await.json();

        assert_eq!(page["count"], 1, "{query}");
        assert_eq!(page["results"][0]["id"], link, "{query}");
    }
}
