//! The document's schemas, which are OpenAPI 3.0's, as JSON Schema.

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// The named schemas, translated.
pub struct Schemas(Value);

impl Schemas {
    /// The `components` of a document.
    #[must_use]
    pub fn new(mut components: Value) -> Self {
        translate(&mut components);
        Self(components)
    }

    /// One of them; `null` if there is none of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> &Value {
        &self.0["schemas"][name]
    }

    /// What a value has to be by a schema of the document.
    ///
    /// # Panics
    ///
    /// If the schema refers to one that the document does not have, or has a wrong pattern.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the schemas are a part of this program; its tests compile them"
    )]
    pub fn validator(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        translate(&mut schema);
        schema["components"] = self.0.clone();
        let options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true);
        options.build(&schema).expect("a schema of requests.json")
    }
}

fn translate(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(translate),
        Value::Object(fields) => {
            fields.values_mut().for_each(translate);
            require_only_what_there_is(schema);
            allow_null(schema);
        }
        _ => {}
    }
}

/// Translates `nullable: true`, which JSON Schema does not have.
fn allow_null(schema: &mut Value) {
    if schema["nullable"] == true
        && let Some(fields) = schema.as_object_mut()
    {
        fields.remove("nullable");
        *schema = json!({ "anyOf": [schema.take(), { "type": "null" }] });
    }
}

/// The body of `PUT /api/links/{id}/` requires an institution and a user name and has neither among
/// its properties: the list is that of the POST. A loan requires a field whose name is misspelt.
fn require_only_what_there_is(schema: &mut Value) {
    let Some(properties) = schema["properties"].as_object().cloned() else {
        return;
    };
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| {
            let name = name.as_str();
            name.is_some_and(|name| properties.contains_key(name))
        });
    }
}
