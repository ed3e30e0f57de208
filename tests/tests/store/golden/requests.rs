//! Items of requests: among them, they have every fact.

use domain::{
    AccountId, Collection, Days, Declared, Direction, Facts, Failure, GAVE_UP, RequestRecord,
    Resource, Retrieval, StoredTotals, Tally,
};
use shared::store::{Notified, Short};
use time::macros::date;

use super::{Store, at, january, link, request};

fn of(resource: &str) -> Retrieval {
    Retrieval::of(link(), Resource::by_name(resource).unwrap())
}

fn transactions() -> Retrieval {
    Retrieval {
        window: Some(january()),
        account: Some(AccountId::parse("1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e").unwrap()),
        ..of("transactions")
    }
}

fn received_invoices() -> Retrieval {
    Retrieval {
        window: Some(january()),
        direction: Some(Direction::Inflow),
        ..of("invoices")
    }
}

fn declared() -> Declared {
    Declared {
        total_transactions: Some(11),
        total_inflow_transactions: Some(4),
        total_outflow_transactions: Some(7),
        first_transaction_date: Some("2026-01-02".to_owned()),
        last_transaction_date: Some("2026-01-30".to_owned()),
    }
}

fn collection() -> Collection {
    let days = Days::between(date!(2026 - 01 - 01), date!(2026 - 01 - 31));
    Collection {
        started_at: at(3),
        finished_at: at(5),
        days,
        tally: Tally {
            pages: 2,
            rows: 12,
            counted: 13,
            new: 3,
            changed: 1,
            revived: 2,
            deleted: 5,
            unstored: 0,
            undated: 0,
        },
        proven: true,
        left_out: vec![],
        was_empty: false,
        unchanged: 6,
        accounts: 8,
        stored: Some(StoredTotals {
            days,
            transactions: 14,
            inflow: 9,
            outflow: 10,
            undated: 0,
            first_date: Some("2026-01-03".to_owned()),
            last_date: Some("2026-01-29".to_owned()),
        }),
    }
}

/// The same a day later.
fn late_collection() -> Collection {
    Collection {
        finished_at: at(1_445),
        ..collection()
    }
}

fn gave_up() -> Failure {
    Failure {
        code: GAVE_UP.to_owned(),
        message: "Belvo did not answer".to_owned(),
    }
}

/// The record that a golden item is read as, by its key and in the listings.
async fn read(name: &str) -> RequestRecord {
    let store = Store::holding(&[name]).await;
    let record = store.control.requests.get(&request()).await;
    let record = record.unwrap().unwrap();

    let listed = store.control.requests.of_link(&link(), None, 10).await;
    assert_eq!(listed.unwrap(), (vec![record.clone()], None), "{name}");
    let overdue = store.control.requests.overdue(at(10_000), 10).await;
    let is_due = record.facts().due_at.is_some();
    assert_eq!(overdue.unwrap().0.len(), usize::from(is_due), "{name}");
    record
}

#[tokio::test]
async fn a_collected_request_is_stored_as_before() {
    let store = Store::empty().await;
    let (requests, id) = (&store.control.requests, request());
    let issued = requests.issued(&id, &transactions(), at(1), at(31)).await;
    issued.unwrap();
    let notified = Notified {
        id: id.clone(),
        link: link(),
        resource: Resource::TRANSACTIONS,
        code: "historical_update".to_owned(),
        answered_by: None,
        declared: Some(declared()),
        at: at(2),
        due_at: at(32),
        is_known: true,
    };
    requests.notified(&notified).await.unwrap();
    requests.continued(&id, at(4)).await.unwrap();
    requests.collected(&id, &collection()).await.unwrap();
    store.assert_holds(&["request-collected"]);
}

#[tokio::test]
async fn a_request_of_an_unknown_link_is_stored_as_before() {
    let store = Store::empty().await;
    let notified = Notified {
        id: request(),
        link: link(),
        resource: Resource::TRANSACTIONS,
        code: "historical_update".to_owned(),
        answered_by: Some("a delivery".to_owned()),
        declared: None,
        at: at(2),
        due_at: at(32),
        is_known: false,
    };
    let requests = &store.control.requests;
    requests.notified(&notified).await.unwrap();
    store.assert_holds(&["request-unknown"]);
    requests.keep(&request()).await.unwrap();
    let record = requests.get(&request()).await.unwrap().unwrap();
    assert_eq!(record.expires_at, None);
}

#[tokio::test]
async fn a_stored_request_of_an_unknown_link_is_read() {
    let record = read("request-unknown").await;
    assert_eq!(record.answered_by.as_deref(), Some("a delivery"));
    let in_ninety_days = at(2 + 90 * 24 * 60).unix_seconds();
    assert_eq!(record.expires_at, Some(in_ninety_days));
}

#[tokio::test]
async fn a_stored_collected_request_is_read() {
    let record = read("request-collected").await;
    let facts = Facts {
        issued_at: Some(at(1)),
        notified_at: Some(at(2)),
        collecting_at: Some(at(4)),
        collected_at: Some(at(5)),
        ..Facts::default()
    };
    assert_eq!((&record.id, record.facts()), (&request(), facts));
    assert_eq!(record.retrieval, transactions());
    assert_eq!(record.webhook_code.as_deref(), Some("historical_update"));
    assert_eq!(record.declared, Some(declared()));
    assert_eq!(record.collection, Some(collection()));
    assert_eq!(record.failure, None);
}

#[tokio::test]
async fn a_request_that_is_due_is_stored_as_before() {
    let store = Store::empty().await;
    let (requests, invoices) = (&store.control.requests, received_invoices());
    let ready = requests.ready(&request(), &invoices, at(1), at(31)).await;
    ready.unwrap();
    store.assert_holds(&["request-ready"]);
}

#[tokio::test]
async fn a_stored_request_that_is_due_is_read() {
    let record = read("request-ready").await;
    let facts = Facts {
        ready_at: Some(at(1)),
        due_at: Some(at(31)),
        ..Facts::default()
    };
    assert_eq!(record.facts(), facts);
    assert_eq!(record.retrieval, received_invoices());
}

#[tokio::test]
async fn a_failed_request_is_stored_as_before() {
    let store = Store::empty().await;
    let (requests, statements) = (&store.control.requests, of("financial-statements"));
    let failed = requests
        .failed(&request(), &statements, &gave_up(), (at(2), true))
        .await;
    failed.unwrap();
    store.assert_holds(&["request-failed"]);
}

#[tokio::test]
async fn a_stored_failed_request_is_read() {
    let record = read("request-failed").await;
    let facts = Facts {
        failed_at: Some(at(2)),
        gave_up: true,
        ..Facts::default()
    };
    assert_eq!(record.facts(), facts);
    assert_eq!(record.retrieval, of("financial-statements"));
    assert_eq!(record.failure, Some(gave_up()));
}

#[tokio::test]
async fn an_incomplete_request_is_stored_as_before() {
    let store = Store::empty().await;
    let (requests, id) = (&store.control.requests, request());
    let ready = requests.ready(&id, &transactions(), at(1), at(31)).await;
    ready.unwrap();
    let short = Short {
        due_at: at(65),
        is_first: true,
    };
    requests.short(&id, &collection(), short).await.unwrap();
    requests.incomplete(&id, &late_collection()).await.unwrap();
    store.assert_holds(&["request-incomplete"]);
}

#[tokio::test]
async fn a_stored_incomplete_request_is_read() {
    let record = read("request-incomplete").await;
    let facts = Facts {
        ready_at: Some(at(1)),
        short_at: Some(at(5)),
        incomplete_at: Some(at(1_445)),
        ..Facts::default()
    };
    assert_eq!(record.facts(), facts);
    assert_eq!(record.collection, Some(late_collection()));
}

#[tokio::test]
async fn an_expired_request_is_stored_as_before() {
    let store = Store::empty().await;
    let (requests, id) = (&store.control.requests, request());
    let issued = requests
        .issued(&id, &of("employment-records"), at(1), at(31))
        .await;
    issued.unwrap();
    requests.expired(&id, at(1_440)).await.unwrap();
    store.assert_holds(&["request-expired"]);
}

#[tokio::test]
async fn a_stored_expired_request_is_read() {
    let record = read("request-expired").await;
    let facts = Facts {
        issued_at: Some(at(1)),
        expired_at: Some(at(1_440)),
        ..Facts::default()
    };
    assert_eq!(record.facts(), facts);
    assert_eq!(record.retrieval, of("employment-records"));
}
