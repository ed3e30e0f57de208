//! Archived webhooks as the API shows them.

use domain::{LinkId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `GET /webhooks/{id}`, and an entry of `GET /links/{link}/webhooks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Webhook {
    pub(crate) id: String,
    pub(crate) link: LinkId,
    #[serde(rename = "webhook_type")]
    pub(crate) kind: String,
    #[serde(rename = "webhook_code")]
    pub(crate) code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<RequestId>,
    pub(crate) received_at: Timestamp,
    pub(crate) last_received_at: Timestamp,
    pub(crate) deliveries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replayed_at: Option<Timestamp>,
    pub(crate) ended_at: Timestamp,
    pub(crate) outcome: Outcome,
    /// As Belvo sent it; not in a listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Value>,
}

/// What became of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AnyOutcome")]
pub(crate) struct Outcome {
    pub(crate) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) written: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verdict: Option<String>,
    /// Belvo's code, or why its message was dead-lettered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

#[derive(Deserialize)]
struct AnyOutcome {
    status: String,
    rows: Option<u64>,
    written: Option<u64>,
    verdict: Option<String>,
    code: Option<String>,
    reason: Option<String>,
}

/// The answer of `POST /webhooks/{id}/replays`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Replay {
    pub(crate) replayed_at: Timestamp,
}

impl From<AnyOutcome> for Outcome {
    fn from(any: AnyOutcome) -> Self {
        Self {
            status: any.status,
            rows: any.rows,
            written: any.written,
            verdict: any.verdict,
            why: any.code.or(any.reason),
        }
    }
}

impl Outcome {
    /// Whether its rows are not here because of it.
    pub(crate) fn is_bad(&self) -> bool {
        let is_short = self
            .verdict
            .as_ref()
            .is_some_and(|verdict| verdict.starts_with("short"));
        is_short || !matches!(self.status.as_str(), "collected" | "noted")
    }
}
