//! What the outside sees of an error: a problem document (RFC 9457). The inside, the cause, goes to
//! the log.

use lambda_http::{Body, Response, http::StatusCode};
use serde::{Serialize, Serializer};

use crate::{
    domain::{Block, BlockView, Quota, RequestId},
    http,
};

/// A problem document. `detail` says what to do; no variant carries a cause, a secret or a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
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
    request_id: Option<RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_request_id: Option<String>,
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A problem of the given kind, such as `invalid-field`, which becomes
    /// `urn:belvo-ingest:problem:invalid-field`.
    #[must_use]
    pub fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:belvo-ingest:problem:{kind}"),
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
            retry_after_seconds: None,
        }
    }

    /// A request whose field `field` has to change.
    #[must_use]
    pub fn field(field: &str, detail: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid-field", detail)
        }
    }

    /// Something failed here or at AWS; the log has the cause.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// No route of this function takes the request.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// Names the field that has to change, where there is one.
    #[must_use]
    pub fn about(self, field: Option<&str>) -> Self {
        Self {
            field: field.map(str::to_owned),
            ..self
        }
    }

    /// Repeats Belvo's code and its id for the answer, which Belvo's support asks for.
    #[must_use]
    pub fn from_belvo(self, code: &str, belvo_request_id: Option<&str>) -> Self {
        Self {
            belvo_code: Some(code.to_owned()),
            belvo_request_id: belvo_request_id.map(str::to_owned),
            ..self
        }
    }

    /// Says what is left, and from when on there is more.
    #[must_use]
    pub fn with_quota(self, quota: Quota) -> Self {
        Self {
            quota: Some(Box::new(quota)),
            ..self
        }
    }

    /// Says what keeps a link from being used, since when, and what a person can do about it.
    #[must_use]
    pub fn with_block(self, block: Block) -> Self {
        Self {
            blocked: Some(Box::new(block.into())),
            ..self
        }
    }

    /// Names the retrieval it is about.
    #[must_use]
    pub fn for_request(self, request_id: Option<RequestId>) -> Self {
        Self { request_id, ..self }
    }

    /// Names API Gateway's id of the invocation, by which the log is found.
    #[must_use]
    pub fn at_gateway(self, gateway_request_id: &str) -> Self {
        Self {
            gateway_request_id: Some(gateway_request_id.to_owned()),
            ..self
        }
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after_seconds: Some(seconds),
            ..self
        }
    }

    /// What kind of problem it is, as a URN.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The answer to send.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
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
    fn a_problem_says_what_to_mend_and_nothing_it_does_not_know() {
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
