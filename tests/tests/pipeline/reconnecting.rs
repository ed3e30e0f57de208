//! A user who connects the same bank again: the same movements under other ids of Belvo's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::{Link, Stack, days_ago};

/// What each row of a link is the same as, by its id.
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
async fn movements_that_an_older_link_brought_are_marked_and_nothing_else() {
    let stack = Stack::of_this_run();
    let elder = stack.recurrent_link(120).await;
    elder.collect().await;
    let younger = elder.reconnect().await;
    younger.add(5, &days_ago(20)).await;

    younger.collect().await;

    let (elders, youngers) = (by_institution(&elder).await, by_institution(&younger).await);
    let expected: BTreeMap<_, _> = youngers
        .iter()
        .filter_map(|(name, id)| {
            Some((
                id.clone(),
                json!({"link": elder.id, "id": elders.get(name)?}),
            ))
        })
        .collect();
    assert!(expected.len() > 100 && expected.len() == elders.len());
    assert_eq!(same_as(&stack, &younger).await, expected);
    assert!(
        same_as(&stack, &elder).await.is_empty(),
        "the elder's rows are the originals"
    );
    younger.assert_equals_the_sandbox().await;

    let (id, twin) = expected.first_key_value().unwrap();
    let history = stack
        .get(&format!("/links/{}/transactions/{id}/history", younger.id))
        .await
        .body;
    assert_eq!(history["same_as"], *twin);
}

#[tokio::test]
async fn a_mark_survives_a_change_of_its_row_and_a_third_link_is_marked_with_the_first() {
    let stack = Stack::of_this_run();
    let first = stack.recurrent_link(40).await;
    first.collect().await;
    let second = first.reconnect().await;
    second.collect().await;
    let third = second.reconnect().await;
    third.collect().await;
    let marked = same_as(&stack, &second).await;
    let (id, twin) = marked.first_key_value().unwrap();

    second.amend(id, json!({"description": "amended"})).await;
    assert_eq!(second.collect().await["collection"]["changed"], 1);

    assert_eq!(same_as(&stack, &second).await.get(id), Some(twin));
    let thirds = same_as(&stack, &third).await;
    assert_eq!(thirds.len(), marked.len());
    assert!(thirds.values().all(|twin| twin["link"] == json!(first.id)));
}

#[tokio::test]
async fn two_real_equal_purchases_stay_two() {
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
    let twins: BTreeSet<_> = same_as(&stack, &again)
        .await
        .into_values()
        .map(|twin| twin["id"].to_string())
        .collect();
    assert!(
        rows[..5]
            .iter()
            .all(|row| twins.contains(&row["id"].to_string())),
        "each is the same as one of the elder's"
    );
    assert_eq!(
        twins.len(),
        by_institution(&link).await.len(),
        "and no two as the same one"
    );
    assert!(same_as(&stack, &link).await.is_empty());
}

#[tokio::test]
async fn an_identification_that_an_account_has_twice_identifies_nothing() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    let rows = of_one_account(&link).await;
    let name = json!({"internal_identification": rows[0]["internal_identification"]});
    let all = by_institution(&link).await.len();
    link.amend(rows[1]["id"].as_str().unwrap(), name).await;
    link.collect().await;
    let again = link.reconnect().await;
    again.collect().await;

    let twins: Vec<_> = same_as(&stack, &again)
        .await
        .into_values()
        .map(|twin| twin["id"].clone())
        .collect();
    assert!(!twins.contains(&rows[0]["id"]) && !twins.contains(&rows[1]["id"]));
    assert_eq!(twins.len(), all - 2);
}

#[tokio::test]
async fn a_mark_counts_only_as_long_as_the_elders_row_is_there() {
    let stack = Stack::of_this_run();
    let elder = stack.recurrent_link(40).await;
    elder.collect().await;
    let younger = elder.reconnect().await;
    younger.collect().await;
    let marked = same_as(&stack, &younger).await;
    let (id, twin) = marked.first_key_value().unwrap();

    elder.delete(twin["id"].as_str().unwrap()).await;
    elder.collect().await;

    let now = same_as(&stack, &younger).await;
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
