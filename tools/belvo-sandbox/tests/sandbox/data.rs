//! The generated data: reproducible from its seed, exact, varied, and invented.

use std::collections::BTreeMap;

use belvo_sandbox::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Harness;

/// All data of two links, as text.
async fn everything(seed: u64) -> String {
    let config = Config {
        seed,
        ..Config::default()
    };
    let harness = Harness::start_with(config).await;
    let mut text = String::new();
    for _ in 0..2 {
        let link = harness.link(300).await;
        let path = format!("/links/{link}/transactions");
        let more = json!({ "count": 20 });
        harness.control(Method::POST, &path, more).await;

        for part in ["accounts", "transactions"] {
            let path = format!("/links/{link}/{part}");
            let shown = harness.control(Method::GET, &path, Value::Null).await;
            text += &shown.text;
        }
        text += &harness.get(&format!("/api/links/{link}/")).await.text;
    }
    text
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
    assert_eq!(everything(7).await, everything(7).await);
    assert_ne!(everything(7).await, everything(8).await);
}

#[tokio::test]
async fn an_account_is_the_same_object_in_each_of_its_rows() {
    let harness = Harness::start().await;
    let link = harness.link(600).await;

    let accounts = harness.look(&format!("/links/{link}/accounts")).await;

    let accounts = accounts.as_array().unwrap();
    assert_eq!(accounts.len(), 3);
    for row in harness.truth(&link).await {
        assert!(row["account"].is_null() || accounts.contains(&row["account"]));
    }
}

#[tokio::test]
async fn amounts_are_decimals_with_two_to_four_places_and_some_no_float_can_hold() {
    let harness = Harness::start().await;
    let link = harness.link(2_500).await;

    let mut beyond_floats = 0;
    for row in harness.truth(&link).await {
        let text = row["amount"].to_string();
        let (whole, decimals) = text.split_once('.').unwrap();
        assert!((1..=15).contains(&whole.len()), "{text}");
        assert!((2..=4).contains(&decimals.len()), "{text}");

        let float: f64 = text.parse().unwrap();
        let as_float = format!("{float:.*}", decimals.len());
        beyond_floats += usize::from(as_float != text);
    }
    assert!(beyond_floats > 0);
}

/// Many rows, for claims that something occurs at all.
async fn many_rows() -> Vec<Value> {
    let harness = Harness::start().await;
    let link = harness.link(5_000).await;
    harness.truth(&link).await
}

fn assert_some(rows: &[Value], what: &str, matches: impl Fn(&Value) -> bool) {
    assert!(rows.iter().any(matches), "no row with {what}");
}

#[tokio::test]
async fn every_status_and_type_occurs() {
    let rows = many_rows().await;

    for status in ["PENDING", "PROCESSED", "UNCATEGORIZED"] {
        assert_some(&rows, status, |row| row["status"] == status);
    }
    for flow in ["INFLOW", "OUTFLOW"] {
        assert_some(&rows, flow, |row| row["type"] == flow);
    }
}

#[tokio::test]
async fn every_field_that_may_be_null_or_absent_is_so_somewhere() {
    let rows = many_rows().await;

    for field in [
        "account",
        "type",
        "status",
        "description",
        "currency",
        "local_currency_amount",
        "payment_type",
    ] {
        let is_null = |row: &Value| row.get(field) == Some(&Value::Null);
        assert_some(&rows, &format!("null in {field}"), is_null);
    }
    let is_absent = |row: &Value| row.get("transacted_at").is_none();
    assert_some(&rows, "an absent field", is_absent);
}

#[tokio::test]
async fn every_optional_part_of_a_row_is_present_somewhere() {
    let rows = many_rows().await;

    for pointer in [
        "/merchant/logo",
        "/credit_card_data/credit_card_bill/id",
        "/counterparty/document_number",
        "/loan_data/fees/0",
        "/loan_data/charges/0",
        "/subcategory",
        "/mcc",
    ] {
        let is_present = |row: &Value| row.pointer(pointer).is_some_and(|part| !part.is_null());
        assert_some(&rows, pointer, is_present);
    }
}

#[tokio::test]
async fn texts_and_timestamps_occur_in_every_form() {
    let rows = many_rows().await;
    let collected_at = |row: &Value| row["collected_at"].as_str().unwrap().to_owned();

    assert_some(&rows, "an empty string", |row| row["description"] == "");
    assert_some(&rows, "non-ASCII text", |row| {
        let description = row["description"].as_str();
        description.is_some_and(|text| !text.is_ascii())
    });
    assert_some(&rows, "an offset", |row| {
        collected_at(row).ends_with("+00:00")
    });
    for places in 3..=6 {
        let what = format!("{places} fraction digits");
        assert_some(&rows, &what, |row| {
            let timestamp = collected_at(row);
            let digits = timestamp.trim_end_matches("+00:00").trim_end_matches('Z');
            digits.len() == "2026-06-30T00:00:00.".len() + places
        });
    }
}

#[tokio::test]
async fn pending_rows_are_recent_and_not_booked() {
    let harness = Harness::start().await;
    let link = harness.link(2_000).await;

    let rows = harness.truth(&link).await;

    for row in rows.iter().filter(|row| row["status"] == "PENDING") {
        assert!(row["value_date"].as_str() > Some("2026-06-25"), "{row}");
        assert!(row["accounting_date"].is_null(), "{row}");
    }
}

#[tokio::test]
async fn the_median_row_is_a_plain_one_of_the_checking_account() {
    let harness = Harness::start().await;
    let link = harness.link(2_000).await;

    let rows = harness.truth(&link).await;

    let is_plain = |row: &&Value| {
        row["account"]["category"] == "CHECKING_ACCOUNT"
            && row["credit_card_data"].is_null()
            && row["loan_data"].is_null()
    };
    assert!(rows.iter().filter(is_plain).count() > 1_300);

    let mut sizes: Vec<usize> = rows.iter().map(|row| row.to_string().len()).collect();
    sizes.sort_unstable();
    let median = sizes[1_000];
    assert!((1_500..2_100).contains(&median), "median {median} bytes");
}

#[tokio::test]
async fn no_document_number_is_a_cpf_that_could_exist() {
    let harness = Harness::start().await;
    let link = harness.link(2_000).await;

    let rows = harness.truth(&link).await;

    let numbers: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["counterparty"]["document_number"].as_str())
        .collect();
    assert!(numbers.len() > 100);
    for number in numbers {
        let digits: Vec<u32> = number
            .chars()
            .map(|digit| digit.to_digit(10).unwrap())
            .collect();
        let weighted = digits[..10].iter().zip((2..=11).rev());
        let sum: u32 = weighted.map(|(digit, weight)| digit * weight).sum();
        assert_ne!(sum * 10 % 11 % 10, digits[10], "{number}");
    }
}

#[tokio::test]
async fn ids_are_unique_across_links() {
    let harness = Harness::start().await;

    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..3 {
        let link = harness.link(400).await;
        for row in harness.truth(&link).await {
            *seen.entry(row["id"].to_string()).or_default() += 1;
        }
    }

    assert_eq!(seen.len(), 1_200);
    assert_eq!(seen.values().max(), Some(&1));
}
