//! EventBridge: a bus, and everybody who listens to it.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex},
};

use serde_json::{Value, json};
use uuid::Uuid;

use super::lock;
use crate::{EventSchemas, Refusal};

static SCHEMAS: LazyLock<EventSchemas> = LazyLock::new(EventSchemas::documented);

/// All events that were put, by id; each is as documented.
#[derive(Default)]
pub struct Bus(Mutex<BTreeMap<String, Value>>);

impl Bus {
    /// Answers `PutEvents`: some entries may fail while the call succeeds.
    pub fn put(
        &self,
        body: &[u8],
        mut is_undone: impl FnMut() -> bool,
    ) -> Result<Vec<u8>, Refusal> {
        let request: Value = serde_json::from_slice(body)?;
        let entries = request["Entries"].as_array().cloned().unwrap_or_default();
        let mut failed = 0;
        let answers = entries.iter().map(|entry| {
            if is_undone() {
                failed += 1;
                return json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "later"});
            }
            self.record(entry);
            json!({ "EventId": Uuid::new_v4().to_string() })
        });
        let answers: Vec<_> = answers.collect();
        let answer = json!({"FailedEntryCount": failed, "Entries": answers});
        Ok(serde_json::to_vec(&answer)?)
    }

    fn record(&self, entry: &Value) {
        let event = entry["Detail"].as_str().expect("a text");
        let event: Value = serde_json::from_str(event).expect("JSON");
        assert_eq!(SCHEMAS.check(&event), Ok(()));
        let id = event["id"].as_str().expect("an id").to_owned();
        let known = lock(&self.0).insert(id, event.clone());
        assert!(
            known.is_none_or(|known| known == event),
            "one id, one event: {event}"
        );
    }

    /// The events about a link, by their sequence.
    #[must_use]
    pub fn about(&self, link: &str) -> Vec<Value> {
        let all = lock(&self.0);
        let events = all.values().filter(|event| event["link"] == link);
        let mut events: Vec<_> = events.cloned().collect();
        events.sort_by_key(|event| event["sequence"].as_u64());
        events
    }
}
