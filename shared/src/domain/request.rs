//! The record of one retrieval: facts that are each written once, and the status that follows from
//! them. Because no fact takes another back, a webhook before the 202, a duplicate or a reordered
//! message all end in the same record.

use serde::{Deserialize, Serialize};

use super::{
    AccountId, Check, Collection, Declared, Direction, Facts, GAVE_UP, LinkId, RequestId, Resource,
    Status, Timestamp, Verdict, Window,
};

/// Everything known of one retrieval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Belvo's id of the retrieval.
    pub id: RequestId,
    /// The link whose data it brings.
    pub link: LinkId,
    /// What it brings.
    pub resource: Resource,
    /// The days it asks for; absent when Belvo started the retrieval by itself.
    #[serde(flatten)]
    pub window: Option<Window>,
    /// The one account it asks for; absent for all accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Received or sent, where it asks for one of them.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// When Belvo accepted the retrieval; absent when we did not ask for it, or do not know yet
    /// that we did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// When Belvo's webhook for it was taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
    /// When its rows were first left to another invocation. What one invocation collects has no
    /// such time: nobody would see it, and it would cost a write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collecting_at: Option<Timestamp>,
    /// When its rows were stored for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected_at: Option<Timestamp>,
    /// When it ended without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// When it was given up because Belvo never had its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<Timestamp>,
    /// When it is looked after if no webhook has come by then; absent once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Why it ended without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The code of the webhook that announced it, such as `historical_update`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_code: Option<String>,
    /// What the webhook said there would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
    /// What the latest collection found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<Collection>,
}

/// Why a retrieval brought nothing: in Belvo's words, or `gave_up` and the last reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Belvo's error code, such as `login_error`, or `gave_up`.
    pub code: String,
    /// The explanation.
    pub message: String,
}

impl RequestRecord {
    /// Whether everything is stored that Belvo said there would be, once it is collected.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        Some(self.collection.as_ref()?.verdict(self.declared.as_ref()))
    }

    /// What the verdict rests on.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        self.collection
            .as_ref()
            .map(|collection| collection.checks(self.declared.as_ref()))
            .unwrap_or_default()
    }

    /// The facts that decide where it stands.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            issued_at: self.issued_at,
            notified_at: self.notified_at,
            collecting_at: self.collecting_at,
            collected_at: self.collected_at,
            failed_at: self.failed_at,
            gave_up: self.failure.as_ref().is_some_and(Failure::is_ours),
            expired_at: self.expired_at,
            due_at: self.due_at,
        }
    }

    /// The status that follows from the facts.
    #[must_use]
    pub fn status(&self) -> Status {
        self.facts().status()
    }
}

impl Failure {
    /// Whether it says that a message was given up, and not why Belvo has no rows.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.code == GAVE_UP
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

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
    fn the_status_does_not_depend_on_the_order_in_which_facts_arrived() {
        let status = |facts| record(facts).status();
        assert_eq!(status(json!({"issued_at": AT})), Status::Issued);
        assert_eq!(status(json!({"notified_at": AT})), Status::Notified);
        assert_eq!(
            status(json!({"issued_at": AT, "notified_at": AT})),
            Status::Notified
        );
        assert_eq!(
            status(json!({"notified_at": AT, "collecting_at": AT})),
            Status::Collecting
        );
        assert_eq!(
            status(json!({"issued_at": AT, "failed_at": AT})),
            Status::Failed
        );
        assert_eq!(
            status(json!({"failed_at": AT, "collected_at": AT})),
            Status::Collected
        );
        assert_eq!(
            status(json!({"issued_at": AT, "expired_at": AT})),
            Status::Expired
        );
        assert_eq!(
            status(json!({"expired_at": AT, "notified_at": AT, "collected_at": AT})),
            Status::Collected
        );
    }

    #[test]
    fn a_record_without_a_window_is_one_that_belvo_started() {
        assert_eq!(record(json!({})).window, None);
        let asked = record(json!({"date_from": "2026-01-01", "date_to": "2026-01-31"}));
        assert_eq!(asked.window.unwrap().to_string(), "2026-01-01..2026-01-31");
    }

    #[test]
    fn a_record_survives_json() {
        let collection = json!({
            "started_at": AT, "finished_at": AT, "days": {"from": "2026-01-01"}, "pages": 3, "rows": 9, "counted": 11, "new": 5, "changed": 1,
            "unchanged": 3, "revived": 0, "deleted": 0, "accounts": 2
        });
        let whole = record(json!({
            "date_from": "2026-01-01", "date_to": "2026-01-31", "account": "a1", "issued_at": AT,
            "failure": {"code": "login_error", "message": "no"}, "declared": {"total_transactions": 11},
            "collection": collection
        }));
        assert_eq!(whole.verdict(), Some(Verdict::Short(2)));
        let json = serde_json::to_value(&whole).unwrap();
        assert_eq!(
            serde_json::from_value::<RequestRecord>(json).unwrap(),
            whole
        );
    }
}
