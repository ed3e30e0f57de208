//! What a complete collection has read, compared before anything is collected once more.

use std::{collections::BTreeMap, time::Duration};

use domain::Timestamp;
use serde_json::Value;
use test_harness::{Link, assert_same_rows, by_id};

use crate::{settings::BEGAN, users::Users};

/// More than what the clocks of two environments differ by, with all clocks set between.
const CLOCKS_APART_S: u8 = 15;

/// I2 to I4: the days of a complete collection since which nothing has changed at the bank have the
/// rows that Belvo has.
pub(crate) async fn check(users: &Users<'_>, link: &Link<'_>) {
    let unchanged_for = users.world.belvo.unchanged_for(&link.id);
    let unchanged_for = unchanged_for.expect("a living link");
    let now = BEGAN + users.world.elapsed();
    let changed = now.saturating_sub(unchanged_for);
    let (truth, stored) = (link.truth().await, link.stored().await);
    for record in users.requests_of(link).await {
        let collection = &record["collection"];
        let started = collection["started_at"].as_str().and_then(Timestamp::parse);
        let Some(started) = started.filter(|_| record["verdict"] == "complete") else {
            continue;
        };
        let before = started.plus_seconds(-i64::from(CLOCKS_APART_S));
        if collection["rows"] == 0 {
            nothing_was_stored(link, before, &collection["days"]).await;
        } else if changed < since_1970(before) {
            let [truth, stored] = [&truth, &stored].map(|rows| of_days(rows, &collection["days"]));
            assert_same_rows(&truth, &stored);
        }
    }
}

/// Belvo may list nothing before its data is ready. Nothing tells that from a bank without rows,
/// unless some of these days are stored already.
async fn nothing_was_stored(link: &Link<'_>, before: Timestamp, days: &Value) {
    let parameters = format!("as_of={before}&limit=500");
    let pages = link.stored_pages(&parameters).await;
    let stored = of_days(&by_id(&pages.concat()), days);
    assert!(stored.is_empty(), "complete without {stored:?}");
}

fn since_1970(at: Timestamp) -> Duration {
    Duration::from_millis(at.unix_millis().try_into().expect("after 1970"))
}

/// The rows of these days, all if no first and no last one is named.
fn of_days(rows: &BTreeMap<String, Value>, days: &Value) -> BTreeMap<String, Value> {
    let is_among = |row: &Value| {
        let day = row["value_date"].as_str();
        days["from"].as_str().is_none_or(|from| Some(from) <= day)
            && days["to"].as_str().is_none_or(|to| day <= Some(to))
    };
    let mut rows = rows.clone();
    rows.retain(|_, row| is_among(row));
    rows
}
