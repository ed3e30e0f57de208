//! Rows of Belvo's that are not stored, by name.

use serde::{Deserialize, Serialize};

use crate::{RowError, RowId};

/// How many of them a record names.
pub(crate) const NAMED: usize = 100;

/// A row that is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Absent where Belvo sent none that can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RowId>,
    pub reason: Reason,
}

/// Why a row is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is not a JSON object, or one of its names is not Unicode.
    Unreadable,
    /// It has no usable id.
    NoId,
    /// DynamoDB refuses it, as when it exceeds 400 KB although it is compressed.
    Refused,
}

impl From<RowError> for LeftOut {
    fn from(error: RowError) -> Self {
        let reason = match error {
            RowError::Unreadable => Reason::Unreadable,
            RowError::NoId => Reason::NoId,
        };
        Self { id: None, reason }
    }
}

impl LeftOut {
    /// A row that DynamoDB refused.
    #[must_use]
    pub fn refused(id: RowId) -> Self {
        Self {
            id: Some(id),
            reason: Reason::Refused,
        }
    }
}
