//! Rows that change, disappear and reappear, and the history kept of them.

use serde_json::{Value, json};
use test_harness::{Link, Stack, days_ago};

#[tokio::test]
async fn a_row_that_belvo_no_longer_returns_is_no_longer_listed() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    link.collect().await;
    let deleted = link.newest().await;
    link.delete(&deleted).await;

    let record = link.collect().await;

    assert_eq!(
        (
            &record["collection"]["deleted"],
            &record["collection"]["rows"]
        ),
        (&json!(1), &json!(29))
    );
    link.assert_equals_the_sandbox().await;
    let last = history(&stack, &link, &deleted).await.pop().unwrap();
    assert_eq!(
        (&last["deleted"], &last["deleted_by"]),
        (&json!(true), &record["id"])
    );

    assert_eq!(
        link.collect().await["collection"]["deleted"],
        0,
        "a tombstone is counted once"
    );
}

#[tokio::test]
async fn a_row_that_returns_is_listed_again() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    link.collect().await;
    let id = link.newest().await;
    link.delete(&id).await;
    assert_eq!(link.collect().await["collection"]["deleted"], 1);
    assert!(!link.stored().await.contains_key(&id));

    link.restore(&id).await;
    let record = link.collect().await;

    assert_eq!(
        (
            &record["collection"]["revived"],
            &record["collection"]["changed"]
        ),
        (&json!(1), &json!(0))
    );
    link.assert_equals_the_sandbox().await;
    let deleted: Vec<_> = history(&stack, &link, &id)
        .await
        .iter()
        .map(|version| version["deleted"].clone())
        .collect();
    assert_eq!(deleted, [json!(true), json!(false)]);
}

#[tokio::test]
async fn a_row_that_moves_into_another_window_is_changed_and_keeps_its_history() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    link.collect().await;
    let rows = link.truth().await;
    let (id, row) = rows
        .iter()
        .min_by_key(|(_, row)| row["value_date"].to_string())
        .unwrap();
    let today = days_ago(0);
    link.amend(id, json!({"value_date": today})).await;

    // A window in which the store had not seen that row.
    let request = stack.request(&link.days(0, 0)).await.body["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let record = stack.request_with_status(&request, "collected").await;

    assert_eq!(record["collection"]["changed"], 1);
    let versions = history(&stack, &link, id).await;
    let days: Vec<_> = versions
        .iter()
        .map(|version| &version["transaction"]["value_date"])
        .collect();
    assert_eq!(days, [&row["value_date"], &json!(today)]);
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn an_incomplete_fetch_deletes_nothing() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    link.collect().await;
    link.misbehave(json!({"on": "get", "action": {"lose_rows": 3}}))
        .await;

    let record = link.retrieve_until("short").await;

    assert_eq!(
        (&record["verdict"], &record["collection"]["deleted"]),
        (&json!("short by 3"), &json!(0))
    );
    assert_eq!(link.stored().await.len(), 40);
}

#[tokio::test]
async fn an_empty_answer_deletes_nothing() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(30).await;
    link.collect().await;
    link.misbehave(json!({"on": "get", "times": 1, "action": {"empty": true}}))
        .await;

    assert_eq!(link.collect().await["collection"]["rows"], 0);

    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn a_fetch_of_one_account_deletes_nothing_of_another() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(60).await;
    link.collect().await;
    let account = link
        .truth()
        .await
        .values()
        .find_map(|row| row["account"]["id"].as_str().map(str::to_owned))
        .unwrap();

    let mut body = link.last_year();
    body["account"] = json!(account);
    let id = stack.request(&body).await.body["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let record = stack.request_with_status(&id, "collected").await;

    assert!(record["collection"]["rows"].as_u64() < Some(60), "{record}");
    assert_eq!(record["collection"]["deleted"], 0);
    link.assert_equals_the_sandbox().await;
}

#[tokio::test]
async fn every_change_is_kept_with_the_request_that_showed_it_and_what_differed() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(20).await;
    let first = link.collect().await;
    let id = link.truth().await.keys().next().unwrap().clone();
    let mut requests = vec![first["id"].clone()];
    for description in ["second", "third"] {
        link.amend(
            &id,
            json!({"description": description, "observations": description}),
        )
        .await;
        requests.push(link.collect().await["id"].clone());
    }

    let versions = history(&stack, &link, &id).await;

    let observed_by: Vec<_> = versions
        .iter()
        .map(|version| version["observed_by"].clone())
        .collect();
    assert_eq!(observed_by, requests);
    assert_eq!(versions[0]["differs_in"], json!([]));
    assert_eq!(
        versions[2]["differs_in"],
        json!(["collected_at", "description", "observations"])
    );
    assert_eq!(versions[1]["transaction"]["description"], "second");
    assert_eq!(
        (&versions[0]["until"], &versions[1]["until"]),
        (&versions[1]["observed_at"], &versions[2]["observed_at"])
    );
    assert_eq!(versions[2]["until"], Value::Null);
}

#[tokio::test]
async fn the_rows_known_at_an_instant_can_be_queried() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(40).await;
    let mut known = Vec::new();
    for round in 0..4 {
        let ids: Vec<_> = link.truth().await.into_keys().collect();
        match round {
            1 => {
                link.amend(
                    &ids[0],
                    json!({"description": "amended", "value_date": days_ago(300)}),
                )
                .await;
            }
            2 => {
                link.delete(&link.newest().await).await;
                link.amend(&ids[0], json!({"description": "amended again"}))
                    .await;
            }
            3 => {
                let added = stack.sandbox.add_rows(&link.id, 3, None).await;
                assert_eq!(added.unwrap().len(), 3);
            }
            _ => {}
        }
        let record = link.collect().await;
        known.push((
            record["collected_at"].as_str().unwrap().to_owned(),
            link.truth().await,
        ));
    }

    for (instant, rows) in known {
        let pages = link.stored_pages(&format!("limit=7&as_of={instant}")).await;
        assert!(pages.iter().all(|page| page.len() <= 7));
        let stored = test_harness::by_id(&pages.concat());
        assert_eq!(
            stored.keys().collect::<Vec<_>>(),
            rows.keys().collect::<Vec<_>>(),
            "{instant}"
        );
        for (id, row) in &rows {
            assert_eq!(
                test_harness::difference(row, &stored[id]),
                None,
                "{id} as of {instant}"
            );
        }
    }
    assert!(
        link.stored_pages("as_of=2001-01-01")
            .await
            .concat()
            .is_empty()
    );
}

#[tokio::test]
async fn the_history_of_a_row_that_was_never_stored_is_not_found() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(0).await;
    let path = format!(
        "/links/{}/transactions/{}/history",
        link.id,
        uuid::Uuid::new_v4()
    );
    assert_eq!(stack.get(&path).await.status, 404);
}

async fn history(stack: &Stack, link: &Link<'_>, id: &str) -> Vec<Value> {
    let answer = stack
        .get(&format!("/links/{}/transactions/{id}/history", link.id))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["versions"].as_array().unwrap().clone()
}
