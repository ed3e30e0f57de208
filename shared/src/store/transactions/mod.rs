//! The Transactions table: a link's transactions, what they were before, accounts and their
//! balances, and likewise the rows of other resources. An item is one of
//!
//! | `_item` | item |
//! |---|---|
//! | `T#<row id>` | a row as Belvo last returned it, its account replaced by the account's id |
//! | `V#<row id>#<from>` | an earlier version of it, known from `<from>` until `_until` |
//! | `A#<account id>` | an account |
//! | `B#<account id>#<at>` | a balance of it, as of `<at>` |
//!
//! or, where `_link` is `account#<identity>`, the note that a link holds the account of that
//! identity (`<link>#<account id>`), by which a candidate is known when a user connects the same
//! bank again.
//!
//! Rows of other resources than transactions are items of the same kinds in a partition of their
//! own, where `_link` is `<link id>/<resource>`; their `_by_date` starts with the resource's own
//! date.
//!
//! Attributes whose names start with `_` are ours; every other attribute is a field of Belvo's
//! under Belvo's name, so that the table reads like Belvo's documentation. A document that DynamoDB
//! cannot hold exactly, or with a field that starts with `_`, is kept whole as JSON text in `_json`
//! instead.
//!
//! | ours | what |
//! |---|---|
//! | `_link`, `_item` | the key: link id (and resource), and the kind and id of the item |
//! | `_by_date` | `<day>#<row id>`, the sort key of the local index `by_date`; rows only |
//! | `_digest` | digest of the document, by which an unchanged one is known without comparing it |
//! | `_stored_at`, `_request` | when this version was first seen, and the retrieval that brought it |
//! | `_deleted_at`, `_deleted_by` | since when Belvo no longer returns it, and the retrieval that showed it |
//! | `_until` | versions only: when it ceased to be what Belvo returns |
//! | `_same_as` | `<link id>#<transaction id>` of the same candidate under an older link |
//!
//! The index is local so that it can be read consistently, and holds only what a comparison and a
//! filter need; rows are then read by key.

mod account_item;
mod accounts;
mod balances;
mod document;
mod duplicates;
mod erase;
mod history;
mod list;
mod observation;
mod partition;
mod row_item;
mod rows;
mod table;
mod write;

pub use self::{
    accounts::{Accounts, Holder},
    balances::Balance,
    duplicates::Candidate,
    history::Version,
    list::{Filter, Listed},
    observation::Observation,
    rows::Rows,
};

use aws_sdk_dynamodb::Client;

use self::table::Table;
use super::StoreError;
use crate::{
    aws::SdkConfig,
    domain::{LinkId, Resource},
};

/// The Transactions table.
#[derive(Clone)]
pub struct TransactionsTable(Table);

impl TransactionsTable {
    /// The table called `name`.
    #[must_use]
    pub fn open(aws: &SdkConfig, name: String) -> Self {
        Self(Table::new(Client::new(aws), name))
    }

    /// The rows of a resource.
    #[must_use]
    pub fn rows(&self, resource: Resource) -> Rows {
        Rows {
            table: self.0.clone(),
            resource,
        }
    }

    #[must_use]
    pub fn accounts(&self) -> Accounts {
        Accounts(self.0.clone())
    }

    /// Erases everything of a link, and returns how many items that were.
    pub async fn erase(&self, link: &LinkId) -> Result<u64, StoreError> {
        erase::erase(&self.0, link).await
    }
}
