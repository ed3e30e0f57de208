//! Parameters of a path, a query or a header.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{schema::Schemas, violation::Violation};

/// Where a parameter is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// One parameter of an operation.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    is_required: bool,
    kind: Kind,
    validator: Validator,
}

/// How the text of a value is read.
enum Kind {
    Text,
    Number,
    /// Separated by commas, of numbers or of texts.
    List {
        of_numbers: bool,
    },
}

impl Parameter {
    pub(super) fn new(schemas: &Schemas, parameter: &Value) -> Self {
        let name = parameter["name"].as_str().unwrap_or_default();
        let mut schema = parameter["schema"].clone();
        if name == "page_size"
            && let Some(fields) = schema.as_object_mut()
        {
            // "If you enter a value greater than 1000, our API will default to the maximum value."
            fields.remove("maximum");
        }
        Self {
            name: name.to_owned(),
            place: match parameter["in"].as_str() {
                Some("path") => Place::Path,
                Some("header") => Place::Header,
                _ => Place::Query,
            },
            is_required: parameter["required"] == true,
            kind: match schema["type"].as_str() {
                Some("array") => Kind::List {
                    of_numbers: is_number(&schema["items"]),
                },
                _ if is_number(&schema) => Kind::Number,
                _ => Kind::Text,
            },
            validator: schemas.validator(&schema),
        }
    }

    /// What is wrong with a value, if anything is.
    pub(super) fn check(&self, given: Option<&str>) -> Option<Violation> {
        let Some(given) = given else {
            return self
                .is_required
                .then(|| Violation::new("required", &self.name));
        };
        let value = self.kind.read(given);
        let error = self.validator.iter_errors(&value).next()?;
        let violation = Violation::of(&error).about(&self.name);
        // Belvo does not know such an object or such a page, and says no more.
        let is_unknown = self.place == Place::Path || self.name == "page";
        Some(if is_unknown {
            violation.not_found()
        } else {
            violation
        })
    }
}

impl Kind {
    fn read(&self, text: &str) -> Value {
        match self {
            Self::Text => json!(text),
            Self::Number => number(text),
            Self::List { of_numbers } => text
                .split(',')
                .map(|item| {
                    if *of_numbers {
                        number(item)
                    } else {
                        json!(item)
                    }
                })
                .collect(),
        }
    }
}

/// A number, or the text if it is none, for the schema to refuse.
fn number(text: &str) -> Value {
    let number: Option<serde_json::Number> = text.parse().ok();
    number.map_or_else(|| json!(text), Value::Number)
}

fn is_number(schema: &Value) -> bool {
    schema["type"] == "integer" || schema["type"] == "number"
}
