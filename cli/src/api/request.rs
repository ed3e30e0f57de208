//! Requests as the API shows them.

pub(crate) use domain::Status;
use domain::{Days, Failure, LeftOut, LinkId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `GET /requests/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) link: LinkId,
    pub(crate) resource: String,
    pub(crate) date_from: Option<String>,
    pub(crate) date_to: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) status: Status,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) notified_at: Option<Timestamp>,
    pub(crate) ready_at: Option<Timestamp>,
    pub(crate) collecting_at: Option<Timestamp>,
    pub(crate) collected_at: Option<Timestamp>,
    pub(crate) short_at: Option<Timestamp>,
    pub(crate) incomplete_at: Option<Timestamp>,
    pub(crate) failed_at: Option<Timestamp>,
    pub(crate) expired_at: Option<Timestamp>,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) failure: Option<Failure>,
    pub(crate) webhook_code: Option<String>,
    pub(crate) verdict: Option<String>,
    #[serde(default)]
    pub(crate) compared: Vec<Check>,
    pub(crate) collection: Option<Collection>,
}

/// One of Belvo's counts or days, compared with ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) belvo: Value,
    pub(crate) ours: Value,
    pub(crate) verdict: String,
}

/// What the latest collection of a request found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Collection {
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Timestamp,
    #[serde(default)]
    pub(crate) days: Days,
    pub(crate) rows: u64,
    pub(crate) counted: u64,
    pub(crate) new: u64,
    pub(crate) changed: u64,
    pub(crate) unchanged: u64,
    pub(crate) revived: u64,
    pub(crate) deleted: u64,
    pub(crate) unstored: u64,
    #[serde(default)]
    pub(crate) left_out: Vec<LeftOut>,
}

/// `GET /links/{link}/requests`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkRequests {
    pub(crate) requests: Vec<Request>,
    #[serde(default)]
    pub(crate) unconfirmed: Vec<Unconfirmed>,
    pub(crate) next_cursor: Option<String>,
}

/// A retrieval that is being sent, or that was sent but never confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unconfirmed {
    pub(crate) resource: String,
    pub(crate) date_from: Option<String>,
    pub(crate) date_to: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) since: Timestamp,
    pub(crate) status: Status,
    pub(crate) until: Timestamp,
}

impl Request {
    /// Since when its status is what it is.
    #[must_use]
    pub(crate) fn since(&self) -> Option<Timestamp> {
        let notified_at = self.notified_at.or(self.ready_at);
        match self.status {
            Status::Issuing | Status::Issued | Status::Unknown => self.issued_at,
            Status::Notified => notified_at,
            Status::Collecting => self.collecting_at.or(notified_at),
            Status::Collected => self.collected_at,
            Status::Short => self.short_at,
            Status::Incomplete => self.incomplete_at,
            Status::Failed => self.failed_at,
            Status::Expired => self.expired_at,
        }
    }

    /// The days that were requested, if it names any.
    #[must_use]
    pub(crate) fn window(&self) -> Option<(&str, &str)> {
        Some((self.date_from.as_deref()?, self.date_to.as_deref()?))
    }
}
