//! What is published of a link's and a request's record, kind by kind, each event by its documented
//! schema.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod link;
mod request;
mod schemas;

use domain::Timestamp;
use publish::Event;
use serde_json::{Value, json};
use test_harness::EventSchemas;

fn at(hour: i64) -> Timestamp {
    Timestamp::parse("2026-03-01T00:00:00Z")
        .unwrap()
        .plus_seconds(hour * 3_600)
}

/// The events as they are on the bus, which must be as documented.
fn on_the_bus(events: impl IntoIterator<Item = Event>) -> Vec<Value> {
    let schemas = EventSchemas::documented();
    let events: Vec<_> = events.into_iter().map(|event| json!(event)).collect();
    for event in &events {
        assert_eq!(schemas.check(event), Ok(()));
    }
    events
}

fn types(events: &[Value]) -> Vec<&str> {
    let types = events.iter().map(|event| event["type"].as_str().unwrap());
    types.collect()
}
