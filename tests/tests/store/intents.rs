//! Intents (the right to send a retrieval) and idempotency keys.

use std::collections::BTreeSet;

use domain::{
    AccountId, Direction, Failure, RequestId, Resource, Retrieval, Status, Timestamp, Window,
};
use futures::future::join_all;
use serde_json::json;
use shared::store::{IntentOutcome, KeyState, Notified};
use time::macros::date;

use crate::databases::{Tables, both};

fn at(minute: i64) -> Timestamp {
    Timestamp::parse("2026-03-01T00:00:00Z")
        .unwrap()
        .plus_seconds(minute * 60)
}

fn retrieval(tables: &Tables, from: &str) -> Retrieval {
    Retrieval {
        resource: Resource::TRANSACTIONS,
        link: tables.link.clone(),
        window: Some(Window::parse(from, "2026-01-31", date!(2026 - 03 - 01)).unwrap()),
        account: None,
        direction: None,
    }
}

async fn begin(tables: &Tables, retrieval: &Retrieval, minute: i64) -> IntentOutcome {
    let begun = tables.control.intents.begin(retrieval, at(minute)).await;
    begun.unwrap()
}

#[tokio::test]
async fn of_identical_concurrent_intents_one_begins() {
    for tables in both().await {
        let intended = retrieval(&tables, "2026-01-01");
        let outcomes =
            join_all((0..8).map(|_| tables.control.intents.begin(&intended, at(0)))).await;
        let begun = outcomes
            .into_iter()
            .filter(|outcome| *outcome.as_ref().unwrap() == IntentOutcome::Begun)
            .count();
        assert_eq!(begun, 1, "{}", tables.name);
        let other = retrieval(&tables, "2026-01-02");
        assert_eq!(begin(&tables, &other, 0).await, IntentOutcome::Begun);
    }
}

#[tokio::test]
async fn an_intent_is_one_request_until_that_has_ended() {
    for tables in both().await {
        let (intended, id) = (retrieval(&tables, "2026-01-01"), RequestId::random());
        begin(&tables, &intended, 0).await;
        assert_eq!(
            begin(&tables, &intended, 0).await,
            IntentOutcome::Sending,
            "{}",
            tables.name
        );
        tables.control.intents.settle(&intended, &id).await.unwrap();
        let notified = Notified {
            id: id.clone(),
            link: tables.link.clone(),
            resource: Resource::TRANSACTIONS,
            code: "historical_update".to_owned(),
            answered_by: None,
            declared: None,
            at: at(1),
            due_at: at(31),
            is_known: true,
        };
        tables.control.requests.notified(&notified).await.unwrap();
        assert_eq!(
            begin(&tables, &intended, 60).await,
            IntentOutcome::InFlight(id.clone())
        );

        let failure = Failure {
            code: "login_error".to_owned(),
            message: String::new(),
        };
        tables
            .control
            .requests
            .failed(&id, &intended, &failure, (at(61), true))
            .await
            .unwrap();

        assert_eq!(begin(&tables, &intended, 62).await, IntentOutcome::Begun);
    }
}

#[tokio::test]
async fn an_unanswered_intent_is_unknown_until_it_expires() {
    for tables in both().await {
        let intended = retrieval(&tables, "2026-01-01");
        begin(&tables, &intended, 0).await;
        let unknown = IntentOutcome::Unknown { until: at(30) };
        assert_eq!(
            begin(&tables, &intended, 2).await,
            unknown,
            "{}",
            tables.name
        );
        assert_eq!(begin(&tables, &intended, 29).await, unknown);
        assert_eq!(begin(&tables, &intended, 30).await, IntentOutcome::Begun);
        assert_eq!(
            begin(&tables, &intended, 30).await,
            IntentOutcome::Sending,
            "and that is a new one"
        );
    }
}

#[tokio::test]
async fn a_withdrawn_intent_may_begin_again_and_only_its_own_is_withdrawn() {
    for tables in both().await {
        let intended = retrieval(&tables, "2026-01-01");
        begin(&tables, &intended, 0).await;
        tables
            .control
            .intents
            .withdraw(&intended, at(5))
            .await
            .unwrap();
        assert_eq!(
            begin(&tables, &intended, 0).await,
            IntentOutcome::Sending,
            "{}",
            tables.name
        );
        tables
            .control
            .intents
            .withdraw(&intended, at(0))
            .await
            .unwrap();
        assert_eq!(begin(&tables, &intended, 0).await, IntentOutcome::Begun);
    }
}

#[tokio::test]
async fn an_intent_is_unknown_at_once_if_its_sending_ended_without_an_answer() {
    for tables in both().await {
        let intended = retrieval(&tables, "2026-01-01");
        begin(&tables, &intended, 0).await;
        let intents = &tables.control.intents;
        intents.unanswered(&intended, at(9), at(9)).await.unwrap();
        let another = begin(&tables, &intended, 0).await;
        assert_eq!(another, IntentOutcome::Sending, "{}", tables.name);

        intents.unanswered(&intended, at(0), at(0)).await.unwrap();
        let unknown = IntentOutcome::Unknown { until: at(30) };
        assert_eq!(begin(&tables, &intended, 0).await, unknown);
        assert_eq!(begin(&tables, &intended, 30).await, IntentOutcome::Begun);
        let new = begin(&tables, &intended, 30).await;
        assert_eq!(new, IntentOutcome::Sending, "the new one is being sent");
    }
}

async fn claim(tables: &Tables, resource: Resource, id: &RequestId, minute: i64) {
    let intents = &tables.control.intents;
    let claimed = intents.claim(&tables.link, resource, id, at(minute)).await;
    claimed.unwrap();
}

async fn fail(tables: &Tables, retrieval: &Retrieval, id: &RequestId, minute: i64) {
    let failure = Failure {
        code: "login_error".to_owned(),
        message: String::new(),
    };
    let requests = &tables.control.requests;
    let failed = requests
        .failed(id, retrieval, &failure, (at(minute), true))
        .await;
    failed.unwrap();
}

#[tokio::test]
async fn a_webhook_claims_the_one_intent_without_an_answer_and_frees_an_equal_one_when_it_ends() {
    for tables in both().await {
        let (intended, id) = (retrieval(&tables, "2026-01-01"), RequestId::random());
        begin(&tables, &intended, 0).await;
        claim(&tables, Resource::TRANSACTIONS, &id, 0).await;
        fail(&tables, &intended, &id, 0).await;
        let sending = begin(&tables, &intended, 0).await;
        assert_eq!(sending, IntentOutcome::Sending, "it may yet be answered");
        let (listed, _) = tables
            .control
            .requests
            .of_link(&tables.link, None, 10)
            .await
            .unwrap();
        assert_eq!(listed.len(), 1, "{}: an intent is no request", tables.name);

        let intents = &tables.control.intents;
        intents.unanswered(&intended, at(0), at(0)).await.unwrap();
        let freed = begin(&tables, &intended, 0).await;
        assert_eq!(freed, IntentOutcome::Begun, "{}", tables.name);
    }
}

#[tokio::test]
async fn a_claimed_intent_is_the_request_until_that_has_ended() {
    for tables in both().await {
        let (intended, id) = (retrieval(&tables, "2026-01-01"), RequestId::random());
        begin(&tables, &intended, 0).await;
        claim(&tables, Resource::TRANSACTIONS, &id, 5).await;
        let in_flight = begin(&tables, &intended, 6).await;
        assert_eq!(in_flight, IntentOutcome::InFlight(id.clone()));
        fail(&tables, &intended, &id, 7).await;
        let freed = begin(&tables, &intended, 8).await;
        assert_eq!(freed, IntentOutcome::Begun, "{}", tables.name);
    }
}

#[tokio::test]
async fn belvos_own_answer_counts_more_than_a_claim() {
    for tables in both().await {
        let intended = retrieval(&tables, "2026-01-01");
        let (refresh, own) = (RequestId::random(), RequestId::random());
        let intents = &tables.control.intents;
        begin(&tables, &intended, 0).await;
        claim(&tables, Resource::TRANSACTIONS, &refresh, 0).await;
        intents.settle(&intended, &own).await.unwrap();
        fail(&tables, &intended, &refresh, 0).await;
        let in_flight = begin(&tables, &intended, 1).await;
        assert_eq!(in_flight, IntentOutcome::InFlight(own), "{}", tables.name);

        let refused = retrieval(&tables, "2026-01-02");
        begin(&tables, &refused, 0).await;
        claim(&tables, Resource::TRANSACTIONS, &refresh, 0).await;
        intents.withdraw(&refused, at(0)).await.unwrap();
        assert_eq!(begin(&tables, &refused, 0).await, IntentOutcome::Begun);
    }
}

#[tokio::test]
async fn of_two_unknown_intents_a_webhook_claims_none() {
    for tables in both().await {
        let retrievals = [
            retrieval(&tables, "2026-01-01"),
            retrieval(&tables, "2026-01-02"),
        ];
        for intended in &retrievals {
            begin(&tables, intended, 0).await;
        }
        let (listed, _) = tables
            .control
            .requests
            .of_link(&tables.link, None, 10)
            .await
            .unwrap();
        assert!(listed.is_empty(), "open intents are no requests");
        claim(&tables, Resource::TRANSACTIONS, &RequestId::random(), 5).await;
        for intended in &retrievals {
            let outcome = begin(&tables, intended, 6).await;
            assert!(
                matches!(outcome, IntentOutcome::Unknown { .. }),
                "{}: {outcome:?}",
                tables.name
            );
        }
    }
}

#[tokio::test]
async fn a_webhook_of_another_resource_claims_no_intent() {
    for tables in both().await {
        let intended = retrieval(&tables, "2026-01-01");
        let invoices = Resource::by_name("invoices").unwrap();
        begin(&tables, &intended, 0).await;
        claim(&tables, invoices, &RequestId::random(), 5).await;
        let outcome = begin(&tables, &intended, 6).await;
        assert!(
            matches!(outcome, IntentOutcome::Unknown { .. }),
            "{}: {outcome:?}",
            tables.name
        );
    }
}

#[tokio::test]
async fn unconfirmed_intents_are_listed_until_settled_and_claimed_until_they_expire() {
    for tables in both().await {
        let account = AccountId::parse("1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e").unwrap();
        let old = Retrieval {
            account: Some(account),
            ..retrieval(&tables, "2026-01-01")
        };
        let new = retrieval(&tables, "2026-01-02");
        begin(&tables, &old, 0).await;
        begin(&tables, &new, 20).await;

        let listed = tables
            .control
            .intents
            .unconfirmed(&tables.link)
            .await
            .unwrap();

        let shown: Vec<_> = listed
            .iter()
            .map(|listed| {
                (
                    listed.retrieval.window,
                    listed.retrieval.account.clone(),
                    listed.since,
                )
            })
            .collect();
        let expected = [
            (new.window, None, at(20)),
            (old.window, old.account.clone(), at(0)),
        ];
        assert_eq!(shown, expected, "{}", tables.name);
        assert_eq!(listed[0].intent().status(at(20)), Status::Issuing);
        assert_eq!(
            (
                listed[0].intent().status(at(21)),
                listed[0].intent().until()
            ),
            (Status::Unknown, at(50))
        );

        let id = RequestId::random();
        claim(&tables, Resource::TRANSACTIONS, &id, 31).await;
        let listed = tables
            .control
            .intents
            .unconfirmed(&tables.link)
            .await
            .unwrap();
        assert_eq!(
            listed.len(),
            1,
            "{}: the other one's time was over",
            tables.name
        );
        assert_eq!(
            (listed[0].since, listed[0].intent().status(at(31))),
            (at(0), Status::Unknown)
        );
    }
}

#[tokio::test]
async fn unconfirmed_invoices_show_their_direction() {
    for tables in both().await {
        let invoices = Resource::by_name("invoices").unwrap();
        for direction in [Direction::Inflow, Direction::Outflow] {
            let intended = Retrieval {
                resource: invoices,
                direction: Some(direction),
                ..retrieval(&tables, "2026-01-01")
            };
            assert_eq!(begin(&tables, &intended, 0).await, IntentOutcome::Begun);
        }
        let listed = tables
            .control
            .intents
            .unconfirmed(&tables.link)
            .await
            .unwrap();
        let directions: BTreeSet<_> = listed
            .iter()
            .map(|listed| json!(listed)["type"].to_string())
            .collect();
        assert_eq!(
            directions.into_iter().collect::<Vec<_>>(),
            ["\"INFLOW\"", "\"OUTFLOW\""],
            "{}",
            tables.name
        );
    }
}

#[tokio::test]
async fn a_key_is_answered_once_and_belongs_to_one_request() {
    for tables in both().await {
        let (key, id) = (uuid::Uuid::new_v4().to_string(), RequestId::random());
        let begin = async |fingerprint, minute| {
            tables
                .control
                .idempotency_keys
                .begin(&key, fingerprint, at(minute))
                .await
                .unwrap()
        };
        assert_eq!(begin("one", 0).await, KeyState::New, "{}", tables.name);
        assert_eq!(begin("one", 0).await, KeyState::InProgress);
        assert_eq!(begin("other", 0).await, KeyState::Reused);
        assert_eq!(
            begin("one", 5).await,
            KeyState::New,
            "the first was interrupted"
        );
        tables
            .control
            .idempotency_keys
            .answered(&key, &id)
            .await
            .unwrap();
        assert_eq!(begin("one", 10).await, KeyState::Answered(id));
        assert_eq!(begin("other", 10).await, KeyState::Reused);
        // It was begun in the fifth minute.
        let a_day_later = 5 + 24 * 60;
        assert_eq!(begin("other", a_day_later - 1).await, KeyState::Reused);
        assert_eq!(
            begin("other", a_day_later).await,
            KeyState::New,
            "expired, although DynamoDB has not removed it yet"
        );
        assert_eq!(begin("other", a_day_later).await, KeyState::InProgress);
        tables.control.idempotency_keys.forget(&key).await.unwrap();
        assert_eq!(begin("other", 11).await, KeyState::New);
    }
}
