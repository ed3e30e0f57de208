//! The JSON body of a request.

use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use jsonschema::Validator;
use serde_json::Value;

use super::{schema::Schemas, violation::Violation};

/// What a body may be.
pub(super) struct Body {
    /// One of these, which overlap.
    variants: Vec<Validator>,
    /// If it names a link to update, this.
    update: Option<Validator>,
}

impl Body {
    pub(super) fn new(schemas: &Schemas, schema: &Value, update: Option<&Value>) -> Self {
        let validator = |schema: &Value| schemas.validator(schema);
        let variants = match schema["oneOf"].as_array() {
            Some(variants) => variants.iter().map(validator).collect(),
            None => vec![validator(schema)],
        };
        Self {
            variants,
            update: update.map(validator),
        }
    }

    /// What is wrong with a body, field by field, by the variant that it is closest to: with which
    /// it has the fewest wrong values, and then the fewest missing ones.
    pub(super) fn check(&self, headers: &HeaderMap, body: &[u8]) -> Vec<Violation> {
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if !kind.is_some_and(|kind| kind.starts_with(b"application/json")) {
            return vec![Violation::content_type()];
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return vec![Violation::unreadable()];
        };
        if let Some(update) = &self.update
            && body.get("link_id").is_some()
        {
            return complaints(update, &body);
        }
        let complaints = self.variants.iter().map(|schema| complaints(schema, &body));
        let distance = |complaints: &Vec<Violation>| {
            let missing = complaints.iter().filter(|each| each.code == "required");
            let missing = missing.count();
            (complaints.len() - missing, missing)
        };
        complaints.min_by_key(distance).unwrap_or_default()
    }
}

/// The first complaint about each field.
fn complaints(schema: &Validator, body: &Value) -> Vec<Violation> {
    let mut all: Vec<Violation> = Vec::new();
    for error in schema.iter_errors(body) {
        let violation = Violation::of(&error);
        if !all.iter().any(|known| known.field == violation.field) {
            all.push(violation);
        }
    }
    all
}
