//! Calls of the API as a text, and what must hold of every answer.

use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_http::{Body, Request, Response};
use serde_json::{Map, Value, json};
use test_harness::{Documented, assert_acceptable, assert_documented};
use url::form_urlencoded;

/// A word of ours in a refusal would be about our insides.
const INTERNAL: [&str; 12] = [
    ".rs", "::", "arn:", "AWS", "Dynamo", "SQS", "serde", "panic", "unwrap", "Error", "expected",
    "_link",
];

/// A call of a route. As a text, it has the route in its first line, such as
/// `GET /links/{link}/changes`, the path's parameters in the second, written like a query, the
/// query in the third, the `Idempotency-Key` in the fourth, and the body behind it.
pub(crate) struct Call<'a> {
    pub(crate) route: &'static str,
    path: &'a [u8],
    query: &'a [u8],
    key: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl<'a> Call<'a> {
    /// Reads a call of one of these routes: API Gateway answers all others by itself.
    pub(crate) fn parse(text: &'a [u8], routes: &[&'static str]) -> Option<Self> {
        let mut lines = text.splitn(5, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let route = line();
        Some(Self {
            route: routes.iter().find(|one| one.as_bytes() == route)?,
            path: line(),
            query: line(),
            key: line(),
            body: line(),
        })
    }

    /// A call without parameters.
    pub(crate) fn of(route: &'static str, body: &'a [u8]) -> Self {
        let nothing: &[u8] = b"";
        Self {
            route,
            path: nothing,
            query: nothing,
            key: nothing,
            body,
        }
    }

    /// A call without a body.
    pub(crate) fn get(route: &'static str, path: &'a [u8], query: &'a [u8]) -> Self {
        Self {
            path,
            query,
            ..Self::of(route, b"")
        }
    }

    /// The value of a parameter of the query: of several, the first; an empty one counts as none.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        first(self.query, name).filter(|value| !value.is_empty())
    }

    /// Panics unless docs/openapi.json has the call: one that it lacks must not be let through.
    pub(crate) fn assert_acceptable(&self) {
        let given = |within: &str, name: &str| match within {
            "path" => first(self.path, name),
            "query" => self.parameter(name),
            _ => self.idempotency_key(),
        };
        let mut body: Option<Value> = serde_json::from_slice(self.body).ok();
        if let Some(Value::Object(fields)) = &mut body {
            // Those count as absent.
            fields.retain(|_, value| !value.is_null());
        }
        assert_acceptable(self.route, given, body.as_ref());
    }

    /// The header, if there is one.
    fn idempotency_key(&self) -> Option<String> {
        let bytes = self.key.iter().map(|byte| char::from(byte & 0x7f));
        let key: String = bytes.filter(|c| !c.is_control()).collect();
        Some(key).filter(|key| !key.is_empty())
    }

    /// As API Gateway passes it on.
    pub(crate) fn request(&self, authorization: &str) -> Request {
        let (method, path) = self.route.split_once(' ').expect("a route");
        let parameters = form_urlencoded::parse(self.path);
        let mut by_name = Map::new();
        for (name, value) in parameters {
            let value = Value::from(value);
            by_name.entry(name).or_insert(value);
        }
        let mut headers = json!({ "authorization": authorization });
        if let Some(key) = self.idempotency_key() {
            headers["idempotency-key"] = Value::from(key);
        }
        let event = json!({
            "version": "2.0",
            "routeKey": self.route,
            "rawPath": path,
            "rawQueryString": in_an_address(self.query),
            "headers": headers,
            "isBase64Encoded": true,
            "body": STANDARD.encode(self.body),
            "pathParameters": by_name,
            "requestContext": {
                "http": {
                    "method": method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                },
                "routeKey": self.route,
                "requestId": "gateway",
                "stage": "$default",
                "timeEpoch": 0,
            },
        });
        lambda_http::request::from_str(&event.to_string()).expect("an event")
    }
}

/// The first value of a parameter.
fn first(query: &[u8], name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query);
    let (_, value) = pairs.find(|(one, _)| one == name)?;
    Some(value.into_owned())
}

/// Bytes as they may stand in the query of an address.
fn in_an_address(query: &[u8]) -> String {
    let shown = |byte: &u8| match byte {
        b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{'..=b'}' => format!("%{byte:02X}"),
        byte if byte.is_ascii_graphic() => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    query.iter().map(shown).collect()
}

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// Reads an answer, which must be one that docs/openapi.json has of the route; and if it is a
    /// refusal, one that says what to do and nothing of our insides.
    pub(crate) fn read(route: &str, answer: &Response<Body>) -> Self {
        let (status, bytes) = (answer.status().as_u16(), answer.body().as_ref());
        let body = serde_json::from_slice(bytes).expect("an answer is JSON");
        let media_type = answer.headers()["content-type"].to_str().expect("a text");
        let documented = Documented {
            status,
            media_type,
            body: &body,
        };
        assert_documented(route, documented);
        let answer = Self { status, body };
        if status >= 400 {
            answer.assert_useful();
        }
        answer
    }

    fn assert_useful(&self) {
        let problem = &self.body;
        assert_eq!(problem["status"], self.status, "{problem}");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!((10..600).contains(&detail.chars().count()), "{problem}");
        let found = INTERNAL.into_iter().find(|word| detail.contains(word));
        assert_eq!(found, None, "{problem}");
        if self.kind() == Some("invalid-field") {
            assert!(problem["field"].is_string(), "{problem}");
        }
    }

    /// The kind of a problem.
    pub(crate) fn kind(&self) -> Option<&str> {
        let kind = self.body["type"].as_str()?;
        kind.strip_prefix("urn:belvo-ingest:problem:")
    }

    /// The field that a problem names.
    pub(crate) fn field(&self) -> Option<&str> {
        self.body["field"].as_str()
    }
}
