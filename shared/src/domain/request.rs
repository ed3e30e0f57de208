//! The record of one retrieval: facts that are each written once, and the status that follows from them. Because no
//! fact takes another back, a webhook before the 202, a duplicate or a reordered message all end in the same record.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

use super::{AccountId, LinkId, RequestId, Resource, Timestamp, Window};

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
    /// When Belvo accepted the retrieval; absent when we did not ask for it, or do not know yet that we did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// When Belvo's webhook for it was taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
    /// When its rows were stored for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected_at: Option<Timestamp>,
    /// When it ended without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
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

/// Where a request stands, derived from its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Belvo accepted the retrieval and works on it.
    Issued,
    /// Belvo's webhook came; the rows are being fetched.
    Notified,
    /// The rows are stored.
    Collected,
    /// It ended without rows.
    Failed,
}

/// Why a retrieval brought nothing, in Belvo's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Belvo's error code, such as `login_error`.
    pub code: String,
    /// Belvo's explanation.
    pub message: String,
}

/// The totals a webhook declares. Belvo documents them for `historical_update`; any may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Number of transactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_transactions: Option<u64>,
    /// Number of transactions into the accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_inflow_transactions: Option<u64>,
    /// Number of transactions out of the accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_outflow_transactions: Option<u64>,
    /// Day of the oldest transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_transaction_date: Option<String>,
    /// Day of the newest transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transaction_date: Option<String>,
}

/// What one collection did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// When the first page was asked for.
    pub started_at: Timestamp,
    /// When the last row was stored.
    pub finished_at: Timestamp,
    /// Pages fetched, those of repeated fetches included.
    pub pages: u64,
    /// Different rows that the fetch brought.
    pub rows: u64,
    /// Rows that Belvo's pages counted.
    pub counted: u64,
    /// Rows stored for the first time.
    pub new: u64,
    /// Rows stored over an earlier version.
    pub changed: u64,
    /// Rows that were stored already.
    pub unchanged: u64,
    /// Rows that Belvo returned again after they had been gone.
    pub revived: u64,
    /// Rows that Belvo no longer returned, marked as deleted.
    pub deleted: u64,
    /// Different accounts that the rows belong to.
    pub accounts: u64,
}

/// The number of different rows fetched, against the `count` of Belvo's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As many as counted.
    Complete,
    /// So many fewer than counted.
    Short(u64),
    /// So many more than counted.
    Over(u64),
}

impl Collection {
    /// Whether the fetch brought what Belvo counted.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.rows.cmp(&self.counted) {
            Ordering::Equal => Verdict::Complete,
            Ordering::Less => Verdict::Short(self.counted - self.rows),
            Ordering::Greater => Verdict::Over(self.rows - self.counted),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Short(by) => write!(f, "short by {by}"),
            Self::Over(by) => write!(f, "over by {by}"),
        }
    }
}

impl RequestRecord {
    /// The status that follows from the facts. Stored rows outrank a failure: a retrieval that failed once and was
    /// announced again has its data.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.collected_at.is_some() {
            Status::Collected
        } else if self.failed_at.is_some() {
            Status::Failed
        } else if self.notified_at.is_some() {
            Status::Notified
        } else {
            Status::Issued
        }
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
        let Value::Object(facts) = facts else { panic!("facts are an object") };
        record.as_object_mut().unwrap().extend(facts);
        serde_json::from_value(record).unwrap()
    }

    const AT: &str = "2026-03-01T00:00:00.000Z";

    #[test]
    fn the_status_does_not_depend_on_the_order_in_which_facts_arrived() {
        let status = |facts| record(facts).status();
        assert_eq!(status(json!({"issued_at": AT})), Status::Issued);
        assert_eq!(status(json!({"notified_at": AT})), Status::Notified);
        assert_eq!(status(json!({"issued_at": AT, "notified_at": AT})), Status::Notified);
        assert_eq!(status(json!({"issued_at": AT, "failed_at": AT})), Status::Failed);
        assert_eq!(status(json!({"failed_at": AT, "collected_at": AT})), Status::Collected);
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
            "started_at": AT, "finished_at": AT, "pages": 3, "rows": 9, "counted": 11, "new": 5, "changed": 1,
            "unchanged": 3, "revived": 0, "deleted": 0, "accounts": 2
        });
        let whole = record(json!({
            "date_from": "2026-01-01", "date_to": "2026-01-31", "account": "a1", "issued_at": AT,
            "failure": {"code": "login_error", "message": "no"}, "declared": {"total_transactions": 11},
            "collection": collection
        }));
        assert_eq!(whole.collection.as_ref().unwrap().verdict(), Verdict::Short(2));
        let json = serde_json::to_value(&whole).unwrap();
        assert_eq!(serde_json::from_value::<RequestRecord>(json).unwrap(), whole);
    }

    #[test]
    fn a_verdict_says_how_many_rows_are_missing() {
        let verdict = |rows, counted| {
            let at = Timestamp::parse(AT).unwrap();
            let nothing = Collection {
                started_at: at,
                finished_at: at,
                pages: 1,
                rows,
                counted,
                new: 0,
                changed: 0,
                unchanged: 0,
                revived: 0,
                deleted: 0,
                accounts: 0,
            };
            nothing.verdict().to_string()
        };
        assert_eq!(verdict(10, 10), "complete");
        assert_eq!(verdict(9, 10), "short by 1");
        assert_eq!(verdict(11, 10), "over by 1");
    }
}
