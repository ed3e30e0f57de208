//! What is published on the event bus, and the schemas that it keeps to.

use std::{collections::BTreeMap, fs};

use jsonschema::{Draft, Validator};
use serde_json::Value;

/// The schemas in `docs/events`, by the type of the event.
pub struct EventSchemas(BTreeMap<String, (Value, Validator)>);

impl EventSchemas {
    /// Those that are documented.
    #[must_use]
    pub fn documented() -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events");
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
