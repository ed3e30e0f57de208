//! Listings of rows: what is chosen, and what is shown of each.

use crate::{AccountId, Resource, Row, RowRef, Version};

/// Which rows to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// First day, `YYYY-MM-DD`.
    pub date_from: Option<String>,
    /// Last day, `YYYY-MM-DD`.
    pub date_to: Option<String>,
    /// The account's id, in the spelling of [`AccountId`].
    pub account: Option<String>,
    /// Belvo's status, such as `PENDING`.
    pub status: Option<String>,
    /// Belvo's type, such as `OUTFLOW`.
    pub kind: Option<String>,
}

impl Filter {
    /// Whether the filter matches a row, by its document alone.
    #[must_use]
    pub fn chooses(&self, row: &Row, resource: Resource) -> bool {
        let (day, fields) = (row.day(resource), row.fields());
        let account = row.account_id().map(|id| AccountId::spelled(&id));
        self.date_from.as_ref().is_none_or(|from| *from <= day)
            && self.date_to.as_ref().is_none_or(|to| day <= *to)
            && (self.account.is_none() || self.account == account)
            && self
                .fields()
                .all(|(field, wanted)| fields.text(field).as_deref() == Some(wanted))
    }

    /// The other fields that must have a certain value, and that value.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("status", &self.status), ("type", &self.kind)]
            .into_iter()
            .filter_map(|(field, value)| Some((field, value.as_deref()?)))
    }
}

/// A row of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The row as Belvo sent it.
    pub row: Row,
    /// The transaction of an older link that it duplicates.
    pub duplicate_of: Option<RowRef>,
}

impl From<Version> for Listed {
    fn from(version: Version) -> Self {
        Self {
            row: version.row,
            duplicate_of: version.duplicate_of,
        }
    }
}
