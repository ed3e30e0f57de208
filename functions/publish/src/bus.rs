//! The event bus.

use aws_sdk_eventbridge::{
    Client,
    error::SdkError,
    operation::put_events::{PutEventsError, PutEventsOutput},
    primitives::DateTime,
    types::PutEventsRequestEntry,
};
use shared::aws::SdkConfig;
use thiserror::Error;

use crate::Event;

/// The source of every event.
const SOURCE: &str = "belvo-ingest";
/// The most entries of a call (`PutEvents`, EventBridge API reference).
const MOST_AT_ONCE: usize = 10;

/// Why not every event is on the bus. Those that are will be put again.
#[derive(Debug, Error)]
pub enum BusError {
    #[error("the call of the bus failed")]
    Unavailable(#[source] Box<SdkError<PutEventsError>>),
    /// `PutEvents` succeeds although entries fail.
    #[error("the bus did not take {count} of {of} events: {code}")]
    Refused {
        count: usize,
        of: usize,
        /// EventBridge's code of the first.
        code: String,
    },
    #[error("an event could not be written")]
    Encoding(#[source] serde_json::Error),
}

/// A bus of this account and region.
pub struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    #[must_use]
    pub fn new(aws: &SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(aws),
            name,
        }
    }

    /// Puts all events on the bus, in their order, or fails.
    pub(crate) async fn put(&self, events: &[Event]) -> Result<(), BusError> {
        for events in events.chunks(MOST_AT_ONCE) {
            let entries = events.iter().map(|event| self.entry(event));
            let entries: Vec<_> = entries.collect::<Result<_, _>>()?;
            let put = self.client.put_events().set_entries(Some(entries));
            let answer = put.send().await;
            accepted(&answer.map_err(|error| BusError::Unavailable(Box::new(error)))?)?;
        }
        Ok(())
    }

    fn entry(&self, event: &Event) -> Result<PutEventsRequestEntry, BusError> {
        let detail = serde_json::to_string(event).map_err(BusError::Encoding)?;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(event.name)
            .detail(detail)
            .time(DateTime::from_millis(event.at.unix_millis()));
        Ok(entry.build())
    }
}

/// Whether every entry was accepted: each has an event id of the bus, or else a code.
fn accepted(answer: &PutEventsOutput) -> Result<(), BusError> {
    let entries = answer.entries();
    let mut refused = entries.iter().filter(|entry| entry.event_id().is_none());
    let Some(first) = refused.next() else {
        return Ok(());
    };
    Err(BusError::Refused {
        count: 1 + refused.count(),
        of: entries.len(),
        code: first.error_code().unwrap_or_default().to_owned(),
    })
}
