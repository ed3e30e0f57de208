//! Publishes on an event bus what became of links and requests: ids, counts and codes, never data.
//! What is published follows from the records themselves, as the stream of their table shows them
//! (docs/decisions/0031).

mod bus;
mod config;
mod event;
mod of_link;
mod of_request;

use lambda_runtime::tracing;
use serde::Deserialize;
use serde_json::Value;
use shared::{cause::chain, store::RecordChange, telemetry};

pub use self::{
    bus::{Bus, BusError},
    config::Config,
    event::Event,
    of_link::of_link,
    of_request::of_request,
};

/// A batch of the stream.
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    /// Each is read apart.
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// Publishes what follows from the records of a batch, in their order. If one event is not
/// accepted, the whole batch fails and is repeated: each event then has the same id. A record that
/// cannot be read would stay so: it is logged, and holds up no other.
pub async fn handle(bus: &Bus, batch: StreamEvent) -> Result<(), BusError> {
    let events: Vec<_> = batch.records.iter().flat_map(events).collect();
    bus.put(&events).await?;
    if !events.is_empty() {
        tracing::info!(
            event = telemetry::Event::EventsPublished.name(),
            records = batch.records.len(),
            events = events.len(),
            "events published"
        );
    }
    Ok(())
}

fn events(record: &Value) -> Vec<Event> {
    match RecordChange::read(record) {
        Ok(Some(RecordChange::Link(link))) => of_link(link.before.as_ref(), &link.after),
        Ok(Some(RecordChange::Request(request))) => {
            let event = of_request(request.before.as_ref(), &request.after);
            event.into_iter().collect()
        }
        Ok(None) => Vec::new(),
        Err(error) => {
            let item = &record["dynamodb"]["Keys"]["pk"]["S"];
            tracing::error!(
                event = telemetry::Event::RecordUnreadable.name(),
                item = item.as_str(),
                cause = %chain(&error),
                "a record of the stream cannot be read: nothing is published of it"
            );
            Vec::new()
        }
    }
}
