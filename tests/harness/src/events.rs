//! What is published on the event bus, and the schemas that it keeps to.

use std::{
    collections::BTreeMap,
    fs,
    sync::{LazyLock, Mutex},
};

use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use jsonschema::{Draft, Validator};
use serde_json::Value;

use crate::Stack;

static SCHEMAS: LazyLock<EventSchemas> = LazyLock::new(EventSchemas::documented);

/// All events that were in the queue so far, by id: every test of a binary takes those of all.
static HEARD: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());

/// The schemas in `docs/events`, by the type of the event.
pub struct EventSchemas(BTreeMap<String, (Value, Validator)>);

impl EventSchemas {
    /// Those that are documented.
    #[must_use]
    pub fn documented() -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/events");
        let files = fs::read_dir(folder).expect("a folder of schemas");
        let schemas = files.map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_stem().and_then(|name| name.to_str());
            let name = name.expect("a name").to_owned();
            let text = fs::read_to_string(&path).expect("a text");
            let schema: Value = serde_json::from_str(&text).expect("JSON");
            let options = jsonschema::options().with_draft(Draft::Draft202012);
            let validator = options.build(&schema).expect("a schema");
            (name, (schema, validator))
        });
        Self(schemas.collect())
    }

    /// The schema documents, by type.
    pub fn documents(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.0.iter();
        all.map(|(name, (document, _))| (name.as_str(), document))
    }

    /// What is wrong with an event, if it is not as the schema of its type says.
    pub fn check(&self, event: &Value) -> Result<(), String> {
        let name = event["type"].as_str().unwrap_or_default();
        let schema = self.0.get(name);
        let (_, validator) = schema.ok_or_else(|| format!("no schema of {event}"))?;
        let wrong: Vec<_> = validator
            .iter_errors(event)
            .map(|error| error.to_string())
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("{wrong:?} in {event}"))
        }
    }
}

/// The events about a link so far, its own by their sequence. Each is as documented.
pub async fn heard(stack: &Stack, link: &str) -> Vec<Value> {
    while take_some(stack).await {}
    let heard = HEARD.lock().unwrap();
    let mut events: Vec<_> = heard
        .values()
        .filter(|event| event["link"] == link)
        .cloned()
        .collect();
    events.sort_by_key(|event| event["sequence"].as_u64());
    events
}

/// Moves some events from the queue to those that were heard; whether there were any.
async fn take_some(stack: &Stack) -> bool {
    let sqs = aws_sdk_sqs::Client::new(&stack.aws);
    let receive = sqs.receive_message().queue_url(&stack.events_queue_url);
    let answer = receive.max_number_of_messages(10).send().await.unwrap();
    let messages = answer.messages.unwrap_or_default();
    if messages.is_empty() {
        return false;
    }

    let mut delete = sqs
        .delete_message_batch()
        .queue_url(&stack.events_queue_url);
    for (number, message) in messages.iter().enumerate() {
        hear(message.body().unwrap());
        let entry = DeleteMessageBatchRequestEntry::builder()
            .id(number.to_string())
            .receipt_handle(message.receipt_handle().unwrap())
            .build();
        delete = delete.entries(entry.unwrap());
    }
    delete.send().await.unwrap();
    true
}

fn hear(message: &str) {
    let message: Value = serde_json::from_str(message).unwrap();
    let event = message["detail"].clone();
    assert_eq!(SCHEMAS.check(&event), Ok(()));
    assert_eq!(message["source"], "belvo-ingest");
    assert_eq!(message["detail-type"], event["type"]);
    let id = event["id"].as_str().unwrap().to_owned();
    let known = HEARD.lock().unwrap().insert(id, event.clone());
    assert!(
        known.is_none_or(|known| known == event),
        "one id, one event: {event}"
    );
}
