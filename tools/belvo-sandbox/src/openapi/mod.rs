//! Whether a request is one that Belvo's OpenAPI document allows. The document is carried in part,
//! see `openapi/trim.py`.

mod body;
mod parameter;
mod schema;
mod violation;

use std::sync::LazyLock;

use axum::http::request::Parts;
use serde_json::{Value, json};
use url::form_urlencoded;

use self::{
    body::Body,
    parameter::{Parameter, Place},
};

pub use self::{schema::Schemas, violation::Violation};

const DOCUMENT: &str = include_str!("../../openapi/requests.json");
/// Not in the document; Belvo's own client checks its keys here.
const ROOT: (&str, &str) = ("GET", "/api/");

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(operations);

/// One method of one path.
struct Operation {
    method: String,
    /// The parts of the path; `{id}` stands for any.
    segments: Vec<String>,
    parameters: Vec<Parameter>,
    body: Option<Body>,
}

/// Everything that is wrong with a request.
pub(crate) fn check(parts: &Parts, body: &[u8]) -> Vec<Violation> {
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    if (method, path) == ROOT {
        return Vec::new();
    }
    let operation = OPERATIONS
        .iter()
        .find(|operation| operation.method == method && operation.is_at(path));
    let mut violations = match operation {
        Some(operation) => operation.check(parts, body),
        None => vec![Violation::route()],
    };
    for violation in &mut violations {
        violation.in_call(method, path);
    }
    violations
}

impl Operation {
    fn is_at(&self, path: &str) -> bool {
        let mut given = path.split('/');
        let fits = |template: &String| {
            let given = given.next();
            given.is_some_and(|given| given == template || is_variable(template, given))
        };
        self.segments.iter().all(fits) && given.next().is_none()
    }

    fn check(&self, parts: &Parts, body: &[u8]) -> Vec<Violation> {
        let query = parts.uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();

        let unknown = query.iter().filter(|(name, _)| !self.knows(name));
        let mut violations: Vec<Violation> = unknown
            .map(|(name, _)| Violation::unknown_parameter(name))
            .collect();
        for parameter in &self.parameters {
            let given = match parameter.place {
                Place::Path => self.in_path(parts.uri.path()),
                Place::Query => query
                    .iter()
                    .find(|(name, _)| *name == parameter.name)
                    .map(|(_, value)| value.as_str()),
                Place::Header => parts
                    .headers
                    .get(&parameter.name)
                    .and_then(|value| value.to_str().ok()),
            };
            violations.extend(parameter.check(given));
        }
        if let Some(expected) = &self.body {
            violations.extend(expected.check(&parts.headers, body));
        }
        violations
    }

    fn knows(&self, name: &str) -> bool {
        let mut parameters = self.parameters.iter();
        parameters.any(|known| known.place == Place::Query && known.name == name)
    }

    /// The part of a path that its variable stands for; no path has two.
    fn in_path<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut segments = self.segments.iter().zip(path.split('/'));
        segments
            .find(|(template, given)| is_variable(template, given))
            .map(|(_, given)| given)
    }
}

fn is_variable(template: &str, given: &str) -> bool {
    template.starts_with('{') && !given.is_empty()
}

#[expect(
    clippy::expect_used,
    reason = "the document is a part of this program; its tests read it"
)]
fn operations() -> Vec<Operation> {
    let mut document: Value = serde_json::from_str(DOCUMENT).expect("requests.json is JSON");
    let schemas = Schemas::new(document["components"].take());
    let paths = document["paths"].as_object().expect("it has paths");
    let mut operations = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("a path has methods") {
            operations.push(Operation {
                method: method.to_uppercase(),
                segments: path.split('/').map(str::to_owned).collect(),
                parameters: list(&operation["parameters"])
                    .map(|parameter| Parameter::new(&schemas, parameter))
                    .collect(),
                body: body(&schemas, path, operation),
            });
        }
    }
    operations
}

fn body(schemas: &Schemas, path: &str, operation: &Value) -> Option<Body> {
    let body = operation.get("requestBody")?;
    let schema = &body["content"]["application/json"]["schema"];
    let update = (path == "/api/token/").then(|| update_mode(schemas));
    Some(Body::new(schemas, schema, update.as_ref()))
}

/// The token of a widget in update mode. The document has no schema for it, and the guide ("Hosted
/// widget: update mode") has `link_id` and the scopes beside the keys. What else such a request
/// carries has to be as in the others.
fn update_mode(schemas: &Schemas) -> Value {
    let mut schema = schemas.named("WidgetTokenRequestBankingBrazil").clone();
    schema["required"] = json!(["id", "password", "scopes", "link_id"]);
    schema["properties"]["link_id"] = json!({ "type": "string", "format": "uuid" });
    schema["properties"]["widget"]["required"] = json!(["branding"]);
    schema
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
