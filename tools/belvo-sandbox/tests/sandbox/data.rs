//! The generated data: the same from the same seed, exact, varied, and of nobody.

use std::collections::BTreeMap;

use belvo_sandbox::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Harness;

async fn everything(seed: u64) -> String {
    let harness = Harness::start_with(Config {
        seed,
        ..Config::default()
    })
    .await;
    let mut text = String::new();
    for _ in 0..2 {
        let link = harness.link(300).await;
        harness
            .control(
                Method::POST,
                &format!("/links/{link}/transactions"),
                json!({ "count": 20 }),
            )
            .await;
        for part in ["accounts", "transactions"] {
            text += &harness
                .control(Method::GET, &format!("/links/{link}/{part}"), Value::Null)
                .await
                .text;
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
    let accounts = harness
        .control(Method::GET, &format!("/links/{link}/accounts"), Value::Null)
        .await
        .json();
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
        assert!(
            (1..=15).contains(&whole.len()) && (2..=4).contains(&decimals.len()),
            "{text}"
        );
        beyond_floats +=
            usize::from(format!("{:.*}", decimals.len(), text.parse::<f64>().unwrap()) != text);
    }
    assert!(beyond_floats > 0);
}

#[tokio::test]
async fn everything_the_specification_allows_occurs_somewhere() {
    let harness = Harness::start().await;
    let link = harness.link(5_000).await;
    let rows = harness.truth(&link).await;
    let some = |what: &str, is: &dyn Fn(&Value) -> bool| {
        assert!(rows.iter().any(is), "no row with {what}");
    };
    for status in ["PENDING", "PROCESSED", "UNCATEGORIZED"] {
        some(status, &|row| row["status"] == status);
    }
    for flow in ["INFLOW", "OUTFLOW"] {
        some(flow, &|row| row["type"] == flow);
    }
    for pointer in [
        "/account",
        "/type",
        "/status",
        "/description",
        "/currency",
        "/local_currency_amount",
        "/payment_type",
    ] {
        some(&format!("null in {pointer}"), &|row| {
            row.pointer(pointer) == Some(&Value::Null)
        });
    }
    for pointer in [
        "/merchant/logo",
        "/credit_card_data/credit_card_bill/id",
        "/counterparty/document_number",
        "/loan_data/fees/0",
        "/loan_data/charges/0",
        "/subcategory",
        "/mcc",
    ] {
        some(pointer, &|row| {
            row.pointer(pointer).is_some_and(|value| !value.is_null())
        });
    }
    some("an absent field", &|row| row.get("transacted_at").is_none());
    some("an empty string", &|row| row["description"] == "");
    some("non-ASCII text", &|row| {
        row["description"]
            .as_str()
            .is_some_and(|text| !text.is_ascii())
    });
    some("an offset", &|row| {
        row["collected_at"]
            .as_str()
            .is_some_and(|text| text.ends_with("+00:00"))
    });
    for places in 3..=6 {
        let is = |row: &Value| {
            row["collected_at"].as_str().is_some_and(|text| {
                text.trim_end_matches("+00:00").trim_end_matches('Z').len() == 20 + places
            })
        };
        some("so many fraction digits", &is);
    }
}

#[tokio::test]
async fn pending_rows_are_recent_and_not_booked() {
    let harness = Harness::start().await;
    let link = harness.link(2_000).await;
    for row in harness
        .truth(&link)
        .await
        .iter()
        .filter(|row| row["status"] == "PENDING")
    {
        assert!(
            row["value_date"].as_str() > Some("2026-06-25") && row["accounting_date"].is_null(),
            "{row}"
        );
    }
}

#[tokio::test]
async fn the_median_row_is_a_plain_movement_of_the_checking_account() {
    let harness = Harness::start().await;
    let link = harness.link(2_000).await;
    let rows = harness.truth(&link).await;
    let plain = |row: &&Value| {
        row["account"]["category"] == "CHECKING_ACCOUNT"
            && row["credit_card_data"].is_null()
            && row["loan_data"].is_null()
    };
    let mut sizes: Vec<usize> = rows.iter().map(|row| row.to_string().len()).collect();
    sizes.sort_unstable();
    assert!(rows.iter().filter(plain).count() > 1_300);
    assert!(
        (1_500..2_100).contains(&sizes[1_000]),
        "median {} bytes",
        sizes[1_000]
    );
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
        let sum: u32 = (0..10)
            .map(|at| digits[at] * (11 - u32::try_from(at).unwrap()))
            .sum();
        assert_ne!(sum * 10 % 11 % 10, digits[10], "{number}");
    }
}

#[tokio::test]
async fn ids_are_unique_over_links() {
    let harness = Harness::start().await;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..3 {
        let link = harness.link(400).await;
        for row in harness.truth(&link).await {
            *seen.entry(row["id"].to_string()).or_default() += 1;
        }
    }
    assert_eq!((seen.len(), seen.values().max()), (1_200, Some(&1)));
}
