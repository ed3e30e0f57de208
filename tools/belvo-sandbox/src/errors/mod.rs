//! Belvo's error bodies: a JSON array of `{code, message, request_id, …}`.

pub(crate) mod codes;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use self::codes::{UNEXPECTED_ERROR, documented};

/// An answer that is one of Belvo's errors, with an entry for each thing that is wrong.
pub(crate) struct ApiError {
    status: StatusCode,
    entries: Vec<Value>,
}

/// The error that a rule answers with. What is absent is as Belvo documents it for the code.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorSpec {
    pub(crate) code: String,
    pub(crate) status: Option<u16>,
    pub(crate) field: Option<String>,
    pub(crate) message: Option<String>,
}

impl ApiError {
    /// The error that Belvo documents for this code.
    pub(crate) fn new(code: &str) -> Self {
        let (code, status, message) = documented(code).unwrap_or(UNEXPECTED_ERROR);
        let mut entry = json!({ "code": code, "message": message, "request_id": new_id() });
        match code {
            "token_required" => {
                entry["session"] = json!(new_id());
                entry["expiry"] = json!(9_600);
                entry["token_generation_data"] = json!({
                    "instructions": "Use this code to generate the token",
                    "type": "numeric",
                    "value": "12345",
                });
            }
            "duplicated" => {
                let user = "4jlgn6vL7yifxMlhwFwTjbbzYxYoEEkJqK_CJhhZetI=";
                entry["institution_user_id"] = json!(user);
            }
            _ => {}
        }
        Self {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            entries: vec![entry],
        }
    }

    /// An error about one field of the request.
    pub(crate) fn field(code: &str, field: &str) -> Self {
        Self::new(code).with("field", field)
    }

    /// The field `field` names an object that is not there.
    pub(crate) fn does_not_exist(field: &str, id: &str) -> Self {
        let message = format!("Object with id={id} does not exist.");
        Self::field("does_not_exist", field).with("message", &message)
    }

    /// The error of a rule, in a call about `link`.
    pub(crate) fn from_rule(spec: &ErrorSpec, link: Option<&str>) -> Self {
        let mut error = Self::new(&spec.code);
        if let Some(status) = spec.status {
            let status = StatusCode::from_u16(status);
            error.status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        }
        if let Some(field) = &spec.field {
            error = error.with("field", field);
        }
        if let Some(message) = &spec.message {
            error = error.with("message", message);
        }

        match link {
            Some(link) if spec.code == "token_required" => error.with("link", link),
            _ => error,
        }
    }

    /// Sets a field of the first entry.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.entries[0][key] = json!(value);
        self
    }

    /// Fails with one answer that has the entries of all errors, if there are any.
    pub(crate) fn all(errors: impl IntoIterator<Item = Self>) -> Result<(), Self> {
        let all = errors.into_iter().reduce(|mut all, next| {
            all.entries.extend(next.entries);
            all
        });
        all.map_or(Ok(()), Err)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(Value::Array(self.entries))).into_response()
    }
}

fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}
