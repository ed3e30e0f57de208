//! Whatever JSON Belvo sends as a row comes back equal: known fields and unknown ones, null against
//! absent, numbers of 38 digits and more, empty texts and names, any depth.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicU32, Ordering},
};

use domain::{Changes, DigestedRow, Filter, Listed, Observation, Row, SentRow, Timestamp};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    string::string_regex,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Number, Value};
use test_harness::difference;
use tokio::runtime::Runtime;

use crate::databases::{Tables, both};

/// Fields that Belvo documents, whose types the store does not rely on.
const FIELDS: [&str; 12] = [
    "account",
    "accounting_date",
    "amount",
    "balance",
    "collected_at",
    "counterparty",
    "credit_card_data",
    "description",
    "loan_data",
    "merchant",
    "status",
    "type",
];

#[test]
fn whatever_belvo_sends_comes_back_equal() {
    let runtime = Runtime::new().unwrap();
    for tables in runtime.block_on(both()) {
        let mut runner = TestRunner::new(Config {
            cases: 60,
            failure_persistence: None,
            ..Config::default()
        });
        let cases = AtomicU32::new(0);
        let outcome = runner.run(&vec(document(), 1..8), |documents| {
            let case = cases.fetch_add(1, Ordering::Relaxed);
            let sent: Vec<_> = documents
                .into_iter()
                .enumerate()
                .map(|(i, document)| row(case, i, document))
                .collect();
            let stored = runtime.block_on(store_and_read(&tables, case, &sent));
            prop_assert_eq!(stored.len(), sent.len());
            for (sent, stored) in sent.iter().zip(&stored) {
                prop_assert_eq!(difference(sent, stored), None);
            }
            Ok(())
        });
        assert!(outcome.is_ok(), "{}: {}", tables.name, outcome.unwrap_err());
    }
}

/// A row's fields, in every second one a whole account among them.
fn document() -> impl Strategy<Value = Map<String, Value>> {
    (fields(), prop::option::of(fields())).prop_map(|(mut document, account)| {
        document.extend(account.map(|account| ("account".to_owned(), Value::Object(account))));
        document
    })
}

fn fields() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        8 => prop::sample::select(&FIELDS[..]).prop_map(str::to_owned),
        1 => ".{0,12}",
        1 => "_[a-z]{0,6}",
    ];
    btree_map(name, json(), 0..14).prop_map(|fields| fields.into_iter().collect())
}

fn json() -> impl Strategy<Value = Value> {
    let digits = string_regex("-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?(e-?[0-9]{1,3})?").unwrap();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        digits.prop_map(|digits| Value::Number(digits.parse::<Number>().unwrap())),
        ".{0,40}".prop_map(Value::String),
    ];
    leaf.prop_recursive(40, 60, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map(".{0,8}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// The document as a row of its own day, so that each case reads back what it wrote.
fn row(case: u32, place: usize, mut document: Map<String, Value>) -> Value {
    document.insert("id".to_owned(), format!("row-{case:04}-{place}").into());
    document.insert("value_date".to_owned(), day(case).into());
    if let Some(Value::Object(account)) = document.get_mut("account") {
        account.insert("id".to_owned(), format!("account-{case:04}-{place}").into());
    }
    Value::Object(document)
}

fn day(case: u32) -> String {
    format!("{:04}-01-01", 1000 + case)
}

/// JSON that no [`Value`] holds: half of a surrogate pair, and more levels than a parser follows.
#[tokio::test]
async fn text_that_no_parser_takes_comes_back_to_the_letter() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let fields = [
        r#""half":"a\ud800b""#.to_owned(),
        format!(r#""deep":{deep}"#),
    ];
    for tables in both().await {
        for (place, field) in fields.iter().enumerate() {
            let text = format!(r#"{{{field},"id":"odd-{place}","value_date":"0999-01-01"}}"#);
            let row = Row::whole(SentRow::of(&text).unwrap()).unwrap();
            let new = vec![DigestedRow::from(row)];
            let changes = Changes {
                new,
                ..Changes::default()
            };
            let (rows, link) = (&tables.rows, &tables.link);
            rows.put(link, &changes, &seen()).await.unwrap();

            let (listed, _) = rows.list(link, &Filter::default(), None, 1).await.unwrap();
            let listed = listed.into_iter().next().unwrap().row;
            assert_eq!(listed.into_row(None).get(), text, "{}", tables.name);
        }
    }
}

fn seen() -> Observation {
    Observation {
        at: Timestamp::now(),
        request: None,
    }
}

async fn store_and_read(tables: &Tables, case: u32, sent: &[Value]) -> Vec<Value> {
    let seen = seen();
    let (new, accounts): (Vec<_>, Vec<_>) = sent.iter().map(test_harness::taken_apart).unzip();
    let accounts: Vec<_> = accounts.into_iter().flatten().collect();
    tables
        .accounts
        .put(&tables.link, &accounts, &seen)
        .await
        .unwrap();
    tables
        .rows
        .put(
            &tables.link,
            &Changes {
                new: new.into_iter().map(DigestedRow::from).collect(),
                ..Changes::default()
            },
            &seen,
        )
        .await
        .unwrap();
    let filter = Filter {
        date_from: Some(day(case)),
        date_to: Some(day(case)),
        ..Filter::default()
    };
    let (mut stored, _) = tables
        .rows
        .list(&tables.link, &filter, None, 100)
        .await
        .unwrap();
    stored.sort_by(|one, other| one.row.id().cmp(other.row.id()));
    let accounts = tables.accounts.of(&tables.link).await.unwrap();
    let whole = |listed: Listed| {
        let id = listed.row.account_id().map(Cow::into_owned);
        let account = accounts
            .iter()
            .find(|account| id.as_deref() == Some(account.id().as_str()));
        serde_json::from_str(listed.row.into_row(account).get()).unwrap()
    };
    stored.into_iter().map(whole).collect()
}
