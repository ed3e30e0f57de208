//! The query's handler.

use query::{Query, handle};

use crate::surroundings::{Surroundings, http_event, read};

#[tokio::test]
async fn every_query_event_gets_its_answer() {
    let here = Surroundings::new().await;
    let query = Query { requests: here.requests(), transactions: here.transactions() };
    let cases = [
        ("query-requests-of-link", 200),
        ("query-accounts", 200),
        ("query-transactions", 200),
        ("query-transactions-filtered", 200),
        ("query-bad-cursor", 400),
    ];
    for (name, status) in cases {
        let (answered, body) = read(&handle(&query, http_event(name)).await);
        assert_eq!(answered, status, "{name}: {body}");
    }
}
