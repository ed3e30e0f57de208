//! The Requests table.

use domain::{
    Collection, Days, Declared, Failure, RequestId, RequestRecord, Resource, Retrieval, Status,
    Tally, Timestamp, Verdict, Window,
};
use shared::store::{Cursor, Notified};
use time::macros::date;

use crate::{
    databases::{Tables, both, listed},
    webhooks,
};

fn at(second: u32) -> Timestamp {
    Timestamp::parse(&format!("2026-03-01T00:00:{second:02}Z")).unwrap()
}

fn retrieval(tables: &Tables) -> Retrieval {
    let today = date!(2026 - 03 - 01);
    Retrieval {
        window: Some(Window::parse("2026-01-01", "2026-01-31", today).unwrap()),
        ..Retrieval::of(tables.link.clone(), Resource::TRANSACTIONS)
    }
}

async fn issue(tables: &Tables, id: &RequestId, second: u32) {
    let (requests, retrieval) = (&tables.control.requests, retrieval(tables));
    let issued = requests.issued(id, &retrieval, at(second), at(31));
    issued.await.unwrap();
}

fn notified(tables: &Tables, id: &RequestId, second: u32) -> Notified {
    Notified {
        id: id.clone(),
        link: tables.link.clone(),
        resource: Resource::TRANSACTIONS,
        code: "historical_update".to_owned(),
        answered_by: None,
        declared: Some(Declared {
            total_transactions: Some(9),
            ..Declared::default()
        }),
        at: at(second),
        due_at: at(31),
        is_known: true,
    }
}

fn collection(second: u32) -> Collection {
    Collection {
        started_at: at(1),
        finished_at: at(second),
        days: Days::ALL,
        tally: Tally {
            pages: 1,
            rows: 9,
            counted: 9,
            new: 9,
            changed: 0,
            revived: 0,
            deleted: 0,
            unstored: 0,
            undated: 0,
        },
        proven: true,
        left_out: vec![],
        was_empty: false,
        unchanged: 0,
        accounts: 1,
        stored: None,
    }
}

async fn stored(tables: &Tables, id: &RequestId) -> RequestRecord {
    tables.control.requests.get(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_order_of_202_and_webhook_does_not_matter() {
    for tables in both().await {
        let (one, other) = (RequestId::random(), RequestId::random());
        issue(&tables, &one, 1).await;
        tables
            .control
            .requests
            .notified(&notified(&tables, &one, 2))
            .await
            .unwrap();
        let early = tables
            .control
            .requests
            .notified(&notified(&tables, &other, 2))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (early.status(), early.retrieval.window),
            (Status::Notified, None)
        );
        issue(&tables, &other, 1).await;

        let (mut one, other) = (stored(&tables, &one).await, stored(&tables, &other).await);
        one.id = other.id.clone();
        assert_eq!(one, other, "{}", tables.name);
        assert_eq!(
            one.retrieval.window.unwrap().to_string(),
            "2026-01-01..2026-01-31"
        );
    }
}

#[tokio::test]
async fn facts_are_written_once() {
    for tables in both().await {
        let id = RequestId::random();
        for second in [3, 4] {
            issue(&tables, &id, second).await;
            tables
                .control
                .requests
                .notified(&notified(&tables, &id, second))
                .await
                .unwrap();
            tables
                .control
                .requests
                .collected(&id, &collection(second))
                .await
                .unwrap();
        }

        let record = stored(&tables, &id).await;

        let facts = [
            record.facts().issued_at,
            record.facts().notified_at,
            record.facts().collected_at,
        ];
        assert_eq!(facts, [Some(at(3)); 3], "{}", tables.name);
        let latest = record.collection.unwrap();
        assert_eq!(
            (latest.finished_at, latest.verdict(None)),
            (at(4), Verdict::Complete)
        );
    }
}

#[tokio::test]
async fn rows_outrank_an_earlier_failure() {
    for tables in both().await {
        let id = RequestId::random();
        tables
            .control
            .requests
            .notified(&notified(&tables, &id, 1))
            .await
            .unwrap();
        let failure = Failure {
            code: "institution_down".to_owned(),
            message: String::new(),
        };
        tables
            .control
            .requests
            .failed(&id, &retrieval(&tables), &failure, (at(2), true))
            .await
            .unwrap();
        let record = stored(&tables, &id).await;
        assert_eq!(
            (record.status(), record.failure),
            (Status::Failed, Some(failure))
        );

        tables
            .control
            .requests
            .collected(&id, &collection(3))
            .await
            .unwrap();
        assert_eq!(stored(&tables, &id).await.status(), Status::Collected);
    }
}

#[tokio::test]
async fn a_links_requests_are_listed_newest_first_without_its_webhooks() {
    for tables in both().await {
        let ids: Vec<_> = (0..5).map(|_| RequestId::random()).collect();
        for (second, id) in (1..).zip(&ids) {
            issue(&tables, id, second).await;
        }
        webhooks::archive(&tables, &webhooks::id(), 9).await;

        let requests = &tables.control.requests;
        let page =
            async |after: Option<Cursor>| requests.of_link(&tables.link, after.as_ref(), 2).await;
        let listed = listed(page).await.into_iter().map(|record| record.id);
        assert_eq!(listed.rev().collect::<Vec<_>>(), ids, "{}", tables.name);
    }
}

#[tokio::test]
async fn a_failure_may_be_the_first_fact_known_of_a_request() {
    for tables in both().await {
        let id = RequestId::random();
        let failure = Failure {
            code: "gave_up".to_owned(),
            message: "the store could not be used".to_owned(),
        };
        tables
            .control
            .requests
            .failed(&id, &retrieval(&tables), &failure, (at(2), true))
            .await
            .unwrap();

        let record = stored(&tables, &id).await;
        assert_eq!(
            (record.status(), record.retrieval.link, record.failure),
            (Status::Failed, tables.link.clone(), Some(failure))
        );
        let (listed, _) = tables
            .control
            .requests
            .of_link(&tables.link, None, 10)
            .await
            .unwrap();
        assert_eq!(listed.len(), 1, "{}", tables.name);
    }
}

#[tokio::test]
async fn a_request_is_due_until_it_has_ended() {
    for tables in both().await {
        let ids = [
            RequestId::random(),
            RequestId::random(),
            RequestId::random(),
            RequestId::random(),
        ];
        for id in &ids {
            issue(&tables, id, 1).await;
        }
        let due = async |second| {
            let (overdue, _) = tables
                .control
                .requests
                .overdue(at(second), 1_000)
                .await
                .unwrap();
            overdue
                .into_iter()
                .map(|record| record.id)
                .filter(|id| ids.contains(id))
                .collect::<Vec<_>>()
        };
        assert!(due(30).await.is_empty(), "{}", tables.name);
        assert_eq!(due(31).await.len(), 4);

        let failure = Failure {
            code: "login_error".to_owned(),
            message: String::new(),
        };
        tables
            .control
            .requests
            .collected(&ids[0], &collection(40))
            .await
            .unwrap();
        tables
            .control
            .requests
            .failed(&ids[1], &retrieval(&tables), &failure, (at(40), true))
            .await
            .unwrap();
        tables
            .control
            .requests
            .expired(&ids[2], at(40))
            .await
            .unwrap();
        tables
            .control
            .requests
            .postpone(&ids[3], at(50))
            .await
            .unwrap();

        assert!(due(49).await.is_empty(), "{}", tables.name);
        assert_eq!(due(50).await, [ids[3].clone()]);
        assert_eq!(
            tables
                .control
                .requests
                .get(&ids[2])
                .await
                .unwrap()
                .unwrap()
                .status(),
            Status::Expired
        );
    }
}

#[tokio::test]
async fn a_request_whose_rows_take_more_than_one_invocation_is_collecting_until_it_has_ended() {
    for tables in both().await {
        let id = RequestId::random();
        tables
            .control
            .requests
            .continued(&id, at(20))
            .await
            .unwrap();
        assert_eq!(
            tables.control.requests.get(&id).await.unwrap(),
            None,
            "{}: no record of this alone",
            tables.name
        );
        issue(&tables, &id, 1).await;
        tables
            .control
            .requests
            .continued(&id, at(20))
            .await
            .unwrap();
        tables
            .control
            .requests
            .continued(&id, at(30))
            .await
            .unwrap();

        let record = stored(&tables, &id).await;

        assert_eq!(
            (record.status(), record.facts().collecting_at),
            (Status::Collecting, Some(at(20))),
            "{}",
            tables.name
        );
        tables
            .control
            .requests
            .collected(&id, &collection(40))
            .await
            .unwrap();
        assert_eq!(stored(&tables, &id).await.status(), Status::Collected);
    }
}

#[tokio::test]
async fn an_unknown_request_is_none() {
    for tables in both().await {
        assert_eq!(
            tables
                .control
                .requests
                .get(&RequestId::random())
                .await
                .unwrap(),
            None
        );
    }
}
