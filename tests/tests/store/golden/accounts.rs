//! Items of accounts, of their balances, and of which links hold them.

use std::slice;

use domain::{Account, Balance, Holder};
use serde_json::json;

use super::{Store, at, link, request, seen};

fn account() -> Account {
    let account = json!({
        "id": "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e",
        "internal_identification": "00001234-5",
        "institution": {"name": "ofmockbank_br_retail", "type": "bank"},
        "collected_at": "2026-01-16T08:45:50.406032Z",
        "balance": {"current": 5874.13, "available": 5621.12, "blocked": null},
        "name": "Conta corrente",
        "currency": "BRL",
    });
    let row = json!({"id": "row", "account": account});
    test_harness::taken_apart(&row).1.unwrap()
}

fn balance() -> Balance {
    Balance {
        collected_at: Some("2026-01-16T08:45:50.406032Z".to_owned()),
        observed_at: at(0),
        request: Some(request()),
        balance: account().document()["balance"].clone(),
    }
}

#[tokio::test]
async fn an_account_and_its_balance_are_stored_as_before() {
    let store = Store::empty().await;
    let (accounts, account) = (store.transactions.accounts(), account());
    let put = accounts
        .put(&link(), slice::from_ref(&account), &seen(0))
        .await;
    put.unwrap();
    store.assert_holds(&["account", "balance"]);
}

#[tokio::test]
async fn a_stored_account_and_its_balance_are_read() {
    let store = Store::holding(&["account", "balance"]).await;
    let (accounts, account) = (store.transactions.accounts(), account());
    let stored = accounts.of(&link()).await.unwrap();
    assert_eq!(stored, slice::from_ref(&account));

    let known = accounts.known(&link()).await.unwrap();
    assert_eq!(known[account.id()].digest, account.digest());
    let balances = accounts.balances(&link(), account.id(), None, 10).await;
    assert_eq!(balances.unwrap(), (vec![balance()], None));
}

#[tokio::test]
async fn the_note_that_a_link_holds_an_account_is_stored_as_before() {
    let store = Store::empty().await;
    let (accounts, account) = (store.transactions.accounts(), account());
    accounts.hold(&link(), &account, at(0)).await.unwrap();
    store.assert_holds(&["account-holder"]);
}

#[tokio::test]
async fn a_stored_note_that_a_link_holds_an_account_is_read() {
    let store = Store::holding(&["account-holder"]).await;
    let (accounts, account) = (store.transactions.accounts(), account());
    let holder = Holder {
        since: at(0),
        link: link(),
        account: account.id().clone(),
    };
    assert_eq!(accounts.holders(&account).await.unwrap(), [holder]);
}
