//! Belvo's OpenAPI 3.0 schemas as JSON Schema, corrected in the few places where the specification
//! contradicts itself.

#![expect(
    clippy::unwrap_used,
    reason = "the specification is a file of this repository"
)]

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

const SPECIFICATION: &str = include_str!("../belvo-openapi-subset.json");

/// The components of the specification as JSON Schema.
pub(crate) struct Specification(Value);

impl Specification {
    pub(crate) fn read() -> Self {
        let mut document: Value = serde_json::from_str(SPECIFICATION).unwrap();
        let mut components = document["components"].take();

        // A typo in a list of required keys: the property is called `total_effective_cost`.
        let required = &mut components["schemas"]["AccountLoanDataOpenFinanceBrazil"]["required"];
        for name in required.as_array_mut().unwrap() {
            if name == "total_effectove_cost" {
                *name = json!("total_effective_cost");
            }
        }

        // The text says "set to null if Belvo considers it to be personal data", and the schema
        // does not allow it.
        components["schemas"]["external_id"]["nullable"] = json!(true);

        translate(&mut components);
        Self(components)
    }

    /// Validates one object of a schema.
    pub(crate) fn schema(&self, name: &str) -> Validator {
        self.validator(json!({ "$ref": format!("#/components/schemas/{name}") }))
    }

    /// Validates a list of such objects.
    pub(crate) fn array_of(&self, name: &str) -> Validator {
        let items = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.validator(json!({ "type": "array", "items": items }))
    }

    /// Validates a page of such objects. The specification lists the keys of the envelope without
    /// requiring them; here they are required.
    pub(crate) fn page_of(&self, name: &str) -> Validator {
        let mut page = self.0["schemas"]["common_pagination_properties"].clone();
        let items = json!({ "$ref": format!("#/components/schemas/{name}") });
        page["properties"]["results"] = json!({ "type": "array", "items": items });
        page["required"] = json!(["count", "next", "previous", "results"]);
        self.validator(page)
    }

    /// Validates the body of a response.
    pub(crate) fn response(&self, name: &str) -> Validator {
        self.validator(self.0["responses"][name]["content"]["application/json"]["schema"].clone())
    }

    fn validator(&self, mut schema: Value) -> Validator {
        schema["components"] = self.0.clone();
        let options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true);
        options.build(&schema).unwrap()
    }
}

/// Panics with the first things that are wrong with `value`.
pub(crate) fn assert_valid(validator: &Validator, value: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .take(5)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn translate(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(translate),
        Value::Object(fields) => {
            fields.values_mut().for_each(translate);
            require_no_more_than_presence(schema);
            close(schema);
            allow_null(schema);
        }
        _ => {}
    }
}

/// "Required" in this specification means that the key is present. Its value may be null even if
/// the schema does not say `nullable` (chapter "Required and nullable fields").
fn require_no_more_than_presence(schema: &mut Value) {
    let Some(required) = schema["required"].as_array().cloned() else {
        return;
    };
    let names = required.iter().filter_map(Value::as_str);
    for name in names.filter(|name| *name != "id") {
        let property = &mut schema["properties"][name];
        *property = json!({ "anyOf": [property.take(), { "type": "null" }] });
    }
}

/// Rows, accounts and links may have only documented fields; errors may have others.
fn close(schema: &mut Value) {
    let properties = &schema["properties"];
    let is_error = properties.get("code").is_some() && properties.get("message").is_some();
    if properties.is_object() && schema["type"] == "object" && !is_error {
        schema["additionalProperties"] = json!(false);
    }
}

/// Translates `nullable: true`, which also applies to enums that do not list null.
fn allow_null(schema: &mut Value) {
    if schema["nullable"] == true {
        schema.as_object_mut().unwrap().remove("nullable");
        *schema = json!({ "anyOf": [schema.take(), { "type": "null" }] });
    }
}
