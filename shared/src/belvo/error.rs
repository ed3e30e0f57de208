//! What went wrong at Belvo, named after what the caller does next: the only place that decides
//! whether a call is repeated; the table is `RULES`. [`domain::BlockReason`] says which codes block
//! a link.

use std::{fmt, time::Duration};

use domain::{Failure, Hidden};
use reqwest::StatusCode;
use serde_json::Value;
use thiserror::Error;

use super::wire::ErrorEntry;
use crate::{
    advice::{
        Advice::{self, Alarm, Retry, Stop},
        FIRST_RETRY,
    },
    secret::SecretError,
    store::StoreError,
};

/// A failed call to Belvo.
#[derive(Debug, Error)]
pub enum BelvoError {
    /// Belvo cannot answer now. The wait is the one it names, or the documented one.
    #[error("Belvo asks to retry later (HTTP {status}, {code})")]
    Later {
        /// HTTP status of the answer.
        status: u16,
        /// Belvo's code; `html` for an answer from the firewall in front of Belvo, `none` where
        /// there is no code.
        code: String,
        /// The minimum wait.
        after: Duration,
    },
    /// Belvo refused this request and would refuse it again.
    #[error("Belvo refused the request (HTTP {status}, {code})")]
    Rejected {
        /// HTTP status of the answer.
        status: u16,
        /// Belvo's code, such as `invalid_link`.
        code: String,
        /// Belvo's explanation.
        message: Explanation,
        /// The field of the request that Belvo names, if any.
        field: Option<String>,
        /// Belvo's id for this answer, which its support asks for.
        belvo_request_id: Option<String>,
    },
    /// Belvo does not accept our keys, or what they may do: every call will fail until an operator
    /// corrects them.
    #[error("Belvo does not accept the API keys (HTTP {status}, {code})")]
    NeedsOperator {
        /// HTTP status of the answer.
        status: u16,
        /// Belvo's code, such as `authentication_failed`.
        code: String,
        /// The wait until the keys may be read again, if they were read so lately that they may
        /// have been rotated since.
        retry_after: Option<Duration>,
    },
    /// So many requests wait to be sent to Belvo already that this one was not. It may be after
    /// this time.
    #[error("too many requests to Belvo wait already")]
    TooManyRequests {
        /// The time until none of them waits any more.
        after: Duration,
    },
    /// It is not known when a request may be sent, so nothing was.
    #[error("the pace of requests to Belvo is not known")]
    NoPace(#[from] StoreError),
    /// Others waited while Belvo did not answer, so that the caller no longer waits.
    #[error("Belvo did not answer while others waited")]
    Interrupted {
        /// Whether the request had been sent. If not, it waited for its turn.
        was_sent: bool,
    },
    /// Our request could not be built, so nothing was sent.
    #[error("the request to Belvo could not be built: {0}")]
    Unsendable(&'static str),
    /// No connection was made, so Belvo has not seen the request.
    #[error("Belvo could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The request was sent, but no complete answer arrived: Belvo may or may not have acted on it.
    #[error("Belvo did not answer")]
    Unanswered(#[source] reqwest::Error),
    /// Belvo's answer is not one that this version understands.
    #[error("Belvo's answer is not of the documented shape: {0}")]
    Unreadable(&'static str),
    /// Belvo's answer has more bytes than are taken of one; of a page, more even for a single row.
    #[error("Belvo's answer is too large")]
    TooLarge,
    /// Our keys could not be read.
    #[error("the Belvo API keys could not be read")]
    Keys(#[from] SecretError),
}

/// Belvo's own words, which may quote what a person entered.
#[derive(Clone, PartialEq, Eq)]
pub struct Explanation(String);

impl Explanation {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hidden::of(&self.0).fmt(f)
    }
}

/// One line of the classification. The first line that matches an answer applies; `code: ""`
/// matches any. docs/ERRORS.md has the same table.
struct Rule {
    statuses: std::ops::RangeInclusive<u16>,
    code: &'static str,
    advice: Advice,
}

/// Belvo's code for a month with no retrieval left, in answers and in webhooks.
pub const NO_RETRIEVAL_LEFT: &str = "operational_limits_reached";

/// Stands in for the code of an answer that has none.
pub(super) const NO_CODE: &str = "none";
/// Stands in for the code of an HTML answer, which comes from the firewall in front of Belvo and
/// has none.
pub(super) const HTML: &str = "html";
/// Belvo's code for what it does not have.
pub(super) const NOT_FOUND: &str = "not_found";

const fn rule(statuses: std::ops::RangeInclusive<u16>, code: &'static str, advice: Advice) -> Rule {
    Rule {
        statuses,
        code,
        advice,
    }
}

const fn seconds(seconds: u64) -> Advice {
    Retry(Duration::from_secs(seconds))
}

/// Belvo's answers and what follows from them. Sources: Belvo's OpenAPI ("50x: exponential
/// back-off, base three seconds"), its error pages (120 s after `too_many_sessions`; "retry later"
/// for institutions and for exceeded request limits; ten minutes between refreshes) and its
/// checklist (an HTML 403 means over 80 requests in 30 seconds from one address).
const RULES: &[Rule] = &[
    rule(400..=400, "too_many_sessions", seconds(120)),
    rule(400..=400, "institution_down", seconds(900)),
    rule(400..=400, "institution_unavailable", seconds(900)),
    rule(400..=400, "unavailable_data", seconds(900)),
    rule(401..=401, "consent_without_accounts", Stop),
    rule(401..=401, "", Alarm),
    rule(400..=499, HTML, seconds(30)),
    rule(403..=403, "access_to_production_denied", Alarm),
    rule(403..=403, "access_to_resource_denied", Alarm),
    rule(403..=403, "permission_denied", seconds(900)),
    rule(403..=403, "quota_limit_reached", seconds(900)),
    // Without Belvo's error body something between us and Belvo has answered, such as a proxy that
    // is being deployed. It says nothing about what was asked for.
    rule(403..=403, NO_CODE, Retry(FIRST_RETRY)),
    rule(404..=404, NO_CODE, Retry(FIRST_RETRY)),
    rule(410..=410, NO_CODE, Retry(FIRST_RETRY)),
    rule(408..=408, "", seconds(60)),
    rule(409..=409, "link_refreshed", seconds(600)),
    rule(429..=429, "", seconds(30)),
    rule(500..=599, "", seconds(3)),
    // Whatever else Belvo calls our mistake or the user's: login_error, invalid_link,
    // token_required, operational_limits_reached, validation errors, unknown ids and codes yet to
    // come.
    rule(400..=499, "", Stop),
];

/// What follows from an answer.
fn advice(status: u16, code: &str) -> Advice {
    let applies = |rule: &&Rule| {
        rule.statuses.contains(&status) && (rule.code.is_empty() || rule.code == code)
    };
    RULES.iter().find(applies).map_or(Stop, |rule| rule.advice)
}

impl BelvoError {
    /// What the caller does about it.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Later { after, .. }
            | Self::TooManyRequests { after }
            | Self::NeedsOperator {
                retry_after: Some(after),
                ..
            } => Retry(*after),
            Self::NoPace(error) => error.advice(),
            Self::Rejected { .. } | Self::TooLarge => Stop,
            Self::NeedsOperator { .. } | Self::Unsendable(_) | Self::Keys(_) => Alarm,
            Self::Unreachable(_)
            | Self::Unanswered(_)
            | Self::Interrupted { .. }
            | Self::Unreadable(_) => Retry(FIRST_RETRY),
        }
    }

    /// Whether Belvo may have acted on the request although it did not say so. Such a POST must not
    /// be repeated: it may already have cost a retrieval.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Unanswered(_) | Self::Unreadable(_) | Self::TooLarge => true,
            Self::Interrupted { was_sent } => *was_sent,
            Self::Later { status, .. } => *status == 408 || *status >= 500,
            _ => false,
        }
    }

    /// The refusal of keys that may have been rotated since they were read.
    pub(super) fn retried_after(self, wait: Duration) -> Self {
        match self {
            Self::NeedsOperator { status, code, .. } => Self::NeedsOperator {
                status,
                code,
                retry_after: Some(wait),
            },
            other => other,
        }
    }

    /// Reads an answer that is not 2xx. Its body may be anything, also HTML.
    #[must_use]
    pub fn from_answer(
        status: StatusCode,
        retry_after: Option<Duration>,
        html: bool,
        body: &[u8],
    ) -> Self {
        let status = status.as_u16();
        let entry = first_entry(body);
        let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
        let named = if html {
            Some(HTML.to_owned())
        } else {
            text(entry.code)
        };
        let named = named.unwrap_or_else(|| NO_CODE.to_owned());
        let code = Failure::readable_code(&named);
        match advice(status, &named) {
            Retry(after) => Self::Later {
                status,
                code,
                after: retry_after.unwrap_or(after),
            },
            Alarm => Self::NeedsOperator {
                status,
                code,
                retry_after: None,
            },
            Stop => Self::Rejected {
                status,
                code,
                message: Explanation(text(entry.message).unwrap_or_default()),
                field: text(entry.field),
                belvo_request_id: text(entry.request_id),
            },
        }
    }
}

impl From<reqwest::Error> for BelvoError {
    fn from(error: reqwest::Error) -> Self {
        // The address is ours, but its query names a link.
        let error = error.without_url();
        if error.is_connect() {
            Self::Unreachable(error)
        } else {
            Self::Unanswered(error)
        }
    }
}

/// Belvo's error body is an array of entries; gateways in front of it send an object or no JSON at
/// all.
fn first_entry(body: &[u8]) -> ErrorEntry {
    let array = serde_json::from_slice::<Vec<ErrorEntry>>(body)
        .ok()
        .and_then(|entries| entries.into_iter().next());
    array
        .or_else(|| serde_json::from_slice(body).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str) -> BelvoError {
        let body = format!(
            r#"[{{"code": "{code}", "message": "m", "request_id": "r", "field": "link"}}]"#
        );
        BelvoError::from_answer(
            StatusCode::from_u16(status).unwrap(),
            None,
            false,
            body.as_bytes(),
        )
    }

    #[test]
    fn every_documented_answer_has_its_advice() {
        let cases = [
            (400, "required", Stop),
            (400, "invalid_link", Stop),
            (400, "login_error", Stop),
            (400, "operational_limits_reached", Stop),
            (400, "too_many_sessions", seconds(120)),
            (400, "institution_down", seconds(900)),
            (401, "authentication_failed", Alarm),
            (401, "consent_without_accounts", Stop),
            (403, "access_to_resource_denied", Alarm),
            (403, "permission_denied", seconds(900)),
            (403, "quota_limit_reached", seconds(900)),
            (403, "none", seconds(3)),
            (404, "none", seconds(3)),
            (410, "none", seconds(3)),
            (404, "not_found", Stop),
            (410, "gone", Stop),
            (408, "request_timeout", seconds(60)),
            (409, "link_refreshed", seconds(600)),
            (418, "a_code_yet_to_come", Stop),
            (428, "token_required", Stop),
            (429, "", seconds(30)),
            (500, "unexpected_error", seconds(3)),
            (503, "", seconds(3)),
        ];
        for (status, code, advice) in cases {
            assert_eq!(answer(status, code).advice(), advice, "{status} {code}");
        }
    }

    #[test]
    fn the_documented_table_is_this_table() {
        let documented: Vec<_> = include_str!("../../../docs/ERRORS.md")
            .lines()
            .filter(|line| line.starts_with("| 4") || line.starts_with("| 5"))
            .collect();
        let statuses = |range: &std::ops::RangeInclusive<u16>| match (range.start(), range.end()) {
            (one, other) if one == other => one.to_string(),
            (class, _) => format!("{}xx", class / 100),
        };
        let shown = RULES.iter().map(|rule| {
            let code = match rule.code {
                "" => "any other".to_owned(),
                HTML => "HTML instead of JSON".to_owned(),
                NO_CODE => "none: not Belvo's error".to_owned(),
                code => format!("`{code}`"),
            };
            let advice = match rule.advice {
                Retry(after) => format!("again after {} s", after.as_secs()),
                Stop => "ends the request".to_owned(),
                Alarm => "alarm".to_owned(),
            };
            format!("| {} | {code} | {advice} |", statuses(&rule.statuses))
        });
        assert_eq!(documented, shown.collect::<Vec<_>>());
    }

    #[test]
    fn the_firewall_in_front_of_belvo_is_not_mistaken_for_belvo() {
        let html = b"<html><head><title>403 Forbidden</title></head></html>";
        let error = BelvoError::from_answer(StatusCode::FORBIDDEN, None, true, html);
        assert_eq!(error.advice(), seconds(30));
        assert!(!error.is_ambiguous());
    }

    #[test]
    fn belvos_words_are_not_printed() {
        let body = br#"[{"code": "login_error", "message": "Maria Plantada"}]"#;
        let error = BelvoError::from_answer(StatusCode::BAD_REQUEST, None, false, body);
        let printed = format!("{error:?} {error}");
        assert!(matches!(error, BelvoError::Rejected { .. }), "{printed}");
        assert!(!printed.contains("Plantada"), "{printed}");
    }

    #[test]
    fn a_null_beside_the_code_does_not_hide_the_code() {
        let body = br#"[{"code": "too_many_sessions", "message": null, "request_id": 7}]"#;
        let error = BelvoError::from_answer(StatusCode::BAD_REQUEST, None, false, body);
        assert_eq!(error.advice(), seconds(120));
    }

    #[test]
    fn a_wait_that_belvo_names_replaces_ours() {
        let error = BelvoError::from_answer(
            StatusCode::TOO_MANY_REQUESTS,
            Some(Duration::from_secs(7)),
            false,
            b"",
        );
        assert_eq!(error.advice(), seconds(7));
    }

    #[test]
    fn only_what_may_have_been_acted_on_is_ambiguous() {
        assert!(answer(500, "unexpected_error").is_ambiguous());
        assert!(answer(408, "request_timeout").is_ambiguous());
        assert!(!answer(429, "").is_ambiguous());
        assert!(!answer(400, "too_many_sessions").is_ambiguous());
    }

    #[test]
    fn a_refusal_keeps_what_helps_to_correct_it() {
        let BelvoError::Rejected {
            code,
            field,
            belvo_request_id,
            ..
        } = answer(400, "does_not_exist")
        else {
            panic!("a 400 is a refusal")
        };
        assert_eq!(
            (code.as_str(), field.as_deref(), belvo_request_id.as_deref()),
            ("does_not_exist", Some("link"), Some("r"))
        );
    }
}
