//! The record of one retrieval. The store and the API use one shape: its field names are those of
//! the item and of the JSON (docs/decisions/0016).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Check, Collection, Declared, Facts, Hidden, RequestId, Retrieval, Status, Timestamp, Verdict,
};

/// The code of the failure that a request ends with when its message is dead-lettered.
pub const GAVE_UP: &str = "gave_up";

/// Everything known about one retrieval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Belvo's id for the retrieval.
    pub id: RequestId,
    /// What it asks for; only the link and the resource if Belvo started it by itself.
    #[serde(flatten)]
    pub retrieval: Retrieval,
    #[serde(flatten)]
    facts: Facts,
    /// Why it ended without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The code of the webhook that announced it, such as `historical_update`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_code: Option<String>,
    /// The delivery of that webhook, if it names no request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// When its record is removed, in seconds since 1970, because nobody stood behind its link.
    #[serde(default, skip_serializing)]
    pub expires_at: Option<i64>,
    /// What the webhook said there would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
    /// What the latest collection found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<Collection>,
}

/// Belvo's own codes have up to 58 characters.
const LONGEST_CODE: usize = 64;

/// Why a retrieval brought nothing: in Belvo's words, or `gave_up` and the last reason.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Belvo's error code, such as `login_error`, or `gave_up`.
    pub code: String,
    /// May quote what a person entered. Empty once the rows of the link are erased.
    pub message: String,
}

/// The code of a failure that names none, or a text in its place.
const UNREADABLE: &str = "unreadable";

impl Failure {
    /// What Belvo calls a code, or `unreadable` in place of a text that might be about somebody.
    #[must_use]
    pub fn readable_code(text: &str) -> String {
        let is_code = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let is_short = (1..=LONGEST_CODE).contains(&text.len());
        let is_readable = is_short && text.chars().all(is_code);
        let code = if is_readable { text } else { UNREADABLE };
        code.to_owned()
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("code", &self.code)
            .field("message", &Hidden::of(&self.message))
            .finish()
    }
}

impl RequestRecord {
    /// Whether everything that Belvo announced is stored; `None` until it is collected.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        Some(self.collection.as_ref()?.verdict(self.declared.as_ref()))
    }

    /// What the verdict rests on.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        match &self.collection {
            Some(collection) => collection.checks(self.declared.as_ref()),
            None => Vec::new(),
        }
    }

    /// The facts that decide where it stands.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            gave_up: self.failure.as_ref().is_some_and(Failure::is_ours),
            ..self.facts
        }
    }

    /// The status that follows from the facts.
    #[must_use]
    pub fn status(&self) -> Status {
        self.facts.status()
    }

    /// When it ended as its status says; `None` if it has not ended.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        let facts = &self.facts;
        let latest = self.collection.as_ref().map(|found| found.finished_at);
        match self.status() {
            Status::Collected => latest.max(facts.collected_at),
            Status::Incomplete => facts.short_at.max(facts.incomplete_at),
            Status::Failed => facts.failed_at,
            Status::Expired => facts.expired_at,
            _ => None,
        }
    }
}

impl Failure {
    /// Whether it says that a message was dead-lettered, rather than why Belvo has no rows.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.code == GAVE_UP
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Tally;

    fn record(facts: Value) -> RequestRecord {
        let mut record = json!({
            "id": "b5d0106ac9cc43d5b36199fe831f6bbe",
            "link": "bcca0da9-a4c6-4830-9676-1d54682851d9",
            "resource": "transactions",
        });
        let Value::Object(facts) = facts else {
            panic!("facts are an object")
        };
        record.as_object_mut().unwrap().extend(facts);
        serde_json::from_value(record).unwrap()
    }

    const AT: &str = "2026-03-01T00:00:00.000Z";

    #[test]
    fn a_record_without_a_window_is_one_that_belvo_started() {
        assert_eq!(record(json!({})).retrieval.window, None);
        let asked = record(json!({"date_from": "2026-01-01", "date_to": "2026-01-31"}));
        assert_eq!(
            asked.retrieval.window.unwrap().to_string(),
            "2026-01-01..2026-01-31"
        );
    }

    #[test]
    fn a_request_that_ends_twice_in_one_way_ends_at_two_times() {
        let at = |minute: u8| format!("2026-03-01T00:0{minute}:00.000Z");
        let collection = |minute: u8| {
            let mut found = serde_json::to_value(Tally::default()).unwrap();
            for (name, value) in [
                ("started_at", json!(AT)),
                ("finished_at", json!(at(minute))),
            ] {
                found[name] = value;
            }
            (found["unchanged"], found["accounts"]) = (json!(0), json!(0));
            found
        };
        let ended_at = |facts| record(facts).ended_at().map(|at| at.to_string());
        for (facts, expected) in [
            (json!({}), None),
            (
                json!({"collected_at": at(1), "collection": collection(1)}),
                Some(1),
            ),
            (
                json!({"collected_at": at(1), "short_at": at(2), "collection": collection(2)}),
                Some(2),
            ),
            (
                json!({"short_at": at(2), "incomplete_at": at(3), "collection": collection(2)}),
                Some(3),
            ),
            (
                json!({"collected_at": at(1), "collection": collection(4)}),
                Some(4),
            ),
            (json!({"failed_at": at(5)}), Some(5)),
            (json!({"expired_at": at(6)}), Some(6)),
        ] {
            assert_eq!(ended_at(facts.clone()), expected.map(at), "{facts}");
        }
    }

    #[test]
    fn a_code_is_read_and_a_text_in_its_place_is_not() {
        for code in ["login_error", "a", "v1.2-x", &"a".repeat(64)] {
            assert_eq!(Failure::readable_code(code), code);
        }
        for text in ["", "Maria Plantada", "maria@example", &"a".repeat(65)] {
            assert_eq!(Failure::readable_code(text), UNREADABLE);
        }
    }

    #[test]
    fn a_request_that_was_given_up_is_not_one_that_belvo_failed() {
        let failed =
            |code| record(json!({"failed_at": AT, "failure": {"code": code, "message": ""}}));
        assert!(failed(GAVE_UP).facts().gave_up);
        assert!(!failed("login_error").facts().gave_up);
        assert!(!record(json!({})).facts().gave_up);
    }

    #[test]
    fn a_record_survives_json() {
        let collection = json!({
            "started_at": AT, "finished_at": AT, "days": {"from": "2026-01-01"}, "pages": 3, "rows": 9, "counted": 11, "new": 5, "changed": 1,
            "unchanged": 3, "revived": 0, "deleted": 0, "accounts": 2
        });
        let whole = record(json!({
            "date_from": "2026-01-01", "date_to": "2026-01-31",
            "account": "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e", "issued_at": AT,
            "failure": {"code": "login_error", "message": "no"}, "declared": {"total_transactions": 11},
            "collection": collection
        }));
        assert_eq!(whole.verdict(), Some(Verdict::Short(2)));
        let rests_on = whole.checks().into_iter().map(|check| check.what);
        assert_eq!(rests_on.collect::<Vec<_>>(), ["rows_of_pages"]);
        assert_eq!(record(json!({})).checks(), []);
        let json = serde_json::to_value(&whole).unwrap();
        assert_eq!(
            serde_json::from_value::<RequestRecord>(json).unwrap(),
            whole
        );
    }
}
