//! The handler of the query function.

use domain::{Connection, LinkId, LinkRecord, Timestamp};
use query::{App, handle};

use crate::surroundings::{
    AMPLE_LIMITS, LINK, REQUEST, Surroundings, http_event, kind, read_of, route,
};

#[tokio::test]
async fn every_query_event_gets_its_answer() {
    let here = Surroundings::new().await;
    let app = App {
        control: here.control(),
        transactions: here.transactions(),
        limits: AMPLE_LIMITS,
    };
    here.issue(LINK, REQUEST, "2026-01-01", "2026-01-31").await;
    let registered =
        |link: LinkRecord| link.registered(Connection::default(), Timestamp::now(), 1_800);
    let link = LinkId::parse(LINK).unwrap();
    app.control.links.change(&link, registered).await.unwrap();

    let cases = [
        ("query-links", 200, Ok("links")),
        ("query-link", 200, Ok("registered_at")),
        ("query-request", 200, Ok("issued_at")),
        ("query-requests-of-link", 200, Ok("requests")),
        ("query-accounts", 200, Ok("accounts")),
        ("query-quota", 200, Ok("retrievals")),
        ("query-balances", 200, Ok("balances")),
        (
            "query-history-of-an-unknown-transaction",
            404,
            Err("not-found"),
        ),
        ("query-changes", 200, Ok("next_cursor")),
        ("query-transactions", 200, Ok("transactions")),
        ("query-transactions-filtered", 200, Ok("transactions")),
        ("query-bad-cursor", 400, Err("invalid-field")),
    ];
    for (name, status, content) in cases {
        let event = http_event(name);
        let (answered, body) = read_of(&route(&event), &handle(&app, event).await);
        assert_eq!(answered, status, "{name}: {body}");
        match content {
            Ok(field) => assert!(body.get(field).is_some(), "{name}: {body}"),
            Err(problem) => assert_eq!(kind(&body), Some(problem), "{name}: {body}"),
        }
    }
}
