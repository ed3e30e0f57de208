//! A collection that is interrupted at each of its writes in turn. What the rows and their index
//! then hold is what a consumer may see, and what the next collection has to put right.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Comparison, Days, Filter, LinkId, Next, Observation, Part, Progress, Resource, Row, Timestamp,
};
use serde_json::{Value, json};
use shared::store::{Rows, StoreError, TransactionsTable};
use test_harness::Stack;
use time::{Date, macros::date};

use crate::{
    databases::{Tables, both},
    followed::Consumer,
};

/// The week of the rows that disappear from it.
const OLD_WEEK: [Date; 2] = [date!(2026 - 01 - 12), date!(2026 - 01 - 18)];

/// The table of a database behind a gate.
pub(crate) async fn behind_gate(tables: &Tables, writes: u32) -> TransactionsTable {
    let endpoint = test_harness::behind_gate(&tables.endpoint, writes).await;
    let stack = Stack::of_this_run();
    TransactionsTable::open(&stack.aws_at(&endpoint), stack.transactions_table)
}

pub(crate) fn row(id: u32, day: &str, amount: &str) -> Value {
    let amount: Value = serde_json::from_str(amount).unwrap();
    json!({"id": format!("row-{id:02}"), "value_date": day, "amount": amount, "type": "INFLOW"})
}

/// What Belvo has at first.
fn before() -> Vec<Value> {
    let mut rows: Vec<_> = (10..40).map(|id| row(id, "2026-01-14", "1")).collect();
    rows.push(row(1, "2026-01-13", "1"));
    rows.push(row(2, "2026-01-15", "1"));
    rows.push(row(3, "2026-01-18", "1"));
    rows
}

/// What it has then: a new row, an amended one, one that moved to another week, and one less.
fn after() -> Vec<Value> {
    let mut rows = before();
    rows.retain(|row| !["row-01", "row-02", "row-03"].contains(&row["id"].as_str().unwrap()));
    rows.push(row(1, "2026-01-13", "2"));
    rows.push(row(2, "2026-03-25", "1"));
    rows.push(row(4, "2026-01-14", "1"));
    rows
}

/// Collects these rows of these days, as `collect` does it.
pub(crate) async fn collect(
    table: &TransactionsTable,
    link: &LinkId,
    days: Days,
    belvo: Vec<Value>,
    at: &str,
) -> Result<(), StoreError> {
    let seen = Observation {
        at: Timestamp::parse(at).unwrap(),
        request: None,
    };
    table.settle_log(link).await?;
    let rows = &table.rows(Resource::TRANSACTIONS);
    let all: Vec<Row> = belvo
        .iter()
        .map(|row| test_harness::taken_apart(row).0)
        .collect();
    let listed = all
        .iter()
        .filter(|row| days.hold(&row.day(Resource::TRANSACTIONS)));
    let page: Vec<Row> = listed.cloned().collect();
    let mut progress = Progress::new(days, rows.is_empty(link).await?, seen.at);
    let mut part = Part {
        comparison: Comparison::new(rows.known(link, days, None).await?),
        count: page.len() as u64,
        is_whole: true,
        ..Part::default()
    };
    write(rows, link, &mut part.comparison, page, &seen).await?;
    progress.fetched(&part);
    progress.end_pass(None);
    loop {
        match progress.next() {
            Next::Ask(ids) => {
                for id in ids {
                    let Some(row) = all.iter().find(|row| *row.id() == id) else {
                        progress.absent(&id);
                        continue;
                    };
                    let mut found = Comparison::default();
                    write(rows, link, &mut found, vec![row.clone()], &seen).await?;
                    let day = row.day(Resource::TRANSACTIONS);
                    progress.found(&id, &day, found.changed);
                }
            }
            Next::Remove(gone) => {
                let marked = rows.tombstone(link, days, &gone, &seen).await?;
                progress.removed(marked);
            }
            next => {
                assert_eq!(next, Next::Nothing);
                return Ok(());
            }
        }
    }
}

async fn write(
    rows: &Rows,
    link: &LinkId,
    comparison: &mut Comparison,
    page: Vec<Row>,
    seen: &Observation,
) -> Result<(), StoreError> {
    let elsewhere = rows.look_up(link, comparison.unknown(&page)).await?;
    comparison.learn(elsewhere);
    let changes = comparison.changes(page);
    let written = rows.put(link, &changes, seen).await?;
    comparison.found_unchanged(written.unchanged);
    Ok(())
}

pub(crate) async fn listed(tables: &Tables) -> Vec<Value> {
    let all = Filter::default();
    let (rows, next) = tables
        .rows
        .list(&tables.link, &all, None, 500)
        .await
        .unwrap();
    assert_eq!(next, None);
    rows.into_iter()
        .map(|listed| test_harness::json_of(&listed.row))
        .collect()
}

pub(crate) fn by_id(rows: Vec<Value>) -> BTreeMap<String, Value> {
    let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
    rows.into_iter().map(|row| (id(&row), row)).collect()
}

/// Everything that shows what is stored agrees with what Belvo has.
async fn assert_equal_to(tables: &Tables, belvo: &[Value], when: &str) {
    let (rows, link) = (&tables.rows, &tables.link);
    let stored = listed(tables).await;
    assert_eq!(stored.len(), belvo.len(), "{when}");
    assert_eq!(by_id(stored), by_id(belvo.to_vec()), "{when}");
    let totals = rows.totals(link, Days::ALL, None).await.unwrap();
    assert_eq!(totals.transactions, belvo.len() as u64, "{when}");

    for id in ["row-01", "row-02", "row-03", "row-14"] {
        let id = domain::RowId::parse(id).unwrap();
        let versions = test_harness::versions(rows, link, &id).await;
        let differ = |pair: &[domain::Version]| {
            pair[0].row != pair[1].row || pair[0].deleted != pair[1].deleted
        };
        assert!(versions.windows(2).all(differ), "{when}: {versions:?}");
    }
}

/// Collects `before` and then `after`, the second time until the nth write. Returns whether that was
/// interrupted.
async fn interrupted_after(tables: &Tables, writes: u32) -> bool {
    let link = &tables.link;
    let first = collect(
        &tables.transactions,
        link,
        Days::ALL,
        before(),
        "2026-03-01T00:00:00Z",
    );
    first.await.unwrap();
    let gated = behind_gate(tables, writes).await;
    let second = collect(&gated, link, Days::ALL, after(), "2026-03-02T00:00:00Z");
    second.await.is_err()
}

#[tokio::test]
async fn an_interrupted_collection_hides_no_row_and_the_next_one_puts_all_right() {
    for writes in 0.. {
        let mut is_interrupted = false;
        for tables in both().await {
            let when = format!("{}, after {writes} writes", tables.name);
            let mut consumers = [
                Consumer::default(),
                Consumer::default(),
                Consumer::default(),
            ];
            consumers[0].follow(&tables).await;
            is_interrupted = interrupted_after(&tables, writes).await;
            consumers[0].follow(&tables).await;
            consumers[1].follow(&tables).await;

            // Whatever was stored and is still at Belvo stays visible.
            let visible: BTreeSet<_> = by_id(listed(&tables).await).into_keys().collect();
            let kept: BTreeSet<_> = by_id(before()).into_keys().collect();
            let gone = kept.difference(&visible).collect::<Vec<_>>();
            assert!(gone.is_empty() || gone == ["row-03"], "{when}: {gone:?}");

            let (table, link) = (&tables.transactions, &tables.link);
            let healing = collect(table, link, Days::ALL, after(), "2026-03-03T00:00:00Z");
            healing.await.unwrap();
            assert_equal_to(&tables, &after(), &when).await;
            for mut consumer in consumers {
                consumer.follow(&tables).await;
                assert_eq!(consumer.copy, by_id(after()), "{when}");
            }
            let unchanged = behind_gate(&tables, 0).await;
            let again = collect(&unchanged, link, Days::ALL, after(), "2026-03-04T00:00:00Z");
            assert!(again.await.is_ok(), "{when}: a further collection writes");
        }
        if !is_interrupted {
            assert!(writes > 4, "every write was interrupted");
            return;
        }
    }
}

/// The next collection may be of the days that a row has left.
#[tokio::test]
async fn a_row_that_moved_is_not_taken_for_deleted_where_it_was() {
    for writes in 0.. {
        let mut is_interrupted = false;
        for tables in both().await {
            let when = format!("{}, after {writes} writes", tables.name);
            is_interrupted = interrupted_after(&tables, writes).await;
            let (table, link) = (&tables.transactions, &tables.link);
            let rows = &tables.rows;
            let old_week = Days::between(OLD_WEEK[0], OLD_WEEK[1]);
            let healing = collect(table, link, old_week, after(), "2026-03-03T00:00:00Z");
            healing.await.unwrap();
            let everything = collect(table, link, Days::ALL, after(), "2026-03-04T00:00:00Z");
            everything.await.unwrap();
            let stored = listed(&tables).await;
            assert_eq!(by_id(stored), by_id(after()), "{when}");
            let totals = rows.totals(link, Days::ALL, None).await.unwrap();
            assert_eq!(totals.transactions, after().len() as u64, "{when}");
        }
        if !is_interrupted {
            return;
        }
    }
}

/// Belvo may take back what was being written.
#[tokio::test]
async fn what_was_half_written_and_is_taken_back_is_put_right_too() {
    for writes in 0.. {
        let mut is_interrupted = false;
        for tables in both().await {
            let when = format!("{}, after {writes} writes", tables.name);
            is_interrupted = interrupted_after(&tables, writes).await;
            let mut consumer = Consumer::default();
            consumer.follow(&tables).await;
            let (table, link) = (&tables.transactions, &tables.link);
            let rows = &tables.rows;
            for day in 3..5 {
                let at = format!("2026-03-0{day}T00:00:00Z");
                collect(table, link, Days::ALL, before(), &at)
                    .await
                    .unwrap();
            }
            let stored = listed(&tables).await;
            assert_eq!(by_id(stored), by_id(before()), "{when}");
            consumer.follow(&tables).await;
            assert_eq!(consumer.copy, by_id(before()), "{when}");
            let totals = rows.totals(link, Days::ALL, None).await.unwrap();
            assert_eq!(totals.transactions, before().len() as u64, "{when}");
        }
        if !is_interrupted {
            return;
        }
    }
}

#[tokio::test]
async fn a_first_collection_that_was_interrupted_is_listed_by_the_next_one() {
    for writes in 0.. {
        let mut is_interrupted = false;
        for tables in both().await {
            let when = format!("{}, after {writes} writes", tables.name);
            let (table, link) = (&tables.transactions, &tables.link);
            let gated = behind_gate(&tables, writes).await;
            let first = collect(&gated, link, Days::ALL, before(), "2026-03-01T00:00:00Z");
            is_interrupted = first.await.is_err();
            let next = collect(table, link, Days::ALL, before(), "2026-03-02T00:00:00Z");
            next.await.unwrap();
            assert_equal_to(&tables, &before(), &when).await;
        }
        if !is_interrupted {
            return;
        }
    }
}
