//! What the API answers when it refuses.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A problem document (RFC 9457), or what API Gateway answers by itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    /// `urn:belvo-ingest:problem:<kind>`; empty if API Gateway answered.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: u16,
    /// What to do about it.
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) gateway_request_id: Option<String>,
    pub(crate) blocked: Option<Value>,
    /// What API Gateway says.
    #[serde(skip_serializing)]
    pub(crate) message: Option<String>,
}

const NO_PERMISSION: &str =
    "Use credentials that are allowed `execute-api:Invoke` on this API, for its region.";

impl Problem {
    /// The problem of an answer whose status is an error.
    #[must_use]
    pub(crate) fn of(status: u16, body: &[u8]) -> Self {
        let problem: Self = serde_json::from_slice(body).unwrap_or_default();
        Self { status, ..problem }
    }

    /// The end of its type, such as `link-blocked`.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }

    /// What to do where `detail` does not say it.
    #[must_use]
    pub(crate) fn remedy(&self) -> Option<&str> {
        let remedy_of_block = || self.blocked.as_ref()?["remedy"].as_str();
        match (self.status, self.kind.as_str()) {
            (403, "") => Some(NO_PERMISSION),
            (404, "") => Some("Is this the API of the stack, and the stack of this version?"),
            (429, "") => Some("Try again: the API's throttle refused the call."),
            _ => remedy_of_block(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind.is_empty() {
            let message = self.message.as_deref().unwrap_or("no reason");
            return write!(
                f,
                "API Gateway refused the call (HTTP {}): {message}",
                self.status
            );
        }
        write!(f, "{} (HTTP {}): {}", self.name(), self.status, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_to_correct() {
        let body = br#"{"type": "urn:belvo-ingest:problem:invalid-field", "status": 400,
            "title": "Bad Request", "detail": "date_to must not be in the future",
            "field": "date_to", "gateway_request_id": "g"}"#;
        let problem = Problem::of(400, body);
        assert_eq!(
            problem.to_string(),
            "invalid-field (HTTP 400): date_to must not be in the future"
        );
        assert_eq!(problem.field.as_deref(), Some("date_to"));
    }

    #[test]
    fn a_blocked_link_comes_with_its_remedy() {
        let body = br#"{"type": "urn:belvo-ingest:problem:link-blocked", "status": 409,
            "detail": "d", "blocked": {"reason": "deleted", "remedy": "Connect again."}}"#;
        assert_eq!(Problem::of(409, body).remedy(), Some("Connect again."));
    }

    #[test]
    fn what_api_gateway_answers_by_itself_is_a_problem_too() {
        let problem = Problem::of(403, br#"{"message": "Forbidden"}"#);
        assert_eq!(
            problem.to_string(),
            "API Gateway refused the call (HTTP 403): Forbidden"
        );
        assert_eq!(problem.remedy(), Some(NO_PERMISSION));
        assert_eq!(Problem::of(502, b"<html>").status, 502);
    }
}
