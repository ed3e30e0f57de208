//! The Transactions table.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, ReturnConsumedCapacity, WriteRequest};
use domain::{
    Account, Changes, Days, Difference, Filter, Observation, RESOURCES, RequestId, Resource, Row,
    SentRow, Timestamp,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use shared::store::Cursor;
use test_harness::difference;
use time::macros::date;

use crate::databases::{Tables, both, listed};

const ACCOUNT: &str = "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e";

fn row(id: usize, day: &str, amount: &str) -> Value {
    let amount: Value = serde_json::from_str(amount).unwrap();
    json!({
        "id": format!("row-{id:04}"), "account": {"id": ACCOUNT}, "value_date": day, "amount": amount,
        "status": "PROCESSED", "type": "INFLOW",
        "collected_at": "2026-01-31T00:00:00.123456Z", "merchant": null,
        "description": "", "nested": {"list": [1, {"empty": {}}], "deep": [[[]]]}
    })
}

fn parse(row: &Value) -> Row {
    test_harness::taken_apart(row).0
}

async fn put(tables: &Tables, rows: &[Value]) {
    let new = rows.iter().map(|row| parse(row).into()).collect();
    let changes = Changes {
        new,
        ..Changes::default()
    };
    tables
        .rows
        .put(&tables.link, &changes, &seen("2026-03-01T00:00:00Z"))
        .await
        .unwrap();
}

/// Returns how many of them are stored as they are.
async fn change(tables: &Tables, rows: &[Value]) -> u64 {
    let changes = Changes {
        changed: rows.iter().map(|row| parse(row).into()).collect(),
        ..Changes::default()
    };
    let seen = seen("2026-03-02T00:00:00Z");
    let written = tables.rows.put(&tables.link, &changes, &seen).await;
    written.unwrap().unchanged
}

fn seen(at: &str) -> Observation {
    let request = Some(RequestId::parse("4363b08b51eb43509c745df5ac92a7f6").unwrap());
    Observation {
        at: Timestamp::parse(at).unwrap(),
        request,
    }
}

async fn all(tables: &Tables, filter: &Filter, limit: u16) -> Vec<Row> {
    let page = async |after: Option<Cursor>| {
        let rows = &tables.rows;
        let listed = rows.list(&tables.link, filter, after.as_ref(), limit).await;
        let (page, next) = listed?;
        assert!(page.len() <= usize::from(limit));
        Ok((page, next))
    };
    let all = listed(page).await.into_iter();
    all.map(|listed| listed.row).collect()
}

#[tokio::test]
async fn the_two_databases_are_two() {
    let [one, other] = both().await;
    put(&one, &[row(1, "2026-01-01", "1")]).await;
    let (rows, _) = other
        .rows
        .list(&one.link, &Filter::default(), None, 10)
        .await
        .unwrap();
    assert!(
        rows.is_empty(),
        "{} and {} are the same",
        one.name,
        other.name
    );
}

#[tokio::test]
async fn rows_are_found_by_their_account_however_belvo_spells_it() {
    for tables in both().await {
        let mut spelled = row(2, "2026-01-02", "1");
        spelled["account"]["id"] = json!(ACCOUNT.to_uppercase());
        let mut bare = row(3, "2026-01-03", "1");
        bare["account"] = json!(ACCOUNT.to_uppercase());
        let mut other = row(4, "2026-01-04", "1");
        other["account"] = json!(null);
        put(
            &tables,
            &[row(1, "2026-01-01", "1"), spelled, bare.clone(), other],
        )
        .await;

        let filter = Filter {
            account: Some(ACCOUNT.to_owned()),
            ..Filter::default()
        };
        let found = all(&tables, &filter, 10).await;
        let ids: Vec<_> = found.iter().map(|row| row.id().as_str()).collect();
        assert_eq!(ids, ["row-0003", "row-0002", "row-0001"]);
        assert_eq!(test_harness::json_of(&found[0])["account"], bare["account"]);
    }
}

#[tokio::test]
async fn a_row_comes_back_as_it_was_sent() {
    for tables in both().await {
        let odd = [
            row(1, "2026-01-01", "123456789012345.1234"),
            json!({"id": "row-0002", "account": null, "value_date": "2026-01-02"}),
            json!({"id": "row-0003", "value_date": "2026-01-03", "_hidden": 1}),
            json!({"id": "row-0004", "value_date": "2026-01-04", "many_digits": 1}),
            (0..40).fold(
                json!({"id": "row-0005", "value_date": "2026-01-05"}),
                |mut row, _| {
                    let deeper = json!([row["deep"].take()]);
                    row["deep"] = deeper;
                    row
                },
            ),
        ];
        let mut odd = odd.to_vec();
        odd[3]["many_digits"] =
            serde_json::from_str("1234567890123456789012345678901234567890.5").unwrap();
        put(&tables, &odd).await;

        let stored = all(&tables, &Filter::default(), 100).await;

        let stored: BTreeMap<_, _> = stored
            .into_iter()
            .map(|row| (row.id().as_str().to_owned(), test_harness::json_of(&row)))
            .collect();
        for mut sent in odd {
            if sent["account"].is_object() {
                sent["account"] = sent["account"]["id"].take();
            }
            assert_eq!(
                difference(&sent, &stored[sent["id"].as_str().unwrap()]),
                None,
                "{}",
                tables.name
            );
        }
    }
}

#[tokio::test]
async fn the_digests_of_a_window_are_those_of_its_rows() {
    for tables in both().await {
        let rows: Vec<_> = (1..=28)
            .map(|day| row(day, &format!("2026-02-{day:02}"), "1.5"))
            .collect();
        put(&tables, &rows).await;

        let window = Days::between(date!(2026 - 02 - 10), date!(2026 - 02 - 19));
        let stored = tables.rows.known(&tables.link, window, None).await.unwrap();

        assert_eq!(stored.len(), 10, "{}", tables.name);
        for day in 10..=19 {
            let sent = parse(&rows[day - 1]);
            let known = &stored[sent.id()];
            assert_eq!(
                (known.digest, known.collected_at),
                (sent.digest(), sent.collected_at())
            );
        }
        assert_eq!(
            tables
                .rows
                .known(&tables.link, Days::ALL, None)
                .await
                .unwrap()
                .len(),
            28
        );
    }
}

#[tokio::test]
async fn a_rewritten_row_is_one_row_even_under_another_date() {
    for tables in both().await {
        put(&tables, &[row(1, "2026-01-01", "1.5")]).await;
        change(&tables, &[row(1, "2026-01-09", "2.5")]).await;

        let stored = all(&tables, &Filter::default(), 10).await;

        assert_eq!(stored.len(), 1, "{}", tables.name);
        assert_eq!(stored[0].day(Resource::TRANSACTIONS), "2026-01-09");
    }
}

#[tokio::test]
async fn each_replaced_version_of_a_row_is_kept_once() {
    for tables in both().await {
        let version = |amount: &str| parse(&row(1, "2026-01-01", amount));
        put(&tables, &[row(1, "2026-01-01", "1")]).await;
        // Twice, as after a crash between the version and the row.
        for (amount, at) in [
            ("2", "2026-03-02T00:00:00Z"),
            ("2", "2026-03-02T00:00:00Z"),
            ("3", "2026-03-03T00:00:00Z"),
        ] {
            let changes = Changes {
                changed: vec![version(amount).into()],
                ..Changes::default()
            };
            tables
                .rows
                .put(&tables.link, &changes, &seen(at))
                .await
                .unwrap();
        }

        let history = test_harness::versions(&tables.rows, &tables.link, version("1").id()).await;

        let rows: Vec<_> = history.iter().map(|version| version.row.digest()).collect();
        assert_eq!(
            rows.first(),
            Some(&version("1").digest()),
            "{}",
            tables.name
        );
        assert_eq!(rows.last(), Some(&version("3").digest()));
        assert_eq!(history.last().unwrap().until, None);
        assert!(
            history
                .windows(2)
                .all(|pair| pair[0].until == Some(pair[1].from)),
            "{history:?}"
        );
    }
}

#[tokio::test]
async fn a_history_is_read_in_pages_that_join() {
    for tables in both().await {
        let (rows, link) = (&tables.rows, &tables.link);
        put(&tables, &[row(1, "2026-01-01", "0")]).await;
        for minute in 1..25 {
            let changes = Changes {
                changed: vec![parse(&row(1, "2026-01-01", &minute.to_string())).into()],
                ..Changes::default()
            };
            let seen = seen(&format!("2026-03-02T00:{minute:02}:00Z"));
            rows.put(link, &changes, &seen).await.unwrap();
        }
        let id = parse(&row(1, "2026-01-01", "0")).id().clone();
        let all = test_harness::versions(rows, link, &id).await;
        assert_eq!(all.len(), 25, "{}", tables.name);

        for limit in [1, 7, 24, 25] {
            let (mut joined, mut after) = (Vec::new(), None);
            loop {
                let page = rows.history(link, &id, after.as_ref(), limit).await;
                let page = page.unwrap().unwrap();
                assert_eq!(
                    page.previous.as_ref(),
                    joined.last(),
                    "{} by {limit}",
                    tables.name
                );
                assert_eq!(page.latest, all[24]);
                assert!(!page.versions.is_empty() && page.versions.len() <= usize::from(limit));
                joined.extend(page.versions);
                if page.next.is_none() {
                    break;
                }
                after = page.next;
            }
            assert_eq!(joined, all, "{} by {limit}", tables.name);
        }
    }
}

#[tokio::test]
async fn a_version_differs_in_a_value_and_not_in_its_spelling_or_the_time_of_reading() {
    for tables in both().await {
        let first = row(1, "2026-01-01", "54.9");
        let respelled = row(1, "2026-01-01", "54.900");
        let mut read_again = respelled.clone();
        read_again["collected_at"] = json!("2026-02-01T00:00:00Z");
        let mut amended = read_again.clone();
        amended["description"] = json!("amended");
        put(&tables, std::slice::from_ref(&first)).await;

        let id = parse(&first).id().clone();
        for (sent, shown, versions) in [
            (&respelled, &first, 1),
            (&read_again, &read_again, 1),
            (&amended, &amended, 2),
        ] {
            let unchanged = change(&tables, std::slice::from_ref(sent)).await;
            assert_eq!(unchanged == 1, sent == &respelled, "{}", tables.name);
            let history = test_harness::versions(&tables.rows, &tables.link, &id).await;
            assert_eq!(history.len(), versions, "{}", tables.name);
            let latest = history.last().unwrap();
            // DynamoDB itself drops the zeros at the end of a fraction.
            let difference = latest.row.difference_to(&parse(shown));
            assert_eq!(difference, Difference::None, "{}", tables.name);
            let since = if versions == 1 {
                "2026-03-01"
            } else {
                "2026-03-02"
            };
            assert!(latest.from.to_string().starts_with(since), "{history:?}");

            // It is recognised when it comes again, however it is written.
            let known = tables
                .rows
                .known(&tables.link, Days::ALL, None)
                .await
                .unwrap();
            assert_eq!(known[&id].digest, parse(sent).digest(), "{}", tables.name);
        }
    }
}

#[tokio::test]
async fn a_tombstoned_row_is_not_listed_but_remembered() {
    for tables in both().await {
        put(
            &tables,
            &[row(1, "2026-01-01", "1"), row(2, "2026-01-01", "1")],
        )
        .await;
        let tombstoned = parse(&row(1, "2026-01-01", "1")).id().clone();
        let never_stored = parse(&row(9, "2026-01-01", "1")).id().clone();

        let ids = [tombstoned.clone(), never_stored.clone()];
        tables
            .rows
            .tombstone(&tables.link, Days::ALL, &ids, &seen("2026-03-02T00:00:00Z"))
            .await
            .unwrap();

        let listed = all(&tables, &Filter::default(), 10).await;
        assert_eq!(listed.len(), 1, "{}", tables.name);
        assert!(
            tables
                .rows
                .known(&tables.link, Days::ALL, None)
                .await
                .unwrap()[&tombstoned]
                .deleted
        );
        assert!(test_harness::versions(&tables.rows, &tables.link, &tombstoned).await[0].deleted);
        assert!(
            test_harness::versions(&tables.rows, &tables.link, &never_stored)
                .await
                .is_empty()
        );
    }
}

#[tokio::test]
async fn listings_are_newest_first_whatever_the_page_size() {
    for tables in both().await {
        let rows: Vec<_> = (0..600)
            .map(|i| row(i, &format!("2026-01-{:02}", 1 + i % 27), "1"))
            .collect();
        put(&tables, &rows).await;
        let mut expected: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row["value_date"].as_str().unwrap().to_owned(),
                    row["id"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));

        for limit in [7, 45, 200, 500] {
            let listed = all(&tables, &Filter::default(), limit).await;
            let listed: Vec<_> = listed
                .iter()
                .map(|row| {
                    (
                        row.day(Resource::TRANSACTIONS),
                        row.id().as_str().to_owned(),
                    )
                })
                .collect();
            assert_eq!(listed, expected, "{} by {limit}", tables.name);
        }
    }
}

#[tokio::test]
async fn a_link_sees_only_its_own_rows() {
    let [one, other] = [both().await, both().await];
    for (one, other) in one.into_iter().zip(other) {
        put(&one, &[row(1, "2026-01-01", "1")]).await;
        assert!(all(&other, &Filter::default(), 10).await.is_empty());
        assert!(other.accounts.of(&other.link).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn accounts_are_kept_beside_the_rows_and_not_among_them() {
    for tables in both().await {
        let sent =
            json!({"id": ACCOUNT, "balance": {"current": 5874.13, "blocked": null}, "name": ""});
        let (_, account) = test_harness::taken_apart(&json!({"id": "t", "account": sent}));
        let account = account.unwrap();
        tables
            .accounts
            .put(
                &tables.link,
                std::slice::from_ref(&account),
                &seen("2026-03-01T00:00:00Z"),
            )
            .await
            .unwrap();
        put(&tables, &[row(1, "2026-01-01", "1")]).await;

        let accounts = tables.accounts.of(&tables.link).await.unwrap();
        assert_eq!(
            accounts.iter().map(Account::document).collect::<Vec<_>>(),
            [account.document()]
        );
        assert_eq!(all(&tables, &Filter::default(), 10).await.len(), 1);
    }
}

/// The documented page of ordinary rows (`tests/data/page-of-ordinary-rows.json`, Belvo's shape)
/// costs one write unit a row in the table; the index is what the second unit pays.
#[tokio::test]
async fn the_median_transaction_costs_one_write_unit() {
    for tables in both().await {
        let page: Value =
            serde_json::from_str(include_str!("../../data/page-of-ordinary-rows.json")).unwrap();
        let rows = page["results"].as_array().unwrap();
        put(&tables, rows).await;

        let mut units = Vec::new();
        for row in rows {
            units.push(table_write_units(&tables, row["id"].as_str().unwrap()).await);
        }

        units.sort_by(f64::total_cmp);
        assert!(
            (units[units.len() / 2] - 1.0).abs() < f64::EPSILON,
            "{}: {units:?}",
            tables.name
        );
    }
}

/// The write units of rewriting a stored item, without the indexes.
async fn table_write_units(tables: &Tables, id: &str) -> f64 {
    let key = |sort: &str| {
        std::collections::HashMap::from([
            (
                "_link".to_owned(),
                AttributeValue::S(tables.link.to_string()),
            ),
            ("_item".to_owned(), AttributeValue::S(sort.to_owned())),
        ])
    };
    let stored = tables
        .client
        .get_item()
        .table_name(&tables.transactions_table)
        .set_key(Some(key(&format!("T#{id}"))))
        .send()
        .await
        .unwrap();
    let put = PutRequest::builder().set_item(stored.item).build().unwrap();
    let written = tables
        .client
        .batch_write_item()
        .request_items(
            &tables.transactions_table,
            vec![WriteRequest::builder().put_request(put).build()],
        )
        .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
        .send()
        .await
        .unwrap();
    let consumed = &written.consumed_capacity()[0];
    consumed
        .table()
        .and_then(aws_sdk_dynamodb::types::Capacity::capacity_units)
        .unwrap_or(f64::NAN)
}

#[tokio::test]
async fn rows_of_each_resource_are_separate_and_are_erased_together() {
    for tables in both().await {
        // One id and one link, and every date field there is.
        let row = |resource: &Resource| {
            json!({
                "id": "one", "value_date": "2026-01-01", "invoice_date": "2026-01-02", "start_date": "2026-01-03",
                "resource": resource.name()
            })
        };
        for resource in RESOURCES {
            let new = vec![
                Row::whole(SentRow::of(&row(resource).to_string()).unwrap())
                    .unwrap()
                    .into(),
            ];
            let changes = Changes {
                new,
                ..Changes::default()
            };
            let store = tables.transactions.rows(*resource);
            store
                .put(&tables.link, &changes, &seen("2026-03-01T00:00:00Z"))
                .await
                .unwrap();
        }

        for resource in RESOURCES {
            let store = tables.transactions.rows(*resource);
            let (rows, next) = store
                .list(&tables.link, &Filter::default(), None, 10)
                .await
                .unwrap();
            let rows: Vec<_> = rows
                .into_iter()
                .map(|listed| test_harness::json_of(&listed.row))
                .collect();
            assert_eq!((rows, next), (vec![row(resource)], None), "{}", tables.name);
            let day = match resource.date_field() {
                Some("value_date") => "2026-01-01",
                Some("invoice_date") => "2026-01-02",
                Some(_) => "2026-01-03",
                None => "0000-00-00",
            };
            assert_eq!(
                store.newest_day(&tables.link).await.unwrap().as_deref(),
                Some(day)
            );
        }

        let invoices = tables
            .transactions
            .rows(Resource::by_name("invoices").unwrap());
        let gone =
            [RequestId::random().as_str(), "one"].map(|id| domain::RowId::parse(id).unwrap());
        invoices
            .tombstone(
                &tables.link,
                Days::ALL,
                &gone,
                &seen("2026-03-02T00:00:00Z"),
            )
            .await
            .unwrap();
        assert_eq!(
            test_harness::versions(&invoices, &tables.link, &gone[1])
                .await
                .len(),
            1
        );
        assert!(
            invoices
                .list(&tables.link, &Filter::default(), None, 10)
                .await
                .unwrap()
                .0
                .is_empty()
        );
        assert_eq!(
            all(&tables, &Filter::default(), 10).await.len(),
            1,
            "a tombstone of another resource"
        );

        assert_eq!(
            tables.transactions.erase(&tables.link).await.unwrap(),
            2 * RESOURCES.len() as u64,
            "a row of each, and a leaf of its index"
        );
        for resource in RESOURCES {
            assert_eq!(
                tables
                    .transactions
                    .rows(*resource)
                    .newest_day(&tables.link)
                    .await
                    .unwrap(),
                None
            );
        }
    }
}

/// Text that does not become shorter when it is compressed.
fn noise(bytes: usize) -> String {
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    (0..bytes).map(|_| dice.random_range('!'..='~')).collect()
}

#[tokio::test]
async fn a_row_beyond_dynamodbs_limit_is_compressed_or_else_left_out_alone() {
    let mut rows: Vec<_> = (1..=60).map(|id| row(id, "2026-01-01", "1")).collect();
    rows[10]["xml"] = json!("<item/>".repeat(100_000));
    rows[20]["xml"] = json!(noise(900_000));
    let odd = parse(&rows[20]).id().clone();
    for tables in both().await {
        let changes = Changes {
            new: rows.iter().map(|row| parse(row).into()).collect(),
            ..Changes::default()
        };
        let seen = seen("2026-03-01T00:00:00Z");
        let written = tables
            .rows
            .put(&tables.link, &changes, &seen)
            .await
            .unwrap();
        assert_eq!(
            written.refused,
            std::slice::from_ref(&odd),
            "{}",
            tables.name
        );

        let all = Filter::default();
        let listed = tables
            .rows
            .list(&tables.link, &all, None, 100)
            .await
            .unwrap()
            .0;
        assert_eq!(listed.len(), 59, "{}", tables.name);
        let large = parse(&rows[10]);
        let stored = listed
            .iter()
            .find(|listed| listed.row.id() == large.id())
            .unwrap();
        assert_eq!(
            stored.row.difference_to(&large),
            Difference::None,
            "{}",
            tables.name
        );
        let known = tables
            .rows
            .known(&tables.link, Days::ALL, None)
            .await
            .unwrap();
        assert_eq!(known.len(), 59, "{}", tables.name);
    }
}

#[tokio::test]
async fn a_page_of_large_rows_ends_before_an_answer_would_be_too_large() {
    for tables in both().await {
        let rows: Vec<_> = (1..=9)
            .map(|id| {
                let mut row = row(id, &format!("2026-01-0{id}"), "1");
                row["xml"] = json!("<item/>".repeat(100_000 * (id % 2 + 1)));
                row
            })
            .collect();
        put(&tables, &rows).await;
        let all = Filter::default();
        let (mut after, mut pages) = (None, Vec::new());
        loop {
            let page = tables.rows.list(&tables.link, &all, after.as_ref(), 100);
            let (listed, next) = page.await.unwrap();
            let bytes: usize = listed.iter().map(|one| one.row.text().len()).sum();
            assert!(bytes < 4_100_000, "{}: {bytes}", tables.name);
            pages.push(listed.len());
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(pages.len() > 2, "{}: {pages:?}", tables.name);
        assert_eq!(pages.iter().sum::<usize>(), 9, "{}: {pages:?}", tables.name);
    }
}

#[tokio::test]
async fn a_page_of_large_versions_ends_before_an_answer_would_be_too_large() {
    for tables in both().await {
        let first = row(1, "2026-01-01", "1");
        put(&tables, std::slice::from_ref(&first)).await;
        let (rows, link, id) = (&tables.rows, &tables.link, parse(&first).id().clone());
        for minute in 0..9 {
            let mut version = row(1, "2026-01-01", &minute.to_string());
            version["xml"] = json!("<item/>".repeat(200_000));
            let changes = Changes {
                changed: vec![parse(&version).into()],
                ..Changes::default()
            };
            let seen = seen(&format!("2026-03-02T00:0{minute}:00Z"));
            rows.put(link, &changes, &seen).await.unwrap();
        }
        let (mut after, mut shown, mut pages) = (None, Vec::new(), 0);
        loop {
            let history = rows.history(link, &id, after.as_ref(), 100).await.unwrap();
            let history = history.unwrap();
            pages += 1;
            assert!(history.versions.len() < 5, "{}", tables.name);
            shown.extend(history.versions.into_iter().map(|version| version.from));
            match history.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert!(pages > 2 && shown.is_sorted(), "{}: {shown:?}", tables.name);
        assert_eq!(shown.len(), 10, "{}: {shown:?}", tables.name);
    }
}
