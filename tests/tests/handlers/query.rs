//! The handler of the query function.

use domain::{Connection, LinkId, LinkRecord, Timestamp};
use query::{App, handle};

use crate::surroundings::{AMPLE_LIMITS, LINK, REQUEST, Surroundings, http_event, read};

#[tokio::test]
async fn every_query_event_gets_its_answer() {
    let here = Surroundings::new().await;
    let app = App {
        control: here.control(),
        transactions: here.transactions(),
        limits: AMPLE_LIMITS,
    };
    here.issue(LINK, REQUEST, "2026-01-01", "2026-01-31").await;
    let registered = |link: LinkRecord| link.registered(Connection::default(), Timestamp::now());
    let link = LinkId::parse(LINK).unwrap();
    app.control.links.change(&link, registered).await.unwrap();

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
        let (answered, body) = read(&handle(&app, http_event(name)).await);
        assert_eq!(answered, status, "{name}: {body}");
    }
}
