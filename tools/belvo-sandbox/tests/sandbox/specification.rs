//! Belvo's OpenAPI 3.0 schemas as JSON Schema, with the few places where the specification
//! contradicts itself.

#![expect(
    clippy::unwrap_used,
    reason = "the specification is a file of this repository"
)]

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

const SPECIFICATION: &str = include_str!("../belvo-openapi-subset.json");

/// The components, translated.
pub(crate) struct Specification(Value);

impl Specification {
    pub(crate) fn read() -> Self {
        let mut components =
            serde_json::from_str::<Value>(SPECIFICATION).unwrap()["components"].take();
        // A typo in a list of required keys: the property is called `total_effective_cost`.
        let required = &mut components["schemas"]["AccountLoanDataOpenFinanceBrazil"]["required"];
        for name in required.as_array_mut().unwrap() {
            if name == "total_effectove_cost" {
                *name = json!("total_effective_cost");
            }
        }
        // "Set to null if Belvo considers it to be personal data", says the text; the schema does
        // not.
        components["schemas"]["external_id"]["nullable"] = json!(true);
        translate(&mut components);
        Self(components)
    }

    /// A validator of one component schema.
    pub(crate) fn schema(&self, name: &str) -> Validator {
        self.validator(json!({ "$ref": format!("#/components/schemas/{name}") }))
    }

    /// A validator of a list of it.
    pub(crate) fn array_of(&self, name: &str) -> Validator {
        let items = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.validator(json!({ "type": "array", "items": items }))
    }

    /// A validator of a page of it. The specification lists the envelope's keys without requiring
    /// them.
    pub(crate) fn page_of(&self, name: &str) -> Validator {
        let mut page = self.0["schemas"]["common_pagination_properties"].clone();
        let items = json!({ "$ref": format!("#/components/schemas/{name}") });
        page["properties"]["results"] = json!({ "type": "array", "items": items });
        page["required"] = json!(["count", "next", "previous", "results"]);
        self.validator(page)
    }

    /// A validator of a component response's body.
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

/// Panics with everything that is wrong with `value`.
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

/// "Required" in this specification means that the key is there; its value may be null even where
/// no `nullable` is declared (its chapter "Required and nullable fields").
fn require_no_more_than_presence(schema: &mut Value) {
    let Some(required) = schema["required"].as_array().cloned() else {
        return;
    };
    for name in required
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| *name != "id")
    {
        let property = &mut schema["properties"][name];
        *property = json!({ "anyOf": [property.take(), { "type": "null" }] });
    }
}

/// Rows, accounts and links have no fields beyond the documented ones. Errors may.
fn close(schema: &mut Value) {
    let is_error =
        schema["properties"].get("code").is_some() && schema["properties"].get("message").is_some();
    if schema["properties"].is_object() && schema["type"] == "object" && !is_error {
        schema["additionalProperties"] = json!(false);
    }
}

/// `nullable: true` as JSON Schema says it, enums without a null included.
fn allow_null(schema: &mut Value) {
    if schema["nullable"] == true {
        schema.as_object_mut().unwrap().remove("nullable");
        *schema = json!({ "anyOf": [schema.take(), { "type": "null" }] });
    }
}
