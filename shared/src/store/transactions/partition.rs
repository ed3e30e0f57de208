//! Where a link's items are stored.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{LinkId, Resource};

use crate::store::item::{Item, text};

/// What an error calls the table.
pub(super) const NAME: &str = "Transactions";

/// The partition of a link's rows of one resource. The transactions' partition also holds accounts
/// and balances.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    key: String,
    pub(super) resource: Resource,
}

impl Partition {
    pub(super) fn of(resource: Resource, link: &LinkId) -> Self {
        let key = match resource {
            Resource::TRANSACTIONS => link.to_string(),
            other => format!("{link}/{}", other.name()),
        };
        Self { key, resource }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.key
    }

    /// The value of `_link`.
    pub(super) fn value(&self) -> AttributeValue {
        text(&self.key)
    }

    /// The key of an item.
    pub(super) fn key(&self, item: impl Into<String>) -> Item {
        Item::from([
            ("_link".to_owned(), self.value()),
            ("_item".to_owned(), text(item)),
        ])
    }

    /// The key of a row. Its kind is `T`, for transactions, whatever the resource: other resources
    /// came later, and stored names do not change.
    pub(super) fn row_key(&self, id: &str) -> Item {
        self.key(Self::row(id))
    }

    /// The sort key of a row.
    pub(super) fn row(id: &str) -> String {
        format!("T#{id}")
    }
}
