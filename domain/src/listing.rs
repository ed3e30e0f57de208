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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RowId, SentRow};

    const ACCOUNT: &str = "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e";

    fn row() -> Row {
        let sent = format!(
            r#"{{"id": "t", "account": "{ACCOUNT}", "value_date": "2026-01-15",
                "status": "PENDING", "type": "OUTFLOW"}}"#
        );
        Row::whole(SentRow::of(&sent).unwrap()).unwrap()
    }

    fn chooses(filter: &Filter) -> bool {
        filter.chooses(&row(), Resource::TRANSACTIONS)
    }

    #[test]
    fn a_filter_chooses_rows_from_its_first_day_to_its_last() {
        let days = |from: &str, to: &str| Filter {
            date_from: Some(from.to_owned()),
            date_to: Some(to.to_owned()),
            ..Filter::default()
        };
        assert!(chooses(&Filter::default()));
        assert!(chooses(&days("2026-01-15", "2026-01-15")));
        assert!(!chooses(&days("2026-01-16", "2026-01-31")));
        assert!(!chooses(&days("2026-01-01", "2026-01-14")));
    }

    #[test]
    fn a_filter_chooses_rows_of_which_all_is_true() {
        let filter = |account: &str, status: &str, kind: &str| Filter {
            account: Some(account.to_owned()),
            status: Some(status.to_owned()),
            kind: Some(kind.to_owned()),
            ..Filter::default()
        };
        assert!(chooses(&filter(ACCOUNT, "PENDING", "OUTFLOW")));
        assert!(!chooses(&filter("another", "PENDING", "OUTFLOW")));
        assert!(!chooses(&filter(ACCOUNT, "PROCESSED", "OUTFLOW")));
        assert!(!chooses(&filter(ACCOUNT, "PENDING", "INFLOW")));
    }

    #[test]
    fn a_version_is_listed_with_what_it_duplicates() {
        let version = |duplicate_of| crate::Version {
            row: row(),
            from: crate::Timestamp::now(),
            request: None,
            until: None,
            deleted: false,
            deleted_by: None,
            duplicate_of,
        };
        let original = RowRef {
            link: crate::LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap(),
            id: RowId::parse("original").unwrap(),
        };
        let listed = Listed::from(version(Some(original.clone())));
        assert_eq!((listed.row, listed.duplicate_of), (row(), Some(original)));
    }
}
