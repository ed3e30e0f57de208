//! A user who connects the same bank again: the same movements under other ids of Belvo's.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Link, Stack};

/// What each row of a link is the same as, by its id.
async fn same_as(stack: &Stack, link: &Link<'_>) -> BTreeMap<String, Value> {
    let answer = stack.get(&format!("/links/{}/transactions?limit=500", link.id)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_value(answer.body["same_as"].clone()).unwrap()
}

/// The rows of a link that have an account, by the institution's ids of the account and of the row.
async fn by_institution(link: &Link<'_>) -> BTreeMap<(String, String), String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = link.truth().await.into_values().filter(|row| !row["account"].is_null());
    rows.map(|row| {
        let account = text(&row["account"]["internal_identification"]);
        ((account, text(&row["internal_identification"])), text(&row["id"]))
    })
    .collect()
}

#[tokio::test]
async fn movements_that_an_older_link_brought_are_marked_and_nothing_else() {
    let stack = Stack::of_this_run().await;
    let elder = stack.recurrent_link(120).await;
    elder.collect().await;
    let younger = elder.reconnect().await;
    younger.add(5, "2026-01-10").await;

    younger.collect().await;

    let (elders, youngers) = (by_institution(&elder).await, by_institution(&younger).await);
    let expected: BTreeMap<_, _> = youngers
        .iter()
        .filter_map(|(name, id)| Some((id.clone(), json!({"link": elder.id, "id": elders.get(name)?}))))
        .collect();
    assert!(expected.len() > 100 && expected.len() == elders.len());
    assert_eq!(same_as(&stack, &younger).await, expected);
    assert!(same_as(&stack, &elder).await.is_empty(), "the elder's rows are the originals");
    younger.assert_equals_the_sandbox().await;

    let (id, twin) = expected.first_key_value().unwrap();
    let history = stack.get(&format!("/links/{}/transactions/{id}/history", younger.id)).await.body;
    assert_eq!(history["same_as"], *twin);
}

#[tokio::test]
async fn a_mark_survives_a_change_of_its_row_and_a_third_link_is_marked_with_the_first() {
    let stack = Stack::of_this_run().await;
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
    assert!(same_as(&stack, &third).await.values().all(|twin| twin["link"] == json!(first.id)));
}

#[tokio::test]
async fn two_real_equal_purchases_stay_two() {
    let stack = Stack::of_this_run().await;
    let link = stack.recurrent_link(40).await;
    let rows: Vec<_> = link.truth().await.into_values().collect();
    // The same account, day, amount and words; only the institution's ids differ.
    let equal = |field: &str| (field.to_owned(), rows[0][field].clone());
    let fields: serde_json::Map<_, _> =
        ["value_date", "amount", "local_currency_amount", "description", "type", "status"]
            .map(equal)
            .into_iter()
            .collect();
    for row in &rows[1..5] {
        link.amend(row["id"].as_str().unwrap(), Value::Object(fields.clone())).await;
    }
    link.collect().await;
    let again = link.reconnect().await;
    again.collect().await;

    link.assert_equals_the_sandbox().await;
    again.assert_equals_the_sandbox().await;
    let twins: Vec<_> = same_as(&stack, &again).await.into_values().map(|twin| twin["id"].to_string()).collect();
    let different: std::collections::BTreeSet<_> = twins.iter().collect();
    assert_eq!(different.len(), twins.len(), "each is the same as another one");
    assert!(same_as(&stack, &link).await.is_empty());
}

#[tokio::test]
async fn an_identification_that_an_account_has_twice_identifies_nothing() {
    let stack = Stack::of_this_run().await;
    let link = stack.recurrent_link(40).await;
    let rows: Vec<_> = link.truth().await.into_values().filter(|row| !row["account"].is_null()).collect();
    let twice = rows.iter().find(|row| row["id"] != rows[0]["id"] && row["account"]["id"] == rows[0]["account"]["id"]);
    let name = json!({"internal_identification": rows[0]["internal_identification"]});
    link.amend(twice.unwrap()["id"].as_str().unwrap(), name).await;
    link.collect().await;
    let again = link.reconnect().await;
    again.collect().await;

    let twins: Vec<_> = same_as(&stack, &again).await.into_values().map(|twin| twin["id"].clone()).collect();
    assert!(!twins.contains(&rows[0]["id"]) && !twins.contains(&twice.unwrap()["id"]));
    assert_eq!(twins.len(), rows.len() - 2);
}
