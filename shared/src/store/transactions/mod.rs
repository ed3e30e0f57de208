//! The Transactions table: a link's transactions and their earlier versions, accounts and their
//! balances, and the rows of other resources. An item is one of
//!
//! | `_item` | item |
//! |---|---|
//! | `T#<row id>` | a row as Belvo last returned it, its account replaced by the account's id |
//! | `I#<Monday>`, `I#<day>#<number>` | a leaf of the index: what is known of some rows of a week |
//! | `V#<row id>#<from>` | an earlier version of it, known from `<from>` until `_until` |
//! | `A#<account id>` | an account |
//! | `B#<account id>#<at>` | its balance as of `<at>` |
//! | `C#<number>` | an entry of the change log: rows that may have changed, whatever the resource |
//! | `C` | the head of the change log: how far it is written, and how far it may be read |
//!
//! or, where `_link` is `account#<identity>`, the record that a link holds the account of that
//! identity (`<link>#<account id>`), by which duplicates are found when a user connects the same
//! bank again.
//!
//! Rows of other resources are items of the same kinds in their own partition, where `_link` is
//! `<link id>/<resource>`; their days are those of the resource's own date.
//!
//! Attributes whose names start with `_` are ours; every other attribute is one of Belvo's fields
//! under its own name, so that the table reads like Belvo's documentation. A document that DynamoDB
//! cannot hold exactly, or with a field that starts with `_`, is kept as the JSON text that Belvo
//! sent, in `_json`; a text of more than 390 KB is compressed, in `_zlib`.
//!
//! | ours | what |
//! |---|---|
//! | `_link`, `_item` | the key: link id (and resource), and the kind and id of the item |
//! | `_stored_at`, `_request` | when this version was first seen, and by which retrieval |
//! | `_deleted_at`, `_deleted_by` | when Belvo was found not to have it any more, and by which retrieval |
//! | `_until` | versions only: when Belvo stopped returning it |
//! | `_digest` | accounts only: digest of the account, to recognise an unchanged one |
//! | `_entries`, `_rows` | leaves only: the entries in a binary form, and their number |
//! | `_changes`, `_rows`, `_erased` | entries of the log only: the ids of the rows in a binary form, and their number; or that everything of the link was erased |
//! | `_expires_at` | entries of the log only: when DynamoDB removes them |
//! | `_last`, `_done` | the head of the log only: the numbers of the last entry, and of the last one that may be read |
//! | `_same_as` | `<link id>#<transaction id>` of the original under an older link |
//!
//! The index holds what a comparison and a filter need; rows are then read by key
//! (docs/decisions/0018).

mod account_item;
mod accounts;
mod balances;
mod change_log;
mod changes;
mod descent;
mod document;
mod duplicates;
mod erase;
mod history;
mod index;
mod leaf;
mod leaf_item;
mod list;
mod pace;
mod partition;
mod row_item;
mod rows;
mod table;
mod write;
mod write_request;

pub use self::{
    accounts::Accounts,
    changes::{ChangedRows, ChangesPage, LogPlace, Position},
    duplicates::Candidate,
    history::History,
    rows::Rows,
    write::Written,
};

use aws_sdk_dynamodb::Client;
use domain::{Change, LinkId, Readable, Resource, Timestamp};

use self::{
    change_log::{ChangeLog, LogEntry},
    table::Table,
};
use super::{
    StoreError,
    item::{Item, text},
};
use crate::aws::SdkConfig;

#[derive(Clone)]
pub struct TransactionsTable(Table);

impl TransactionsTable {
    /// The table called `name`.
    #[must_use]
    pub fn open(aws: &SdkConfig, name: String) -> Self {
        Self(Table::new(Client::new(aws), name))
    }

    /// The same, keeping entries of the change log for this many days.
    #[must_use]
    pub fn keeping_changes_for(self, days: u32) -> Self {
        Self(self.0.keeping_changes_for(days))
    }

    /// Opens a connection, as [`super::Control::warm_up`] does: a listing reads rows and accounts
    /// at the same time.
    pub async fn warm_up(&self) {
        let nowhere = Item::from(["_link", "_item"].map(|name| (name.to_owned(), text("warm-up"))));
        let _ = self.0.get(nowhere).await;
    }

    /// Lists what an interrupted collection of a link has stored without listing it, so that the
    /// next one compares it, and lets the change log be read to its end. To be called before rows
    /// of the link are written.
    pub async fn settle_log(&self, link: &LinkId) -> Result<(), StoreError> {
        let log = ChangeLog::of(&self.0, link);
        let head = log.head().await?;
        if !head.is_interrupted() {
            return Ok(());
        }
        if let Some(entry) = log.entry(head.last).await? {
            self.enter_stored(link, entry.changes).await?;
        } else {
            let nothing = LogEntry::default();
            log.write(head.last, &nothing, Timestamp::now()).await?;
        }
        log.end(head).await
    }

    /// How far those who follow a link can read.
    pub async fn readable(&self, link: &LinkId) -> Result<Readable, StoreError> {
        let (log, accounts) = (ChangeLog::of(&self.0, link), self.accounts());
        let (head, digests) = tokio::try_join!(log.head(), accounts.digests(link))?;
        Ok(Readable::of(head.done, &digests))
    }

    /// Enters rows into the index that are stored and not listed.
    async fn enter_stored(&self, link: &LinkId, changes: Vec<Change>) -> Result<(), StoreError> {
        let Some(resource) = changes.first().map(|change| change.resource) else {
            return Ok(());
        };
        let ids: Vec<_> = changes.into_iter().map(|change| change.id).collect();
        self.rows(resource).enter_stored(link, &ids).await
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

    /// How many rows and how many accounts of a link are stored, whatever the resource.
    pub async fn holdings(&self, link: &LinkId) -> Result<(u64, u64), StoreError> {
        erase::holdings(&self.0, link).await
    }

    /// Erases everything stored for a link, and returns the number of items.
    pub async fn erase(&self, link: &LinkId) -> Result<u64, StoreError> {
        Box::pin(erase::erase(&self.0, link)).await
    }
}
