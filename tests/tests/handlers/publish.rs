//! The publish function: batches of the stream in front of a bus that takes events, or does not.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use publish::{Bus, BusError, StreamEvent, handle};
use serde_json::{Value, json};
use test_harness::{EventSchemas, Stack};
use tokio::net::TcpListener;

use crate::surroundings::event;

/// An event bus that notes what it took.
#[derive(Clone, Default)]
struct FakeBus {
    /// The entries of each call.
    calls: Arc<Mutex<Vec<Vec<Value>>>>,
    /// How many calls from now on fail in part.
    failing: Arc<AtomicUsize>,
    /// Whether every call is refused.
    is_closed: bool,
}

impl FakeBus {
    /// Serves it for the rest of the test, and returns its client.
    async fn serve(&self) -> Bus {
        let routes = Router::new().route("/", post(put_events));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = axum::serve(listener, routes.with_state(self.clone()));
        tokio::spawn(server.into_future());
        Bus::new(&Stack::of_this_run().aws_at(&url), "a-bus".to_owned())
    }

    /// The entries of all calls so far, which it then forgets.
    fn taken(&self) -> Vec<Vec<Value>> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

/// Answers as EventBridge does, which has no error for a call of which entries fail.
async fn put_events(State(bus): State<FakeBus>, body: Bytes) -> (StatusCode, Json<Value>) {
    if bus.is_closed {
        let refusal = json!({"__type": "AccessDeniedException", "message": "no"});
        return (StatusCode::BAD_REQUEST, Json(refusal));
    }
    let call: Value = serde_json::from_slice(&body).unwrap();
    let entries = call["Entries"].as_array().unwrap().clone();
    let fewer = |failing: usize| failing.checked_sub(1);
    let fails = bus
        .failing
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer);
    let mut answers =
        vec![json!({"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"}); entries.len()];
    if fails.is_ok() {
        answers[0] = json!({"ErrorCode": "InternalFailure", "ErrorMessage": "try again"});
    }
    bus.calls.lock().unwrap().push(entries);
    let answer = json!({"FailedEntryCount": usize::from(fails.is_ok()), "Entries": answers});
    (StatusCode::OK, Json(answer))
}

/// A link with new rows and a failed request, and so many other failed requests.
fn records(further: usize) -> Vec<Value> {
    let batch: Value = serde_json::from_str(&event("publish-rows-and-a-failed-request")).unwrap();
    let mut records = batch["Records"].as_array().unwrap().clone();
    for number in 0..further {
        let mut record = records[1].clone();
        let key = json!({"S": format!("request#further-{number}")});
        let images = &mut record["dynamodb"];
        (images["Keys"]["pk"], images["NewImage"]["pk"]) = (key.clone(), key);
        images["NewImage"]["id"] = json!({"S": format!("further-{number}")});
        records.push(record);
    }
    records
}

fn batch(records: &[Value]) -> StreamEvent {
    serde_json::from_value(json!({"Records": records})).unwrap()
}

/// The events of entries, which must be as documented.
fn events(calls: &[Vec<Value>]) -> Vec<Value> {
    let schemas = EventSchemas::documented();
    let entries = calls.iter().flatten();
    let events = entries.map(|entry| {
        let event: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!(schemas.check(&event), Ok(()));
        assert_eq!(
            (&entry["Source"], &entry["EventBusName"]),
            (&json!("belvo-ingest"), &json!("a-bus"))
        );
        assert_eq!(entry["DetailType"], event["type"]);
        event
    });
    events.collect()
}

fn ids(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_batch_that_is_repeated_has_the_same_events() {
    let fake = FakeBus::default();
    let bus = fake.serve().await;
    let records = records(21);
    handle(&bus, batch(&records)).await.unwrap();
    let first = fake.taken();
    handle(&bus, batch(&records)).await.unwrap();
    assert_eq!(fake.taken(), first);

    let sizes: Vec<_> = first.iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 3], "ten is the most that a call has");
    let events = events(&first);
    assert_eq!(
        ids(&events[..2]),
        [
            "e7a2c9f4-6d3b-4f1e-8b52-0c9d7a1e5b63/4102444800000/transactions.changed",
            "4363b08b51eb43509c745df5ac92a7f6/2026-03-01T12:02:00.125Z/request.failed",
        ]
    );
    let mut all = ids(&events);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 23, "no two have one id");
}

#[tokio::test]
async fn one_event_that_the_bus_does_not_take_fails_the_batch() {
    let fake = FakeBus::default();
    let bus = fake.serve().await;
    let records = records(0);
    fake.failing.store(1, Ordering::SeqCst);
    let refused = handle(&bus, batch(&records)).await.unwrap_err();
    let BusError::Refused { count, of, code } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((count, of, code.as_str()), (1, 2, "InternalFailure"));

    let refused = fake.taken();
    handle(&bus, batch(&records)).await.unwrap();
    assert_eq!(fake.taken(), refused, "all of it, once more");
}

#[tokio::test]
async fn a_bus_that_refuses_the_call_fails_the_batch() {
    let fake = FakeBus {
        is_closed: true,
        ..FakeBus::default()
    };
    let bus = fake.serve().await;
    let refused = handle(&bus, batch(&records(0))).await;
    assert!(
        matches!(refused, Err(BusError::Unavailable(_))),
        "{refused:?}"
    );
    let mut other = records(0).remove(0);
    other["dynamodb"]["Keys"]["pk"] = json!({"S": "quota#a customer"});
    let empty = handle(&bus, batch(&[other])).await;
    assert!(empty.is_ok(), "nothing to publish: {empty:?}");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_holds_up_no_other() {
    let fake = FakeBus::default();
    let bus = fake.serve().await;
    let mut records = records(0);
    let mut unreadable = records[0].clone();
    unreadable["dynamodb"]["NewImage"]["sequence"] = json!({"S": "yesterday"});
    records.insert(0, unreadable);
    records.insert(1, json!({"eventName": "INSERT"}));
    handle(&bus, batch(&records)).await.unwrap();
    assert_eq!(events(&fake.taken()).len(), 2);
}
