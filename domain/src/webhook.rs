//! What became of a webhook (docs/decisions/0032).

use serde::{Deserialize, Serialize};

use crate::{Collection, Verdict};

/// How the processing of a webhook ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum WebhookOutcome {
    /// The rows that it announced were collected.
    Collected {
        /// Rows that Belvo has of the days that were fetched.
        rows: u64,
        /// Rows that were stored for the first time, over an earlier version, or restored.
        written: u64,
        /// Rows that Belvo no longer has.
        deleted: u64,
        /// Rows that are missing by Belvo's word.
        missing: u64,
        /// Whether everything that Belvo announced is there, in the words of the API.
        verdict: String,
    },
    /// It announced no rows: what it says of its link was recorded.
    Noted,
    /// Nobody here has asked for its link, so that nothing was fetched.
    Held,
    /// It reports a failure, or Belvo refused its rows.
    Failed {
        /// Belvo's code.
        code: String,
    },
    /// Its message was moved to the dead-letter queue.
    DeadLettered { reason: String },
}

impl WebhookOutcome {
    /// The rows were collected, with this result.
    #[must_use]
    pub fn collected(collection: &Collection, verdict: Verdict) -> Self {
        let tally = &collection.tally;
        Self::Collected {
            rows: tally.rows,
            written: tally.written(),
            deleted: tally.deleted,
            missing: verdict.missing(),
            verdict: verdict.to_string(),
        }
    }

    /// The name under which it is stored and shown.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Collected { .. } => "collected",
            Self::Noted => "noted",
            Self::Held => "held",
            Self::Failed { .. } => "failed",
            Self::DeadLettered { .. } => "dead_lettered",
        }
    }

    /// Whether processing the webhook once more would bring nothing. `is_failure` says that it
    /// reports a failure itself, which stays the same; rows that Belvo refused may be there by now.
    #[must_use]
    pub fn is_settled(&self, is_failure: bool) -> bool {
        match self {
            Self::Collected { missing, .. } => *missing == 0,
            Self::Noted => true,
            Self::Failed { .. } => is_failure,
            Self::Held | Self::DeadLettered { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn collected(missing: u64) -> WebhookOutcome {
        WebhookOutcome::Collected {
            rows: 20,
            written: 3,
            deleted: 1,
            missing,
            verdict: "complete".to_owned(),
        }
    }

    #[test]
    fn a_webhook_is_settled_once_it_has_nothing_left_to_tell() {
        let failed = WebhookOutcome::Failed {
            code: "login_error".to_owned(),
        };
        let dead_lettered = WebhookOutcome::DeadLettered {
            reason: "the work panicked".to_owned(),
        };
        for (outcome, expected) in [
            (collected(0), [true, true]),
            (collected(2), [false, false]),
            (WebhookOutcome::Noted, [true, true]),
            (WebhookOutcome::Held, [false, false]),
            (failed, [false, true]),
            (dead_lettered, [false, false]),
        ] {
            let settled = [false, true].map(|is_failure| outcome.is_settled(is_failure));
            assert_eq!(settled, expected, "{outcome:?}");
        }
    }

    #[test]
    fn an_outcome_is_shown_under_its_name() {
        let failed = WebhookOutcome::Failed {
            code: "login_error".to_owned(),
        };
        let dead_lettered = WebhookOutcome::DeadLettered {
            reason: "the work panicked".to_owned(),
        };
        let others = [WebhookOutcome::Noted, WebhookOutcome::Held];
        for outcome in [collected(0), failed, dead_lettered]
            .into_iter()
            .chain(others)
        {
            let shown = serde_json::to_value(&outcome).unwrap();
            assert_eq!(shown["status"], json!(outcome.name()));
            assert_eq!(
                serde_json::from_value::<WebhookOutcome>(shown).unwrap(),
                outcome
            );
        }
    }
}
