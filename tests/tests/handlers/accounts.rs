//! Accounts, which are read from their own listing too: those without a movement are in no row.

use std::{collections::BTreeMap, time::Duration};

use domain::{AccountId, Days, LinkId, RequestId, Resource, Status, Verdict};
use serde_json::{Value, json};
use shared::store::Accounts;

use crate::{
    archive::outcomes,
    worker::{AMPLE, Worker, id, webhook},
};

/// A webhook about a link's accounts.
fn about_accounts(link: &str, code: &str) -> Value {
    let mut body = webhook(link, code, None);
    body["webhook_type"] = json!("ACCOUNTS");
    body
}

/// Opens accounts without a movement, and returns their ids.
async fn open(worker: &Worker, link: &str, count: usize) -> Vec<String> {
    let sandbox = &worker.here.sandbox;
    sandbox.open_accounts(link, count).await.unwrap()
}

/// Has the function process a webhook and everything that follows from it.
async fn process(worker: &Worker, webhook: Value) {
    worker.enqueue(&webhook).await;
    worker.process_everything().await;
}

/// Makes the listing of accounts fail once, or lack an id once.
async fn misbehave_once(worker: &Worker, action: Value) {
    let rule = json!({"on": "accounts", "times": 1, "action": action});
    worker.here.sandbox.rule(rule).await.unwrap();
}

/// How often Belvo was asked for accounts.
async fn account_gets(worker: &Worker) -> u64 {
    let counters = worker.here.sandbox.counters().await.unwrap();
    counters["account_gets"].as_u64().unwrap()
}

fn store(worker: &Worker) -> Accounts {
    worker.app.transactions.accounts()
}

/// The stored accounts of a link, by id.
async fn stored(worker: &Worker, link: &str) -> BTreeMap<String, Value> {
    let link = LinkId::parse(link).unwrap();
    let accounts = store(worker).of(&link).await.unwrap();
    let accounts = accounts.iter();
    accounts
        .map(|account| (account.id().to_string(), json!(account.document())))
        .collect()
}

/// The balances that are stored of an account, newest first.
async fn balances(worker: &Worker, link: &str, account: &str) -> Vec<Value> {
    let (link, account) = (LinkId::parse(link), AccountId::parse(account));
    let (link, account) = (link.unwrap(), account.unwrap());
    let history = store(worker).balances(&link, &account, None, 100).await;
    let (balances, _) = history.unwrap();
    balances.into_iter().map(|known| known.balance).collect()
}

/// Asserts that every account of the link is stored as Belvo has it, with its balance.
async fn assert_all_stored(worker: &Worker, link: &str) {
    let (truth, stored) = (
        worker.here.sandbox.accounts(link).await.unwrap(),
        stored(worker, link).await,
    );
    assert_eq!(stored.len(), truth.len());
    for account in &truth {
        let id = account["id"].as_str().unwrap();
        assert_eq!(test_harness::difference(account, &stored[id]), None, "{id}");
        let newest = balances(worker, link, id).await.remove(0);
        let difference = test_harness::difference(&account["balance"], &newest);
        assert_eq!(difference, None, "the balance of {id}");
    }
}

#[tokio::test]
async fn an_account_without_a_movement_is_listed_with_its_balance_after_a_whole_collection() {
    let worker = Worker::new().await;
    let link = worker.link(60).await;
    let idle = open(&worker, &link, 1).await.remove(0);

    process(&worker, webhook(&link, "historical_update", None)).await;

    assert_all_stored(&worker, &link).await;
    assert_eq!(balances(&worker, &link, &idle).await.len(), 1);
    assert_eq!(account_gets(&worker).await, 1);
}

#[tokio::test]
async fn a_webhook_about_accounts_alone_brings_them_all() {
    let worker = Worker::new().await;
    let link = worker.link(60).await;
    for (code, count) in [("historical_update", 3), ("new_accounts_available", 5)] {
        process(&worker, about_accounts(&link, code)).await;

        assert_all_stored(&worker, &link).await;
        assert_eq!(stored(&worker, &link).await.len(), count, "{code}");
        open(&worker, &link, 2).await;
    }
    assert_eq!(account_gets(&worker).await, 2);
    assert_eq!(
        worker.here.sandbox.counters().await.unwrap()["gets"],
        0,
        "no row is read"
    );
    assert_eq!(outcomes(&worker, &link).await, ["noted"; 2]);
}

#[tokio::test]
async fn every_page_of_the_accounts_is_read() {
    let worker = Worker::with_pages_of(2).await;
    let link = worker.link(0).await;
    open(&worker, &link, 2).await;

    process(&worker, about_accounts(&link, "historical_update")).await;

    assert_all_stored(&worker, &link).await;
    assert_eq!(account_gets(&worker).await, 3, "five accounts");
}

#[tokio::test]
async fn of_a_listing_and_rows_the_account_that_was_collected_later_wins() {
    let worker = Worker::new().await;
    let link = worker.link(60).await;
    process(&worker, webhook(&link, "historical_update", None)).await;
    let rows = worker.here.sandbox.rows(&link).await.unwrap();
    let row = rows.iter().find(|row| !row["account"].is_null()).unwrap();
    let id = row["account"]["id"].as_str().unwrap();
    let early = "2020-01-01T00:00:00Z";
    let late = "2090-01-01T00:00:00Z";
    let cases = [
        // Newer in the listing than stored from rows.
        ("ACCOUNTS", 1, None, 1),
        // Older in the listing.
        ("ACCOUNTS", 2, Some(early), 1),
        // Newer in the rows, which are read without the listing.
        ("TRANSACTIONS", 3, Some(late), 3),
        ("TRANSACTIONS", 4, Some(early), 3),
    ];
    for (kind, current, collected_at, wins) in cases {
        let mut change = json!({"balance": {"current": current}});
        if let Some(at) = collected_at {
            change["collected_at"] = json!(at);
        }
        let sandbox = &worker.here.sandbox;
        sandbox.patch_account(&link, id, change).await.unwrap();
        let mut news = webhook(&link, "new_transactions_available", None);
        news["webhook_type"] = json!(kind);
        process(&worker, news).await;

        let account = &stored(&worker, &link).await[id];
        let balance = account["balance"]["current"].as_u64();
        assert_eq!(balance, Some(wins), "{kind} with {current}");
    }
}

#[tokio::test]
async fn a_collection_of_few_days_does_not_ask_for_accounts() {
    let worker = Worker::new().await;
    let link = worker.link(60).await;
    process(&worker, webhook(&link, "historical_update", None)).await;
    assert_eq!(account_gets(&worker).await, 1);

    process(&worker, webhook(&link, "new_transactions_available", None)).await;
    let id = id();
    worker.issue(&link, &id, 0).await;
    process(&worker, webhook(&link, "historical_update", Some(&id))).await;

    assert_eq!(worker.record(&id).await.status(), Status::Collected);
    assert_eq!(account_gets(&worker).await, 1);
}

#[tokio::test]
async fn a_collection_in_several_invocations_asks_for_accounts_once() {
    let mut worker = Worker::with_pages_of(100).await;
    worker.app.retry_policy.longest_wait = Duration::ZERO;
    let link = worker.link(400).await;
    let error = json!({"error": {"code": "unexpected_error"}});
    let rule = json!({"on": "get", "skip": 5, "times": 1, "action": error});
    worker.here.sandbox.rule(rule).await.unwrap();

    let webhook = webhook(&link, "historical_update", None);
    worker.enqueue(&webhook).await;

    assert_eq!(worker.process_everything().await, 2);
    assert_all_stored(&worker, &link).await;
    assert_eq!(account_gets(&worker).await, 1);
}

#[tokio::test]
async fn a_refresh_that_turns_out_to_need_all_days_brings_the_accounts_too() {
    let worker = Worker::new().await;
    let link = worker.link(60).await;
    process(&worker, webhook(&link, "historical_update", None)).await;
    let oldest = worker
        .here
        .sandbox
        .rows(&link)
        .await
        .unwrap()
        .pop()
        .unwrap();
    let (sandbox, day) = (&worker.here.sandbox, oldest["value_date"].as_str());
    sandbox.add_rows(&link, 1, day).await.unwrap();
    open(&worker, &link, 1).await;

    process(&worker, webhook(&link, "new_transactions_available", None)).await;

    assert_all_stored(&worker, &link).await;
    assert_eq!(account_gets(&worker).await, 2);
}

#[tokio::test]
async fn a_malformed_account_stops_nothing() {
    let worker = Worker::new().await;
    let link = worker.link(60).await;
    open(&worker, &link, 1).await;
    misbehave_once(&worker, json!({"without_id": true})).await;
    process(&worker, about_accounts(&link, "historical_update")).await;
    assert_eq!(stored(&worker, &link).await.len(), 3, "all but the first");

    misbehave_once(&worker, json!({"without_id": true})).await;
    let id = id();
    process(&worker, webhook(&link, "historical_update", Some(&id))).await;

    let record = worker.record(&id).await;
    assert_eq!(record.verdict(), Some(Verdict::Complete));
    assert_all_stored(&worker, &link).await;
    assert!(worker.dead_letters().await.is_empty());
}

#[tokio::test]
async fn rows_are_collected_although_belvo_refuses_to_list_accounts() {
    let worker = Worker::new().await;
    let link = worker.link(60).await;
    let refused = json!({"error": {"code": "invalid_link"}});
    misbehave_once(&worker, refused.clone()).await;
    let id = id();

    process(&worker, webhook(&link, "historical_update", Some(&id))).await;

    let record = worker.record(&id).await;
    assert_eq!(record.verdict(), Some(Verdict::Complete));
    misbehave_once(&worker, refused).await;
    process(&worker, about_accounts(&link, "historical_update")).await;
    assert!(worker.dead_letters().await.is_empty());
    assert_eq!(account_gets(&worker).await, 2);
}

#[tokio::test]
async fn a_listing_of_accounts_that_fails_is_read_again_and_no_row_with_it() {
    let mut worker = Worker::new().await;
    worker.app.retry_policy.longest_wait = Duration::ZERO;
    let link = worker.link(60).await;
    let failure = json!({"error": {"code": "unexpected_error"}});
    misbehave_once(&worker, failure.clone()).await;
    let id = id();

    process(&worker, webhook(&link, "historical_update", Some(&id))).await;

    let record = worker.record(&id).await;
    assert_eq!(record.verdict(), Some(Verdict::Complete));
    assert_all_stored(&worker, &link).await;
    let counters = worker.here.sandbox.counters().await.unwrap();
    assert_eq!(
        (&counters["gets"], &counters["account_gets"]),
        (&json!(1), &json!(2))
    );

    misbehave_once(&worker, failure).await;
    let webhook = about_accounts(&link, "historical_update");
    worker.enqueue(&webhook).await;
    let failed = worker.invoke(worker.waiting().await, AMPLE).await;
    assert_eq!(failed.len(), 1, "it is retried");
    assert!(worker.invoke(failed, AMPLE).await.is_empty());
    assert_eq!(account_gets(&worker).await, 4);
}

#[tokio::test]
async fn a_webhook_about_accounts_neither_opens_nor_ends_a_request() {
    let worker = Worker::new().await;
    let link = worker.link(60).await;
    let (ours, theirs) = (id(), id());
    worker.issue(&link, &ours, 0).await;

    for id in [&ours, &theirs] {
        let mut webhook = about_accounts(&link, "historical_update");
        webhook["request_id"] = json!(id);
        process(&worker, webhook).await;
    }

    let record = worker.record(&ours).await;
    assert_eq!(
        (record.status(), record.facts().notified_at),
        (Status::Issued, None)
    );
    let theirs = RequestId::parse(&theirs).unwrap();
    let opened = worker.app.control.requests.get(&theirs).await.unwrap();
    assert!(opened.is_none());
}

#[tokio::test]
async fn a_failure_to_read_accounts_asks_for_none() {
    let worker = Worker::new().await;
    let link = worker.link(60).await;
    let mut failed = about_accounts(&link, "historical_update");
    failed["data"] = json!({"errors": [{"code": "login_error", "message": "Invalid"}]});

    process(&worker, failed).await;

    assert_eq!(account_gets(&worker).await, 0);
}

/// The younger link holds the accounts before it has a row.
#[tokio::test]
async fn duplicates_are_marked_although_the_accounts_came_before_the_rows() {
    // A reconnected link has the same id in every run.
    let worker = Worker::with_own_tables().await;
    let older = worker.link(60).await;
    process(&worker, webhook(&older, "historical_update", None)).await;
    let younger = &worker.here.sandbox.reconnect(&older).await.unwrap();

    process(&worker, about_accounts(younger, "historical_update")).await;
    process(&worker, webhook(younger, "historical_update", None)).await;

    let rows = worker.app.transactions.rows(Resource::TRANSACTIONS);
    let link = LinkId::parse(younger).unwrap();
    let mut marked = 0;
    for account in store(&worker).of(&link).await.unwrap() {
        let candidates = rows
            .candidates(&link, account.id(), Days::ALL)
            .await
            .unwrap();
        for candidate in candidates.into_values() {
            let original = candidate.duplicate_of.expect("a mark");
            assert_eq!(original.link.as_str(), older);
            marked += 1;
        }
    }
    let with_account = |row: &&Value| !row["account"].is_null();
    let rows = worker.here.sandbox.rows(younger).await.unwrap();
    assert_eq!(marked, rows.iter().filter(with_account).count());
}
