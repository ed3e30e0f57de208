//! What the outside sees of an error: a problem document (RFC 9457). The cause goes to the log
//! only.

use std::fmt::Display;

use domain::{Block, Quota};
use lambda_http::{Body, Response, http::StatusCode};
use serde::{Serialize, Serializer};

use crate::{api::BlockView, http};

/// The kind of problem. docs/API.md has the same table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    BodyTooLarge,
    CursorExpired,
    ForbiddenAddress,
    IdempotencyKeyReused,
    InProgress,
    InvalidBody,
    InvalidField,
    InvalidWebhook,
    LinkBlocked,
    NotFound,
    NotYourLink,
    QuotaExhausted,
    RefusedByBelvo,
    TooManyCalls,
    Unauthorized,
    Unavailable,
    Unconfirmed,
    Unresolved,
}

/// A problem document. `detail` says what to do; no field carries a cause, a secret or a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: ProblemKind,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    belvo_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    belvo_request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<Box<Quota>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<Box<BlockView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<bool>,
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
}

impl ProblemKind {
    /// Every kind, by name.
    pub const ALL: [Self; 18] = [
        Self::BodyTooLarge,
        Self::CursorExpired,
        Self::ForbiddenAddress,
        Self::IdempotencyKeyReused,
        Self::InProgress,
        Self::InvalidBody,
        Self::InvalidField,
        Self::InvalidWebhook,
        Self::LinkBlocked,
        Self::NotFound,
        Self::NotYourLink,
        Self::QuotaExhausted,
        Self::RefusedByBelvo,
        Self::TooManyCalls,
        Self::Unauthorized,
        Self::Unavailable,
        Self::Unconfirmed,
        Self::Unresolved,
    ];

    const fn properties(self) -> (StatusCode, &'static str) {
        match self {
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
            Self::CursorExpired => (StatusCode::GONE, "cursor-expired"),
            Self::ForbiddenAddress => (StatusCode::FORBIDDEN, "forbidden-address"),
            Self::IdempotencyKeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused")
            }
            Self::InProgress => (StatusCode::CONFLICT, "in-progress"),
            Self::InvalidBody => (StatusCode::BAD_REQUEST, "invalid-body"),
            Self::InvalidField => (StatusCode::BAD_REQUEST, "invalid-field"),
            Self::InvalidWebhook => (StatusCode::BAD_REQUEST, "invalid-webhook"),
            Self::LinkBlocked => (StatusCode::CONFLICT, "link-blocked"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Self::NotYourLink => (StatusCode::UNPROCESSABLE_ENTITY, "not-your-link"),
            Self::QuotaExhausted => (StatusCode::TOO_MANY_REQUESTS, "quota-exhausted"),
            Self::RefusedByBelvo => (StatusCode::UNPROCESSABLE_ENTITY, "refused-by-belvo"),
            Self::TooManyCalls => (StatusCode::TOO_MANY_REQUESTS, "too-many-calls"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Unconfirmed => (StatusCode::BAD_GATEWAY, "unconfirmed"),
            Self::Unresolved => (StatusCode::CONFLICT, "unresolved"),
        }
    }

    #[must_use]
    pub(crate) fn status(self) -> StatusCode {
        self.properties().0
    }

    /// Its name, the end of `urn:belvo-ingest:problem:<name>`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.properties().1
    }
}

impl Serialize for ProblemKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("urn:belvo-ingest:problem:{}", self.name()))
    }
}

impl Problem {
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let status = kind.status();
        Self {
            kind,
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            field: None,
            belvo_code: None,
            belvo_request_id: None,
            quota: None,
            blocked: None,
            request_id: None,
            gateway_request_id: None,
            reset: None,
            retry_after_seconds: None,
        }
    }

    /// A request whose field `field` is invalid.
    #[must_use]
    pub fn field(field: &str, detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::InvalidField, detail).about(Some(field))
    }

    /// A value, or the problem that names its field and says what is wrong with it.
    pub fn named<T>(field: &str, value: Result<T, impl Display>) -> Result<T, Self> {
        value.map_err(|error| Self::field(field, format!("{field} {error}")))
    }

    /// Something failed here or at AWS; the log has the cause.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Unavailable, detail)
    }

    /// A reader of changes has to forget its copy and to begin again.
    #[must_use]
    pub fn cursor_expired(detail: impl Into<String>) -> Self {
        Self {
            reset: Some(true),
            ..Self::new(ProblemKind::CursorExpired, detail).about(Some("cursor"))
        }
    }

    /// There is no such route, or nothing with this id.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::NotFound, detail)
    }

    /// Names the invalid field, if there is one.
    #[must_use]
    pub fn about(self, field: Option<&str>) -> Self {
        Self {
            field: field.map(str::to_owned),
            ..self
        }
    }

    /// Adds Belvo's code and its id for the answer, which Belvo's support asks for.
    #[must_use]
    pub fn from_belvo(self, code: &str, belvo_request_id: Option<&str>) -> Self {
        Self {
            belvo_code: Some(code.to_owned()),
            belvo_request_id: belvo_request_id.map(str::to_owned),
            ..self
        }
    }

    /// Says how much is left and when the quota resets.
    #[must_use]
    pub fn with_quota(self, quota: Quota) -> Self {
        Self {
            quota: Some(Box::new(quota)),
            ..self
        }
    }

    /// Says why a link is blocked, since when, and what a person can do about it.
    #[must_use]
    pub fn with_block(self, block: Block) -> Self {
        Self {
            blocked: Some(Box::new(block.into())),
            ..self
        }
    }

    /// Names the retrieval it is about.
    #[must_use]
    pub fn for_request(self, request_id: Option<impl Into<String>>) -> Self {
        Self {
            request_id: request_id.map(Into::into),
            ..self
        }
    }

    /// Adds API Gateway's request id, by which the log lines are found.
    #[must_use]
    pub(crate) fn at_gateway(self, gateway_request_id: &str) -> Self {
        Self {
            gateway_request_id: Some(gateway_request_id.to_owned()),
            ..self
        }
    }

    /// Says when to retry.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after_seconds: Some(seconds),
            ..self
        }
    }

    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    #[must_use]
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = http::response(self.status, "application/problem+json", &self);
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        response
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn as_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_table_is_this_one() {
        let documented: Vec<_> = include_str!("../../docs/API.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
            .filter_map(|(status, rest)| {
                let status: u16 = status.parse().ok()?;
                let name = rest.trim().strip_prefix('`')?.split_once('`')?.0;
                Some((status, name))
            })
            .collect();
        let mut kinds = ProblemKind::ALL.map(|kind| (kind.status().as_u16(), kind.name()));
        kinds.sort_unstable();
        assert_eq!(documented, kinds);
    }

    #[test]
    fn a_problem_says_what_to_correct_and_omits_what_it_does_not_know() {
        let problem = Problem::field("date_to", "date_to must not be in the future")
            .at_gateway("g-1")
            .retry_after(7);
        let response = problem.into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert_eq!(response.headers()["retry-after"], "7");
        let Body::Text(body) = response.body() else {
            panic!("a problem is text")
        };
        assert_eq!(
            body,
            "{\"type\":\"urn:belvo-ingest:problem:invalid-field\",\"title\":\"Bad Request\",\"status\":400,\
             \"detail\":\"date_to must not be in the future\",\"field\":\"date_to\",\"gateway_request_id\":\"g-1\"}"
        );
    }
}
