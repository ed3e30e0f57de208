//! What a link shows of its latest collections.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Collection, Days, Timestamp, Verdict};

/// What the latest collection of a resource found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCollection {
    /// When the last row was stored.
    pub at: Timestamp,
    /// The days that were fetched; absent if all were.
    #[serde(default, skip_serializing_if = "Days::is_all")]
    pub days: Days,
    /// The account whose rows were fetched; absent if those of all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
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

/// The latest collection of a resource that somebody asked for and that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedCollection {
    pub asked_at: Timestamp,
    pub ended_at: Timestamp,
    /// Belvo's error code, or `gave_up`, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl LastCollection {
    #[must_use]
    pub fn of(collection: &Collection, account: Option<AccountId>, verdict: Verdict) -> Self {
        let tally = &collection.tally;
        Self {
            at: collection.finished_at,
            days: collection.days,
            account,
            verdict: verdict.to_string(),
            rows: tally.rows,
            added: tally.new + tally.revived,
            modified: tally.changed,
            removed: tally.deleted,
        }
    }

    /// Whether it changed anything that was stored.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.added + self.modified + self.removed > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tally, timestamp::at};

    fn last(tally: Tally) -> LastCollection {
        let collection = Collection {
            started_at: at(0),
            finished_at: at(9),
            days: Days::ALL,
            tally,
            proven: true,
            left_out: Vec::new(),
            was_empty: false,
            unchanged: 0,
            accounts: 0,
            stored: None,
        };
        LastCollection::of(&collection, None, Verdict::Short(2))
    }

    #[test]
    fn restored_rows_are_added_like_new_ones() {
        let found = last(Tally {
            rows: 20,
            new: 2,
            changed: 3,
            revived: 5,
            deleted: 7,
            ..Tally::default()
        });
        let expected = LastCollection {
            at: at(9),
            days: Days::ALL,
            account: None,
            verdict: "short by 2".to_owned(),
            rows: 20,
            added: 7,
            modified: 3,
            removed: 7,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_collection_that_wrote_and_removed_nothing_has_no_changes() {
        let rows = |new, changed, deleted| Tally {
            rows: 20,
            new,
            changed,
            deleted,
            ..Tally::default()
        };
        assert!(!last(rows(0, 0, 0)).has_changes());
        for tally in [rows(1, 0, 0), rows(0, 1, 0), rows(0, 0, 1), rows(1, 1, 2)] {
            assert!(last(tally.clone()).has_changes(), "{tally:?}");
        }
    }
}
