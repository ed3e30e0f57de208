//! A user who connects the same bank again: the same transactions under other Belvo ids.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use test_harness::{Link, Stack, days_ago};

/// The original of each duplicate row of a link, by the row's id.
async fn same_as(stack: &Stack, link: &Link<'_>) -> BTreeMap<String, Value> {
    let answer = stack
        .get(&format!("/links/{}/transactions?limit=500", link.id))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_value(answer.body["same_as"].clone()).unwrap()
}

/// The rows of a link that have an account, by the institution's ids of the account and of the row.
async fn by_institution(link: &Link<'_>) -> BTreeMap<(String, String), String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = link
        .truth()
        .await
        .into_values()
        .filter(|row| !row["account"].is_null());
    rows.map(|row| {
        let account = text(&row["account"]["internal_identification"]);
        (
            (account, text(&row["internal_identification"])),
            text(&row["id"]),
        )
    })
    .collect()
}

#[tokio::test]
async fn only_transactions_that_an_older_link_holds_are_marked_as_duplicates() {
    let stack = Stack::of_this_run();
    let older = stack.recurrent_link(120).await;
    older.collect().await;
    let newer = older.reconnect().await;
    newer.add(5, &days_ago(20)).await;

    newer.collect().await;

    let (older_rows, newer_rows) = (by_institution(&older).await, by_institution(&newer).await);
    let expected: BTreeMap<_, _> = newer_rows
        .iter()
        .filter_map(|(name, id)| {
            Some((
                id.clone(),
                json!({"link": older.id, "id": older_rows.get(name)?}),
            ))
        })
        .collect();
    assert!(expected.len() > 100 && expected.len() == older_rows.len());
    assert_eq!(same_as(&stack, &newer).await, expected);
    assert!(
        same_as(&stack, &older).await.is_empty(),
        "the older link's rows are the originals"
    );
    newer.assert_equals_the_sandbox().await;

    let (id, original) = expected.first_key_value().unwrap();
    let history = stack
        .get(&format!("/links/{}/transactions/{id}/history", newer.id))
        .await
        .body;
    assert_eq!(history["same_as"], *original);
}

#[tokio::test]
async fn a_duplicate_mark_survives_a_change_of_its_row_and_a_third_link_points_to_the_first() {
    let stack = Stack::of_this_run();
    let first = stack.recurrent_link(40).await;
    first.collect().await;
    let second = first.reconnect().await;
    second.collect().await;
    let third = second.reconnect().await;
    third.collect().await;
    let marked = same_as(&stack, &second).await;
    let (id, original) = marked.first_key_value().unwrap();

    second.amend(id, json!({"description": "amended"})).await;
    assert_eq!(second.collect().await["collection"]["changed"], 1);

    assert_eq!(same_as(&stack, &second).await.get(id), Some(original));
    let thirds = same_as(&stack, &third).await;
    assert_eq!(thirds.len(), marked.len());
    assert!(
        thirds
            .values()
            .all(|original| original["link"] == json!(first.id))
    );
}

#[tokio::test]
async fn two_identical_purchases_stay_two() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    let rows = of_one_account(&link).await;
    // The same account, day, amount and words; only the institution's ids differ.
    let equal = |field: &str| (field.to_owned(), rows[0][field].clone());
    let fields = [
        "value_date",
        "amount",
        "local_currency_amount",
        "description",
        "type",
        "status",
    ];
    let fields: serde_json::Map<_, _> = fields.map(equal).into_iter().collect();
    for row in &rows[1..5] {
        link.amend(row["id"].as_str().unwrap(), Value::Object(fields.clone()))
            .await;
    }
    link.collect().await;
    let again = link.reconnect().await;
    again.collect().await;

    link.assert_equals_the_sandbox().await;
    again.assert_equals_the_sandbox().await;
    let originals: BTreeSet<_> = same_as(&stack, &again)
        .await
        .into_values()
        .map(|original| original["id"].to_string())
        .collect();
    assert!(
        rows[..5]
            .iter()
            .all(|row| originals.contains(&row["id"].to_string())),
        "each is a duplicate of one of the older link's rows"
    );
    assert_eq!(
        originals.len(),
        by_institution(&link).await.len(),
        "and no two of the same one"
    );
    assert!(same_as(&stack, &link).await.is_empty());
}

#[tokio::test]
async fn an_identification_that_occurs_twice_in_an_account_identifies_nothing() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    let rows = of_one_account(&link).await;
    let name = json!({"internal_identification": rows[0]["internal_identification"]});
    let all = by_institution(&link).await.len();
    link.amend(rows[1]["id"].as_str().unwrap(), name).await;
    link.collect().await;
    let again = link.reconnect().await;
    again.collect().await;

    let originals: Vec<_> = same_as(&stack, &again)
        .await
        .into_values()
        .map(|original| original["id"].clone())
        .collect();
    assert!(!originals.contains(&rows[0]["id"]) && !originals.contains(&rows[1]["id"]));
    assert_eq!(originals.len(), all - 2);
}

#[tokio::test]
async fn a_duplicate_mark_lasts_only_as_long_as_the_original_row() {
    let stack = Stack::of_this_run();
    let older = stack.recurrent_link(40).await;
    older.collect().await;
    let newer = older.reconnect().await;
    newer.collect().await;
    let marked = same_as(&stack, &newer).await;
    let original = older.newest().await;
    let is_of_original = |(_, marked): &(&String, &Value)| marked["id"] == original;
    let (id, _) = marked.iter().find(is_of_original).unwrap();

    older.delete(&original).await;
    older.collect().await;

    let now = same_as(&stack, &newer).await;
    assert!(!now.contains_key(id));
    assert_eq!(now.len(), marked.len() - 1);
}

/// The rows of the account that has most of them.
async fn of_one_account(link: &Link<'_>) -> Vec<Value> {
    let mut accounts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in link
        .truth()
        .await
        .into_values()
        .filter(|row| !row["account"].is_null())
    {
        accounts
            .entry(row["account"]["id"].to_string())
            .or_default()
            .push(row);
    }
    accounts.into_values().max_by_key(Vec::len).unwrap()
}
