//! What was seen at Belvo and when: the versions of a row and the balances of an account.

use std::fmt;

use serde_json::Value;

use crate::{RequestId, Row, RowRef, Timestamp};

/// When and by which retrieval something was seen at Belvo.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The time of the fetch.
    pub at: Timestamp,
    /// The retrieval that it belongs to; absent where Belvo names none.
    pub request: Option<RequestId>,
}

/// One version of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The row as Belvo returned it.
    pub row: Row,
    /// When this version was first seen.
    pub from: Timestamp,
    /// The retrieval that returned it.
    pub request: Option<RequestId>,
    /// When it was replaced or deleted; absent for the latest version.
    pub until: Option<Timestamp>,
    /// Whether it was deleted then, rather than replaced.
    pub deleted: bool,
    /// The retrieval that no longer returned it.
    pub deleted_by: Option<RequestId>,
    /// The transaction of an older link that it duplicates.
    pub duplicate_of: Option<RowRef>,
}

impl Version {
    /// Whether this was the version known at an instant.
    #[must_use]
    pub fn was_valid_at(&self, instant: Timestamp) -> bool {
        self.from <= instant && self.until.is_none_or(|until| instant < until)
    }
}

/// A balance as Belvo reported it.
#[derive(Clone, PartialEq)]
pub struct Balance {
    /// When Belvo read it from the institution, in Belvo's words.
    pub collected_at: Option<String>,
    /// When it was first seen here.
    pub observed_at: Timestamp,
    /// The retrieval that returned it.
    pub request: Option<RequestId>,
    /// Belvo's `balance` object.
    pub balance: Value,
}

/// Shows when it was seen only: what it is, is a person's.
impl fmt::Debug for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balance")
            .field("observed_at", &self.observed_at)
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SentRow, timestamp::at};

    fn version(from: i64, until: Option<i64>) -> Version {
        Version {
            row: Row::whole(SentRow::of(r#"{"id": "t"}"#).unwrap()).unwrap(),
            from: at(from),
            request: None,
            until: until.map(at),
            deleted: false,
            deleted_by: None,
            duplicate_of: None,
        }
    }

    #[test]
    fn a_balance_shows_when_it_was_seen() {
        let balance = Balance {
            collected_at: None,
            observed_at: at(5),
            request: None,
            balance: serde_json::json!({"current": 1234.5}),
        };
        let shown = format!("{balance:?}");
        assert!(
            shown.contains("observed_at") && !shown.contains("1234"),
            "{shown}"
        );
    }

    #[test]
    fn a_version_is_valid_from_its_first_instant_until_the_next_version() {
        let valid = |version: Version| [4, 5, 8, 9].map(|second| version.was_valid_at(at(second)));
        assert_eq!(valid(version(5, Some(9))), [false, true, true, false]);
        assert_eq!(valid(version(5, None)), [false, true, true, true]);
    }
}
