//! docs/openapi.json, with which every answer of the API must agree.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::{Draft, Validator};
use reqwest::Method;
use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../docs/openapi.json");
    serde_json::from_str(text).expect("docs/openapi.json is JSON")
});

/// By the pointer to its schema.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What the document says something about.
#[derive(Debug, Clone, Copy)]
pub struct Documented<'a> {
    pub status: u16,
    pub media_type: &'a str,
    pub body: &'a Value,
}

/// The route of a path, such as `GET /links/{link}`. API Gateway answers any other path by itself.
#[must_use]
pub fn route_of(method: &Method, path: &str) -> Option<String> {
    let templates = DOCUMENT["paths"].as_object()?.keys();
    let template = templates.into_iter().find(|one| is_of(path, one))?;
    Some(format!("{method} {template}"))
}

/// Panics unless the document has this answer of the route.
pub fn assert_documented(route: &str, answer: Documented<'_>) {
    if let Err(reason) = check(route, answer) {
        let Documented { status, body, .. } = answer;
        panic!(
            "docs/openapi.json does not have this answer of {route}, {status}: {reason}\n{body}"
        );
    }
}

/// Panics unless the document has what a call of the route was given: its parameters, by where they
/// are and by their names, and its body, which is not read where the route takes none.
pub fn assert_acceptable(
    route: &str,
    parameter: impl Fn(&str, &str) -> Option<String>,
    body: Option<&Value>,
) {
    if let Err(reason) = check_call(route, parameter, body) {
        panic!("docs/openapi.json does not have this call of {route}: {reason}");
    }
}

fn check_call(
    route: &str,
    parameter: impl Fn(&str, &str) -> Option<String>,
    body: Option<&Value>,
) -> Result<(), String> {
    let (method, path) = route.split_once(' ').unwrap_or((route, ""));
    let operation = pointer(&["paths", path, &method.to_lowercase()]);
    let parameters = DOCUMENT.pointer(&format!("{operation}/parameters"));
    let count = parameters.and_then(Value::as_array).map_or(0, Vec::len);
    for number in 0..count {
        let place = format!("{operation}/parameters/{number}");
        let (place, documented) = find(place).ok_or("no such parameter")?;
        let [within, name] = ["in", "name"].map(|field| documented[field].as_str());
        let (within, name) = (within.unwrap_or_default(), name.unwrap_or_default());
        match parameter(within, name) {
            Some(text) => {
                let value = typed(text, &documented["schema"]["type"]);
                let agreed = agree(&format!("{place}/schema"), &value);
                agreed.map_err(|reason| format!("{name}: {reason}"))?;
            }
            None if documented["required"] == true => return Err(format!("{name} is missing")),
            None => {}
        }
    }
    let schema = pointer(&["requestBody", "content", "application/json", "schema"]);
    let schema = format!("{operation}{schema}");
    match body {
        Some(body) if DOCUMENT.pointer(&schema).is_some() => agree(&schema, body),
        _ => Ok(()),
    }
}

/// A parameter's text as a value of this type.
fn typed(text: String, kind: &Value) -> Value {
    let value = match kind.as_str() {
        Some("integer") => text.parse::<i64>().ok().map(Value::from),
        Some("boolean") => text.parse::<bool>().ok().map(Value::from),
        _ => None,
    };
    value.unwrap_or(Value::String(text))
}

fn check(route: &str, answer: Documented<'_>) -> Result<(), String> {
    let (method, path) = route.split_once(' ').unwrap_or((route, ""));
    let (status, media_type) = (answer.status.to_string(), answer.media_type);
    let steps = ["paths", path, &method.to_lowercase(), "responses", &status];
    let (place, response) = find(pointer(&steps)).ok_or("no such status of the route")?;
    if response["content"].get(media_type).is_none() {
        return Err(format!("no such media type: {media_type}"));
    }
    let schema = format!("{place}{}", pointer(&["content", media_type, "schema"]));
    agree(&schema, answer.body)
}

/// Whether a value is one of the schema at this place; if not, why.
fn agree(schema: &str, value: &Value) -> Result<(), String> {
    let errors = validator(schema);
    let errors = errors.iter_errors(value).take(5);
    let errors: Vec<_> = errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("\n"))
    }
}

/// The validator of a schema, beside which everything is that the document's schemas refer to.
fn validator(schema: &str) -> Arc<Validator> {
    let mut known = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = known.entry(schema.to_owned()).or_insert_with(|| {
        let mut schema = DOCUMENT.pointer(schema).expect("a schema").clone();
        schema["components"] = DOCUMENT["components"].clone();
        let options = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true);
        Arc::new(options.build(&schema).expect("a schema"))
    });
    Arc::clone(validator)
}

/// What is at a place, or where a reference there leads, and the place of that.
fn find(place: String) -> Option<(String, &'static Value)> {
    let found = DOCUMENT.pointer(&place)?;
    match found["$ref"].as_str() {
        Some(reference) => find(reference.strip_prefix('#')?.to_owned()),
        None => Some((place, found)),
    }
}

/// A JSON pointer (RFC 6901).
fn pointer(steps: &[&str]) -> String {
    let escaped = |step: &&str| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
    steps.iter().map(escaped).collect()
}

/// Whether a path is one of a template such as `/links/{link}`.
fn is_of(path: &str, template: &str) -> bool {
    let (path, template) = (path.split('/'), template.split('/'));
    let is_equal = |(given, wanted): (&str, &str)| given == wanted || wanted.starts_with('{');
    path.clone().count() == template.clone().count() && path.zip(template).all(is_equal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::problem::{Problem, ProblemKind};

    use super::*;

    /// Every example in the document, with the place of its schema.
    fn examples(place: &str, value: &Value, found: &mut Vec<(String, Value)>) {
        if let Value::Array(elements) = value {
            for (number, element) in elements.iter().enumerate() {
                examples(&format!("{place}/{number}"), element, found);
            }
        }
        let Value::Object(fields) = value else { return };
        match fields.get("examples") {
            Some(Value::Object(named)) => {
                let values = named.values().map(|example| example["value"].clone());
                found.extend(values.map(|value| (format!("{place}/schema"), value)));
            }
            Some(Value::Array(values)) => {
                found.extend(values.iter().map(|value| (place.to_owned(), value.clone())));
            }
            _ => {}
        }
        for (name, field) in fields.iter().filter(|(name, _)| *name != "examples") {
            examples(&format!("{place}{}", pointer(&[name])), field, found);
        }
    }

    #[test]
    fn every_example_agrees_with_its_schema() {
        let mut found = Vec::new();
        examples("", &DOCUMENT, &mut found);
        for (schema, example) in &found {
            assert_eq!(agree(schema, example), Ok(()), "{schema}\n{example}");
        }
    }

    #[test]
    fn every_success_and_every_problem_has_an_example() {
        let mut found = Vec::new();
        examples("", &DOCUMENT, &mut found);
        let has = |schema: &str| found.iter().any(|(place, _)| place == schema);
        for (path, operations) in DOCUMENT["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                let content = ["content", "application/json", "schema"];
                let of = |status: &str| {
                    let responses = ["paths", path, method, "responses", status];
                    pointer(&[&responses[..], &content[..]].concat())
                };
                let is_shown = ["200", "201", "202"].map(of).iter().any(|one| has(one));
                assert!(is_shown, "{method} {path}");
            }
        }
        for kind in ProblemKind::ALL {
            let schema = pointer(&["components", "schemas", &schema_of(kind)]);
            assert!(has(&schema), "{schema}");
        }
    }

    #[test]
    fn the_problems_are_those_of_the_code() {
        let kinds = ProblemKind::ALL.map(|kind| json!(kind));
        let documented = &DOCUMENT["components"]["schemas"]["ProblemType"]["enum"];
        assert_eq!(documented, &json!(kinds));

        for kind in ProblemKind::ALL {
            let schema = &DOCUMENT["components"]["schemas"][schema_of(kind)];
            let properties = &schema["properties"];
            let status = Problem::new(kind, "").status();
            assert_eq!(properties["type"]["const"], json!(kind), "{kind:?}");
            assert_eq!(properties["status"]["const"], status, "{kind:?}");
        }
    }

    #[test]
    fn an_answer_that_the_document_lacks_is_told() {
        let answer = |status, media_type, body| {
            let answer = Documented {
                status,
                media_type,
                body,
            };
            check("GET /links/{link}/quota", answer).err()
        };
        let known = json!({"message": "Forbidden"});
        assert_eq!(answer(403, "application/json", &known), None);
        assert!(answer(404, "application/json", &known).is_some());
        assert!(answer(403, "text/html", &known).is_some());
        let more = json!({"message": "Forbidden", "why": "unsigned"});
        let reason = answer(403, "application/json", &more).unwrap();
        assert!(reason.contains("'why'"), "{reason}");
    }

    #[test]
    fn a_call_that_the_document_lacks_is_told() {
        let called = |limit: &'static str| {
            let given = move |within: &str, name: &str| {
                (within == "query" && name == "limit").then(|| limit.to_owned())
            };
            check_call("GET /quotas", given, None).err()
        };
        assert_eq!(called("500"), None);
        assert!(called("501").is_some_and(|reason| reason.starts_with("limit: ")));
        assert!(called("many").is_some());

        let missing = check_call("GET /requests", |_, _| None, None);
        assert_eq!(missing, Err("status is missing".to_owned()));
        let body = json!({"link": 7});
        assert!(check_call("POST /links", |_, _| None, Some(&body)).is_err());
    }

    #[test]
    fn a_path_has_a_route() {
        let route = |path| route_of(&Method::GET, path);
        let expected = "GET /links/{link}/transactions/{id}/history";
        assert_eq!(
            route("/links/1/transactions/a%2Fb/history").as_deref(),
            Some(expected)
        );
        assert_eq!(route("/links/1/transactions/a/b/history"), None);
        assert_eq!(route("/"), None);
    }

    /// The name of the schema of a problem, such as `InvalidFieldProblem`.
    fn schema_of(kind: ProblemKind) -> String {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        let words: String = kind.name().split('-').map(capital).collect();
        format!("{words}Problem")
    }
}
