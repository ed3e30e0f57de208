//! What a request has that Belvo's OpenAPI document does not allow.

use std::fmt;

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde::Serialize;

use crate::errors::{ApiError, codes};

/// One thing that is wrong with one request. Never holds a value of the request: it may be a key.
#[derive(Debug, Clone, Serialize)]
pub struct Violation {
    /// The method of the request.
    pub method: String,
    /// Its path.
    pub path: String,
    /// The parameter or the field of the body; the parts of a nested one are joined by dots.
    pub field: Option<String>,
    /// Belvo's code for it.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Violation {
    pub(super) fn new(code: &'static str, field: &str) -> Self {
        Self {
            method: String::new(),
            path: String::new(),
            field: (!field.is_empty()).then(|| field.to_owned()),
            code,
            message: codes::message(code).to_owned(),
        }
    }

    /// Belvo has no such path, or no such method of it.
    pub(super) fn route() -> Self {
        Self::new("not_found", "").saying("There is no such path, or no such method of it.")
    }

    pub(crate) fn is_route(&self) -> bool {
        self.code == "not_found" && self.field.is_none()
    }

    pub(super) fn unknown_parameter(name: &str) -> Self {
        Self::new("validation_error", name).saying("There is no such query parameter.")
    }

    pub(super) fn content_type() -> Self {
        Self::new("parse_error", "").saying("The content type must be application/json.")
    }

    pub(super) fn unreadable() -> Self {
        Self::new("parse_error", "")
    }

    /// What a schema says against a value.
    pub(super) fn of(error: &ValidationError<'_>) -> Self {
        let path = error.instance_path().to_string();
        let path = path.trim_start_matches('/').replace('/', ".");
        let value = error.instance();
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let missing = property.as_str().unwrap_or_default();
                let field = [path.as_str(), missing];
                let parts = field.into_iter().filter(|part| !part.is_empty());
                Self::new("required", &parts.collect::<Vec<_>>().join("."))
            }
            _ if value.is_null() => Self::new("null", &path),
            _ if **value == "" => Self::new("blank", &path),
            ValidationErrorKind::Enum { .. } => Self::new("invalid_choice", &path),
            ValidationErrorKind::Format { format } if format == "uuid" => {
                Self::new("invalid", &path).saying("Must be a valid UUID.")
            }
            ValidationErrorKind::Format { format } if format == "date" => {
                Self::new("invalid", &path)
                    .saying("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.")
            }
            ValidationErrorKind::Type { .. } if path == "fetch_resources" => {
                Self::new("not_a_list", &path)
            }
            _ => Self::new("invalid", &path).saying(&error.masked().to_string()),
        }
    }

    pub(super) fn about(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    pub(super) fn not_found(mut self) -> Self {
        self.code = "not_found";
        self
    }

    fn saying(mut self, message: &str) -> Self {
        message.clone_into(&mut self.message);
        self
    }

    pub(super) fn in_call(&mut self, method: &str, path: &str) {
        method.clone_into(&mut self.method);
        path.clone_into(&mut self.path);
    }

    /// Belvo's answer to it.
    pub(crate) fn error(&self) -> ApiError {
        match (self.code, &self.field) {
            ("not_found", Some(field)) if field == "page" => {
                ApiError::new("not_found").with("message", "Invalid page.")
            }
            ("not_found", _) | (_, None) => ApiError::new(self.code),
            (code, Some(field)) => ApiError::field(code, field).with("message", &self.message),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.path)?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{} ({})", self.message, self.code)
    }
}
