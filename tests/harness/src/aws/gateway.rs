//! API Gateway: calls of the API as events of the functions ("Working with AWS Lambda proxy
//! integrations for HTTP APIs", API Gateway developer guide, payload format 2.0).

use axum::body::{Body, Bytes};
use axum::http::{Response, request::Parts};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::route_of;

/// The function of a call, and the event that it is given; `None` if the API has no such route.
#[must_use]
pub fn event_of(call: &Parts, body: &Bytes) -> Option<(&'static str, Value)> {
    let route = route_of(&call.method, call.uri.path())?;
    let function = match (call.method.as_str(), call.uri.path()) {
        ("POST", "/webhooks/belvo") => "webhook",
        ("GET", _) => "query",
        _ => "request",
    };
    Some((function, event(&route, call, body)))
}

/// What the API answers to a call of no route.
#[must_use]
pub fn not_found() -> Response<Body> {
    own(404, "Not Found")
}

/// What it answers when the function ended without an answer.
#[must_use]
pub fn unanswered() -> Response<Body> {
    own(500, "Internal Server Error")
}

/// An answer of no function.
fn own(status: u16, message: &str) -> Response<Body> {
    let body = json!({ "message": message }).to_string();
    let answer = Response::builder().status(status);
    let answer = answer.header("content-type", "application/json");
    answer.body(Body::from(body)).expect("an answer")
}

/// The answer that a function has given, as its caller receives it; `None` if it is none.
#[must_use]
pub fn answer_of(given: &Value) -> Option<Response<Body>> {
    let status = u16::try_from(given["statusCode"].as_u64()?).ok()?;
    let mut answer = Response::builder().status(status);
    for (name, value) in given["headers"].as_object().into_iter().flatten() {
        answer = answer.header(name, value.as_str()?);
    }
    let body = given["body"].as_str().unwrap_or_default();
    let body = if given["isBase64Encoded"] == true {
        Body::from(STANDARD.decode(body).ok()?)
    } else {
        Body::from(body.to_owned())
    };
    answer.body(body).ok()
}

fn event(route: &str, call: &Parts, body: &Bytes) -> Value {
    let (path, query) = (call.uri.path(), call.uri.query().unwrap_or_default());
    let headers = call.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.to_string(), json!(value))
    });
    let parameters = url::form_urlencoded::parse(query.as_bytes());
    let parameters = parameters.map(|(name, value)| (name.into_owned(), json!(value)));
    // JSON comes as text.
    let (body, is_encoded) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(body), true),
    };
    json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers.collect::<Map<_, _>>(),
        "queryStringParameters": parameters.collect::<Map<_, _>>(),
        "pathParameters": path_parameters(route, path),
        "requestContext": context(route, call),
        "isBase64Encoded": is_encoded,
        "body": Some(body).filter(|body| !body.is_empty()),
    })
}

/// What API Gateway says of a call besides.
fn context(route: &str, call: &Parts) -> Value {
    json!({
        "accountId": "000000000000",
        "apiId": "simulated",
        "domainName": "simulated",
        "domainPrefix": "simulated",
        "http": {
            "method": call.method.as_str(),
            "path": call.uri.path(),
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "simulated",
        },
        "requestId": Uuid::new_v4().to_string(),
        "routeKey": route,
        "stage": "$default",
        "time": "01/Mar/2026:00:00:00 +0000",
        "timeEpoch": 0,
    })
}

/// What stands in a path where its route has names in braces.
fn path_parameters(route: &str, path: &str) -> Map<String, Value> {
    let (_, template) = route.split_once(' ').unwrap_or_default();
    let pairs = template.split('/').zip(path.split('/'));
    let named = pairs.filter_map(|(name, value)| {
        let name = name.strip_prefix('{')?.strip_suffix('}')?;
        Some((name.to_owned(), json!(value)))
    });
    named.collect()
}
