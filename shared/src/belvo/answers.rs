//! How Belvo answered, counted for the metrics: whether it is Belvo that is down, or we.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use lambda_http::tracing;

use super::{
    BelvoError,
    error::{HTML, NOT_FOUND},
};
use crate::telemetry::{ALWAYS, Event};

/// The answers to the calls of one piece of work. They are logged, as one line, when it is dropped,
/// so that work which is interrupted is counted, too.
#[derive(Default)]
pub(super) struct Answers {
    ok: AtomicU32,
    refused: AtomicU32,
    rate_limited: AtomicU32,
    server_errors: AtomicU32,
    unanswered: AtomicU32,
    /// How long calls waited for their turn, all together.
    waited_ms: AtomicU32,
    /// The bank that the work is about, in Belvo's words.
    institution: OnceLock<String>,
}

impl Answers {
    /// Counts the outcome of a call. What was not sent is no answer.
    pub(super) fn count<T>(&self, outcome: &Result<T, BelvoError>) {
        let class = match outcome {
            Ok(_) => &self.ok,
            Err(error) => match error {
                BelvoError::Later { status, code, .. }
                | BelvoError::Rejected { status, code, .. }
                | BelvoError::NeedsOperator { status, code, .. } => self.of_status(*status, code),
                BelvoError::TooLarge => &self.ok,
                BelvoError::Unreadable(_) => &self.server_errors,
                BelvoError::Unreachable(_)
                | BelvoError::Unanswered(_)
                | BelvoError::Interrupted { was_sent: true } => &self.unanswered,
                BelvoError::Interrupted { was_sent: false }
                | BelvoError::TooManyRequests { .. }
                | BelvoError::NoPace(_)
                | BelvoError::Unsendable(_)
                | BelvoError::Keys(_) => return,
            },
        };
        class.fetch_add(1, Relaxed);
    }

    pub(super) fn waited(&self, wait: Duration) {
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        self.waited_ms.fetch_add(wait_ms, Relaxed);
    }

    pub(super) fn are_of(&self, institution: &str) {
        self.institution.get_or_init(|| institution.to_owned());
    }

    /// How many answers there are: good, refused, rate limited, server errors, and none.
    fn counts(&self) -> [u32; 5] {
        [
            &self.ok,
            &self.refused,
            &self.rate_limited,
            &self.server_errors,
            &self.unanswered,
        ]
        .map(|count| count.load(Relaxed))
    }

    fn of_status(&self, status: u16, code: &str) -> &AtomicU32 {
        match (status, code) {
            // The firewall in front of Belvo, which answers so above 80 requests in 30 seconds.
            (429, _) | (403, HTML) => &self.rate_limited,
            // What was asked for is not there: an answer like any other.
            (404, NOT_FOUND) => &self.ok,
            (500.., _) => &self.server_errors,
            _ => &self.refused,
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        let [ok, refused, rate_limited, server_errors, unanswered] = self.counts();
        if ok + refused + rate_limited + server_errors + unanswered == 0 {
            return;
        }
        tracing::info!(
            target: ALWAYS,
            event = Event::BelvoAnswers.name(),
            institution = self.institution.get(),
            ok,
            refused,
            rate_limited,
            server_errors,
            unanswered,
            waited_ms = self.waited_ms.load(Relaxed),
            "answers of Belvo"
        );
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn counted(outcome: &Result<(), BelvoError>) -> [u32; 5] {
        let answers = Answers::default();
        answers.count(outcome);
        answers.counts()
    }

    fn answer(status: u16, is_html: bool, body: &str) -> Result<(), BelvoError> {
        let status = StatusCode::from_u16(status).unwrap();
        Err(BelvoError::from_answer(
            status,
            None,
            is_html,
            body.as_bytes(),
        ))
    }

    #[test]
    fn answers_are_counted_by_what_they_say_about_belvo() {
        let invalid = r#"[{"code": "invalid", "message": "m"}]"#;
        let not_found = r#"[{"code": "not_found", "message": "m"}]"#;
        for (outcome, expected) in [
            (Ok(()), [1, 0, 0, 0, 0]),
            (answer(404, false, not_found), [1, 0, 0, 0, 0]),
            (answer(400, false, invalid), [0, 1, 0, 0, 0]),
            (answer(401, false, "[]"), [0, 1, 0, 0, 0]),
            (answer(429, false, ""), [0, 0, 1, 0, 0]),
            (answer(403, true, "<html>"), [0, 0, 1, 0, 0]),
            (answer(503, false, ""), [0, 0, 0, 1, 0]),
            (Err(BelvoError::Unreadable("body")), [0, 0, 0, 1, 0]),
            (
                Err(BelvoError::Interrupted { was_sent: true }),
                [0, 0, 0, 0, 1],
            ),
        ] {
            assert_eq!(counted(&outcome), expected, "{outcome:?}");
        }
    }

    #[test]
    fn what_was_not_sent_is_no_answer() {
        for error in [
            BelvoError::Interrupted { was_sent: false },
            BelvoError::Unsendable("body"),
        ] {
            assert_eq!(counted(&Err(error)), [0; 5]);
        }
    }
}
