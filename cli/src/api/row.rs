//! Rows and their versions as the API shows them. What a row says is nobody's business here: only
//! its id and its day are kept.

use std::collections::BTreeMap;

use domain::{LinkId, RequestId, RowId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// `GET /links/{link}/transactions/{id}/history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    pub(crate) id: RowId,
    pub(crate) same_as: Option<Original>,
    /// Oldest first.
    pub(crate) versions: Vec<Version>,
    pub(crate) next_cursor: Option<String>,
}

/// A version of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) observed_at: Timestamp,
    pub(crate) observed_by: Option<RequestId>,
    pub(crate) until: Option<Timestamp>,
    #[serde(default)]
    pub(crate) deleted: bool,
    pub(crate) deleted_by: Option<RequestId>,
    /// The row's day, if it has one that can be read.
    #[serde(rename(deserialize = "transaction"), deserialize_with = "day", default)]
    pub(crate) day: Option<String>,
}

/// The row of an older link that a row duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Original {
    pub(crate) link: LinkId,
    pub(crate) id: RowId,
}

/// A page of `GET /links/{link}/transactions`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Transactions {
    #[serde(rename = "transactions")]
    pub(crate) rows: Vec<Listed>,
    /// By the id of the row.
    #[serde(default)]
    pub(crate) same_as: BTreeMap<String, Original>,
    pub(crate) next_cursor: Option<String>,
}

/// A row of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: RowId,
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Dated {
        #[serde(default)]
        value_date: Value,
    }
    let row = Dated::deserialize(deserializer)?;
    Ok(row.value_date.as_str().and_then(domain::day_of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_row_only_the_day_is_kept() {
        let version = r#"{"observed_at": "2026-03-01T00:00:00.000Z", "deleted": false,
            "transaction": {"id": "r", "value_date": "2026-02-27T00:00:00", "description": "x",
            "amount": 12.50}}"#;
        let version: Version = serde_json::from_str(version).unwrap();
        assert_eq!(version.day.as_deref(), Some("2026-02-27"));
        assert!(!format!("{version:?}").contains("12.5"));
    }

    #[test]
    fn a_row_without_a_day_has_none() {
        let version = r#"{"observed_at": "2026-03-01T00:00:00.000Z",
            "transaction": {"id": "r", "value_date": null}}"#;
        let version: Version = serde_json::from_str(version).unwrap();
        assert_eq!(version.day, None);
    }
}
