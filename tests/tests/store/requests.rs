//! The Requests table.

use serde_json::json;
use shared::{
    domain::{
        Collection, Days, Declared, Failure, RequestId, Resource, Status, Timestamp, Verdict,
        Window,
    },
    store::{Event, Issued, Notified},
};
use time::macros::date;

use crate::databases::{Tables, both};

fn at(second: u32) -> Timestamp {
    Timestamp::parse(&format!("2026-03-01T00:00:{second:02}Z")).unwrap()
}

fn issued(tables: &Tables, id: &RequestId, second: u32) -> Issued {
    Issued {
        id: id.clone(),
        link: tables.link.clone(),
        resource: Resource::TRANSACTIONS,
        window: Some(Window::parse("2026-01-01", "2026-01-31", date!(2026 - 03 - 01)).unwrap()),
        account: None,
        direction: None,
        at: at(second),
        due_at: at(31),
    }
}

fn notified(tables: &Tables, id: &RequestId, second: u32) -> Notified {
    Notified {
        id: id.clone(),
        link: tables.link.clone(),
        resource: Resource::TRANSACTIONS,
        code: "historical_update".to_owned(),
        declared: Some(Declared {
            total_transactions: Some(9),
            ..Declared::default()
        }),
        at: at(second),
        due_at: at(31),
    }
}

fn collection(second: u32) -> Collection {
    Collection {
        started_at: at(1),
        finished_at: at(second),
        days: Days::ALL,
        pages: 1,
        rows: 9,
        counted: 9,
        new: 9,
        changed: 0,
        unchanged: 0,
        revived: 0,
        deleted: 0,
        accounts: 1,
        stored: None,
    }
}

#[tokio::test]
async fn the_order_of_202_and_webhook_does_not_matter() {
    for tables in both().await {
        let (one, other) = (RequestId::random(), RequestId::random());
        tables
            .requests
            .issued(&issued(&tables, &one, 1))
            .await
            .unwrap();
        tables
            .requests
            .notified(&notified(&tables, &one, 2))
            .await
            .unwrap();
        let early = tables
            .requests
            .notified(&notified(&tables, &other, 2))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((early.status(), early.window), (Status::Notified, None));
        tables
            .requests
            .issued(&issued(&tables, &other, 1))
            .await
            .unwrap();

        let record = async |id: RequestId| tables.requests.get(&id).await.unwrap().unwrap();
        let (mut one, other) = (record(one).await, record(other).await);
        one.id = other.id.clone();
        assert_eq!(one, other, "{}", tables.name);
        assert_eq!(one.window.unwrap().to_string(), "2026-01-01..2026-01-31");
    }
}

#[tokio::test]
async fn facts_are_written_once() {
    for tables in both().await {
        let id = RequestId::random();
        for second in [3, 4] {
            tables
                .requests
                .issued(&issued(&tables, &id, second))
                .await
                .unwrap();
            tables
                .requests
                .notified(&notified(&tables, &id, second))
                .await
                .unwrap();
            tables
                .requests
                .collected(&id, &collection(second))
                .await
                .unwrap();
        }

        let record = tables.requests.get(&id).await.unwrap().unwrap();

        let facts = [record.issued_at, record.notified_at, record.collected_at];
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
            .requests
            .notified(&notified(&tables, &id, 1))
            .await
            .unwrap();
        let failure = Failure {
            code: "institution_down".to_owned(),
            message: String::new(),
        };
        tables
            .requests
            .failed(&id, &tables.link, Resource::TRANSACTIONS, &failure, at(2))
            .await
            .unwrap();
        let record = tables.requests.get(&id).await.unwrap().unwrap();
        assert_eq!(
            (record.status(), record.failure),
            (Status::Failed, Some(failure))
        );

        tables
            .requests
            .collected(&id, &collection(3))
            .await
            .unwrap();
        assert_eq!(
            tables.requests.get(&id).await.unwrap().unwrap().status(),
            Status::Collected
        );
    }
}

#[tokio::test]
async fn a_links_requests_are_listed_newest_first_without_its_events() {
    for tables in both().await {
        let ids: Vec<_> = (0..5).map(|_| RequestId::random()).collect();
        for (second, id) in (1..).zip(&ids) {
            tables
                .requests
                .issued(&issued(&tables, id, second))
                .await
                .unwrap();
        }
        let event = Event {
            delivery_id: uuid::Uuid::new_v4().simple().to_string(),
            link: tables.link.clone(),
            webhook_type: "LINK".to_owned(),
            webhook_code: "token_required".to_owned(),
            request_id: None,
            received_at: at(9),
            body: json!({}).to_string(),
        };
        tables.requests.event(&event).await.unwrap();

        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = tables
                .requests
                .of_link(&tables.link, after.as_ref(), 2)
                .await
                .unwrap();
            listed.extend(page.into_iter().map(|record| record.id));
            if next.is_none() {
                break;
            }
            after = next;
        }

        listed.reverse();
        assert_eq!(listed, ids, "{}", tables.name);
    }
}

#[tokio::test]
async fn a_failure_may_be_the_first_that_is_known_of_a_request() {
    for tables in both().await {
        let id = RequestId::random();
        let failure = Failure {
            code: "gave_up".to_owned(),
            message: "the store could not be used".to_owned(),
        };
        tables
            .requests
            .failed(&id, &tables.link, Resource::TRANSACTIONS, &failure, at(2))
            .await
            .unwrap();

        let record = tables.requests.get(&id).await.unwrap().unwrap();
        assert_eq!(
            (record.status(), record.link, record.failure),
            (Status::Failed, tables.link.clone(), Some(failure))
        );
        let (listed, _) = tables
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
            tables
                .requests
                .issued(&issued(&tables, id, 1))
                .await
                .unwrap();
        }
        let due = async |second| {
            let (overdue, _) = tables.requests.overdue(at(second), 1_000).await.unwrap();
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
            .requests
            .collected(&ids[0], &collection(40))
            .await
            .unwrap();
        tables
            .requests
            .failed(
                &ids[1],
                &tables.link,
                Resource::TRANSACTIONS,
                &failure,
                at(40),
            )
            .await
            .unwrap();
        tables.requests.expired(&ids[2], at(40)).await.unwrap();
        tables
            .requests
            .postpone(&ids[3], Some(at(50)))
            .await
            .unwrap();

        assert!(due(49).await.is_empty(), "{}", tables.name);
        assert_eq!(due(50).await, [ids[3].clone()]);
        assert_eq!(
            tables
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
        tables.requests.handed_on(&id, at(20)).await.unwrap();
        assert_eq!(
            tables.requests.get(&id).await.unwrap(),
            None,
            "{}: no record of this alone",
            tables.name
        );
        tables
            .requests
            .issued(&issued(&tables, &id, 1))
            .await
            .unwrap();
        tables.requests.handed_on(&id, at(20)).await.unwrap();
        tables.requests.handed_on(&id, at(30)).await.unwrap();

        let record = tables.requests.get(&id).await.unwrap().unwrap();

        assert_eq!(
            (record.status(), record.collecting_at),
            (Status::Collecting, Some(at(20))),
            "{}",
            tables.name
        );
        tables
            .requests
            .collected(&id, &collection(40))
            .await
            .unwrap();
        assert_eq!(
            tables.requests.get(&id).await.unwrap().unwrap().status(),
            Status::Collected
        );
    }
}

#[tokio::test]
async fn an_unknown_request_is_none() {
    for tables in both().await {
        assert_eq!(
            tables.requests.get(&RequestId::random()).await.unwrap(),
            None
        );
    }
}
