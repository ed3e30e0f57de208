//! What a link shows of its latest collection.

use serde::{Deserialize, Serialize};

use crate::{Collection, Days, Timestamp, Verdict};

/// What the latest collection of a resource found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCollection {
    /// When the last row was stored.
    pub at: Timestamp,
    /// The days that were fetched; absent if all were.
    #[serde(default, skip_serializing_if = "Days::is_all")]
    pub days: Days,
    /// Whether everything that Belvo announced is there, in the words of the API.
    pub verdict: String,
    /// Rows that Belvo has of these days.
    pub rows: u64,
    /// Rows that were stored for the first time, or restored.
    pub added: u64,
    /// Rows that were stored over an earlier version.
    pub modified: u64,
    /// Rows that Belvo no longer has.
    pub removed: u64,
}

impl LastCollection {
    #[must_use]
    pub fn of(collection: &Collection, verdict: Verdict) -> Self {
        let tally = &collection.tally;
        Self {
            at: collection.finished_at,
            days: collection.days,
            verdict: verdict.to_string(),
            rows: tally.rows,
            added: tally.new + tally.revived,
            modified: tally.changed,
            removed: tally.deleted,
        }
    }
}
