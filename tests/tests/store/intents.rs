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
            declared: None,
            at: at(1),
            due_at: at(31),
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
            .failed(&id, &intended, &failure, at(61))
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
async fn a_webhook_settles_the_one_intent_that_is_unknown() {
    for tables in both().await {
        let (intended, id) = (retrieval(&tables, "2026-01-01"), RequestId::random());
        begin(&tables, &intended, 0).await;
        tables
            .control
            .intents
            .claim(
                &tables.link,
                Resource::TRANSACTIONS,
                &RequestId::random(),
                at(0),
            )
            .await
            .unwrap();
        assert_eq!(
            begin(&tables, &intended, 0).await,
            IntentOutcome::Sending,
            "not while it is sent"
        );

        tables
            .control
            .intents
            .claim(&tables.link, Resource::TRANSACTIONS, &id, at(5))
            .await
            .unwrap();

        assert_eq!(
            begin(&tables, &intended, 6).await,
            IntentOutcome::InFlight(id),
            "{}",
            tables.name
        );
        let (listed, _) = tables
            .control
            .requests
            .of_link(&tables.link, None, 10)
            .await
            .unwrap();
        assert!(listed.is_empty(), "an intent is no request");
    }
}

#[tokio::test]
async fn of_two_unknown_intents_a_webhook_settles_none() {
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
        tables
            .control
            .intents
            .claim(
                &tables.link,
                Resource::TRANSACTIONS,
                &RequestId::random(),
                at(5),
            )
            .await
            .unwrap();
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
async fn a_webhook_of_another_resource_settles_no_intent() {
    for tables in both().await {
        let intended = retrieval(&tables, "2026-01-01");
        let invoices = Resource::by_name("invoices").unwrap();
        begin(&tables, &intended, 0).await;
        tables
            .control
            .intents
            .claim(&tables.link, invoices, &RequestId::random(), at(5))
            .await
            .unwrap();
        let outcome = begin(&tables, &intended, 6).await;
        assert!(
            matches!(outcome, IntentOutcome::Unknown { .. }),
            "{}: {outcome:?}",
            tables.name
        );
    }
}

#[tokio::test]
async fn a_claimed_intent_keeps_its_deadline_when_its_request_ends() {
    for tables in both().await {
        let (intended, id) = (retrieval(&tables, "2026-01-01"), RequestId::random());
        begin(&tables, &intended, 0).await;
        tables
            .control
            .intents
            .claim(&tables.link, Resource::TRANSACTIONS, &id, at(5))
            .await
            .unwrap();
        let failure = Failure {
            code: "login_error".to_owned(),
            message: String::new(),
        };
        tables
            .control
            .requests
            .failed(&id, &intended, &failure, at(6))
            .await
            .unwrap();

        let unknown = IntentOutcome::Unknown { until: at(30) };
        assert_eq!(
            begin(&tables, &intended, 7).await,
            unknown,
            "{}: a refresh?",
            tables.name
        );
        assert_eq!(begin(&tables, &intended, 30).await, IntentOutcome::Begun);
        tables.control.intents.settle(&intended, &id).await.unwrap();
        assert_eq!(
            begin(&tables, &intended, 31).await,
            IntentOutcome::Begun,
            "no longer claimed"
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
        tables
            .control
            .intents
            .claim(&tables.link, Resource::TRANSACTIONS, &id, at(31))
            .await
            .unwrap();
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
