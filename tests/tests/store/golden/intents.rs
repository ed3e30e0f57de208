//! Items of intents.

use domain::{AccountId, Direction, Resource, Retrieval, Unconfirmed};
use shared::store::IntentOutcome;

use super::{Store, at, january, link, request};

fn transactions() -> Retrieval {
    Retrieval {
        window: Some(january()),
        account: Some(AccountId::parse("1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e").unwrap()),
        ..Retrieval::of(link(), Resource::TRANSACTIONS)
    }
}

fn sent_invoices() -> Retrieval {
    Retrieval {
        window: Some(january()),
        direction: Some(Direction::Outflow),
        ..Retrieval::of(link(), Resource::by_name("invoices").unwrap())
    }
}

fn employments() -> Retrieval {
    Retrieval::of(link(), Resource::by_name("employments").unwrap())
}

/// What an identical retrieval gets ten minutes after a golden intent whose request, if it has one,
/// has failed.
async fn outcome(intent: &str, retrieval: &Retrieval) -> IntentOutcome {
    let store = Store::holding(&[intent, "request-failed"]).await;
    let begun = store.control.intents.begin(retrieval, at(10)).await;
    begun.unwrap()
}

#[tokio::test]
async fn an_open_intent_is_stored_as_before() {
    let store = Store::empty().await;
    let begun = store.control.intents.begin(&transactions(), at(0)).await;
    begun.unwrap();
    store.assert_holds(&["intent-open"]);
}

#[tokio::test]
async fn a_stored_open_intent_is_unconfirmed() {
    let store = Store::holding(&["intent-open"]).await;
    let unconfirmed = store.control.intents.unconfirmed(&link()).await.unwrap();
    let expected = Unconfirmed {
        retrieval: transactions(),
        since: at(0),
        unanswered_at: None,
    };
    assert_eq!(unconfirmed, [expected]);

    let outcome = outcome("intent-open", &transactions()).await;
    assert_eq!(outcome, IntentOutcome::Unknown { until: at(30) });
}

#[tokio::test]
async fn an_unanswered_intent_is_stored_as_before() {
    let store = Store::empty().await;
    let (intents, transactions) = (&store.control.intents, transactions());
    intents.begin(&transactions, at(0)).await.unwrap();
    let unanswered = intents.unanswered(&transactions, at(0), at(1)).await;
    unanswered.unwrap();
    store.assert_holds(&["intent-unanswered"]);
}

#[tokio::test]
async fn a_stored_unanswered_intent_is_unknown_at_once() {
    let store = Store::holding(&["intent-unanswered"]).await;
    let unconfirmed = store.control.intents.unconfirmed(&link()).await.unwrap();
    let expected = Unconfirmed {
        retrieval: transactions(),
        since: at(0),
        unanswered_at: Some(at(1)),
    };
    assert_eq!(unconfirmed, [expected]);
    let begun = store.control.intents.begin(&transactions(), at(0)).await;
    assert_eq!(begun.unwrap(), IntentOutcome::Unknown { until: at(30) });
}

#[tokio::test]
async fn a_settled_intent_is_stored_as_before() {
    let store = Store::empty().await;
    let (intents, invoices) = (&store.control.intents, sent_invoices());
    intents.begin(&invoices, at(0)).await.unwrap();
    intents.settle(&invoices, &request()).await.unwrap();
    store.assert_holds(&["intent-settled"]);
}

#[tokio::test]
async fn a_stored_settled_intent_ends_with_its_request() {
    let store = Store::holding(&["intent-settled"]).await;
    let begun = store.control.intents.begin(&sent_invoices(), at(10)).await;
    assert_eq!(begun.unwrap(), IntentOutcome::InFlight(request()));

    let outcome = outcome("intent-settled", &sent_invoices()).await;
    assert_eq!(outcome, IntentOutcome::Begun);
}

#[tokio::test]
async fn a_claimed_intent_is_stored_as_before() {
    let store = Store::empty().await;
    let (intents, employments) = (&store.control.intents, employments());
    intents.begin(&employments, at(0)).await.unwrap();
    let claimed = intents
        .claim(&link(), employments.resource, &request(), at(5))
        .await;
    claimed.unwrap();
    store.assert_holds(&["intent-claimed"]);
}

#[tokio::test]
async fn a_stored_claimed_intent_ends_with_its_request() {
    let outcome = outcome("intent-claimed", &employments()).await;
    assert_eq!(outcome, IntentOutcome::Begun);
}
