//! Accounts, and the history of their balances.

use serde_json::{Value, json};
use test_harness::{Link, Stack, difference, eventually};

async fn balances(stack: &Stack, link: &Link<'_>, account: &str, parameters: &str) -> Value {
    let answer = stack
        .get(&format!(
            "/links/{}/accounts/{account}/balances{parameters}",
            link.id
        ))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[tokio::test]
async fn each_collection_adds_the_balances_that_belvo_read_since_the_last() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(60).await;
    let first = link.collect().await;
    let accounts = stack
        .get(&format!("/links/{}/accounts", link.id))
        .await
        .body;
    let account = accounts["accounts"][0].clone();
    let id = account["id"].as_str().unwrap();

    let balance = json!({"balance": {"current": 1_234_567.89}});
    let changed = stack.sandbox.patch_account(&link.id, id, balance).await;
    changed.unwrap();
    let second = link.collect().await;
    link.collect().await;

    let history = balances(&stack, &link, id, "").await;
    let [newest, oldest] = history["balances"].as_array().unwrap().as_slice() else {
        panic!("{history}")
    };
    assert_eq!(newest["balance"]["current"].to_string(), "1234567.89");
    assert_eq!(
        (&newest["observed_by"], &oldest["observed_by"]),
        (&second["id"], &first["id"])
    );
    assert_eq!(difference(&oldest["balance"], &account["balance"]), None);
    assert_eq!(oldest["collected_at"], account["collected_at"]);
    assert!(oldest["collected_at"].as_str() < newest["collected_at"].as_str());

    let page = balances(&stack, &link, id, "?limit=1").await;
    assert_eq!(page["balances"][0], *newest);
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = balances(&stack, &link, id, &format!("?limit=1&cursor={cursor}")).await;
    assert_eq!(page["balances"], json!([oldest]));
}

#[tokio::test]
async fn a_new_account_without_a_movement_is_listed_once_belvo_announces_it() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(60).await;
    link.collect().await;
    let opened = stack.sandbox.open_accounts(&link.id, 1).await.unwrap();
    let id = opened[0].as_str();

    let news = json!({"webhook_type": "ACCOUNTS", "webhook_code": "new_accounts_available"});
    link.notify(news).await;

    let listed = eventually("the new account", || async {
        let answer = stack.get(&format!("/links/{}/accounts", link.id)).await;
        let accounts = answer.body["accounts"].as_array()?.clone();
        accounts.into_iter().find(|account| account["id"] == id)
    })
    .await;
    let truth = stack.sandbox.accounts(&link.id).await.unwrap();
    let truth = truth.last().unwrap();
    assert_eq!(difference(&listed, truth), None);
    let history = balances(&stack, &link, id, "").await;
    let [only] = history["balances"].as_array().unwrap().as_slice() else {
        panic!("{history}")
    };
    assert_eq!(difference(&only["balance"], &truth["balance"]), None);
    assert_eq!(only["collected_at"], truth["collected_at"]);
}

#[tokio::test]
async fn an_account_that_did_not_change_is_not_written_again() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(60).await;
    link.collect().await;
    let before = link.written_at().await;
    assert!(
        before.keys().any(|item| item.starts_with("B#"))
            && before.keys().any(|item| item.starts_with("A#"))
    );

    link.collect().await;

    assert_eq!(link.written_at().await, before);
}

#[tokio::test]
async fn a_malformed_account_id_is_named() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(0).await;
    let answer = stack
        .get(&format!("/links/{}/accounts/a%20b/balances", link.id))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["field"]),
        (400, &json!("account"))
    );
    assert_eq!(
        balances(&stack, &link, &uuid::Uuid::nil().to_string(), "").await,
        json!({"balances": [], "next_cursor": null})
    );
}
