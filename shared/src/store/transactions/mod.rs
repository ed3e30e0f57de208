//! The Transactions table: a link's transactions, what they were before, accounts and their
//! balances, and likewise the rows of other resources. An item is one of
//!
//! | `_item` | item |
//! |---|---|
//! | `T#<transaction id>` | a transaction as Belvo last returned it, its account replaced by the account's id |
//! | `V#<transaction id>#<from>` | an earlier version of it, known from `<from>` until `_until` |
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
//! | `_by_date` | `<day>#<transaction id>`, the sort key of the local index `by_date`; rows only |
//! | `_digest` | fingerprint of the document, by which an unchanged one is known without comparing it |
//! | `_stored_at`, `_request` | when this version was first seen, and the retrieval that brought it |
//! | `_deleted_at`, `_deleted_by` | since when Belvo no longer returns it, and the retrieval that showed it |
//! | `_until` | versions only: when it ceased to be what Belvo returns |
//! | `_same_as` | `<link id>#<transaction id>` of the same candidate under an older link |
//!
//! The index is local so that it can be read consistently, and holds only what a comparison and a
//! filter need; rows are then read by key.

mod balances;
mod batch;
mod erase;
mod history;
mod items;
mod list;
mod read;
mod same_as;
mod write;

pub use balances::Balance;
pub use history::Version;
pub use list::{Filter, Listed};
pub use same_as::{Candidate, Holder, RowRef};
pub use write::Observation;

use aws_sdk_dynamodb::Client;

use self::items::Partition;
use crate::{
    aws::SdkConfig,
    domain::{LinkId, Resource},
};

const TABLE: &str = "Transactions";
const BY_DATE: &str = "by_date";

/// The Transactions table, seen as the rows of one resource.
#[derive(Clone)]
pub struct Transactions {
    client: Client,
    table: String,
    resource: Resource,
}

impl Transactions {
    /// The transactions in the table called `table`.
    #[must_use]
    pub fn new(aws: &SdkConfig, table: String) -> Self {
        Self {
            client: Client::new(aws),
            table,
            resource: Resource::TRANSACTIONS,
        }
    }

    /// The rows of another resource in the same table.
    #[must_use]
    pub fn of(&self, resource: Resource) -> Self {
        Self {
            resource,
            ..self.clone()
        }
    }

    /// Where a link's rows stand.
    fn partition(&self, link: &LinkId) -> Partition {
        Partition::of(self.resource, link)
    }
}
