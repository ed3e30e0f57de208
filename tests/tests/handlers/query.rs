//! The query's handler.

use query::{Query, handle};

use shared::{
    domain::{Connection, LinkId, LinkRecord, RequestId, Resource, Timestamp, Window},
    store::Issued,
};
use time::macros::date;

use crate::surroundings::{AMPLE_LIMITS, LINK, REQUEST, Surroundings, http_event, read};

#[tokio::test]
async fn every_query_event_gets_its_answer() {
    let here = Surroundings::new().await;
    let query = Query {
        requests: here.requests(),
        transactions: here.transactions(),
        limits: AMPLE_LIMITS,
    };
    let issued = Issued {
        id: RequestId::parse(REQUEST).unwrap(),
        link: LinkId::parse(LINK).unwrap(),
        resource: Resource::TRANSACTIONS,
        window: Some(Window::parse("2026-01-01", "2026-01-31", date!(2026 - 03 - 01)).unwrap()),
        account: None,
        direction: None,
        at: Timestamp::now(),
        due_at: Timestamp::now().plus_seconds(1_800),
    };
    here.requests().issued(&issued).await.unwrap();
    let registered =
        |link: LinkRecord| Some(link.registered(Connection::default(), Timestamp::now()));
    here.requests()
        .change_link(&issued.link, registered)
        .await
        .unwrap();
    let cases = [
        ("query-links", 200),
        ("query-link", 200),
        ("query-request", 200),
        ("query-requests-of-link", 200),
        ("query-accounts", 200),
        ("query-quota", 200),
        ("query-balances", 200),
        ("query-history-of-an-unknown-transaction", 404),
        ("query-transactions", 200),
        ("query-transactions-filtered", 200),
        ("query-bad-cursor", 400),
    ];
    for (name, status) in cases {
        let (answered, body) = read(&handle(&query, http_event(name)).await);
        assert_eq!(answered, status, "{name}: {body}");
    }
}
