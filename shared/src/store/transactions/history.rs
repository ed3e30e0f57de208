//! What was known when: a transaction's versions.

use super::{
    TABLE, Transactions,
    items::{timestamp, transaction, transaction_key},
};
use crate::{
    domain::{LinkId, RequestId, Timestamp, Transaction, TransactionId},
    store::{StoreError, item::Item},
};

/// One version of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The transaction as Belvo returned it.
    pub row: Transaction,
    /// When it was first seen so.
    pub from: Timestamp,
    /// The retrieval that brought it.
    pub request: Option<RequestId>,
    /// When it was first seen otherwise, or gone; absent for what Belvo returned last.
    pub until: Option<Timestamp>,
    /// Whether it was gone then, and not replaced.
    pub deleted: bool,
    /// The retrieval that showed it was gone.
    pub deleted_by: Option<RequestId>,
}

impl Transactions {
    /// Every version of a transaction, oldest first; none if it was never seen.
    pub async fn history(&self, link: &LinkId, id: &TransactionId) -> Result<Vec<Version>, StoreError> {
        let mut items = self.items_from(link, &format!("V#{id}#")).await?;
        items.extend(self.read_all(vec![transaction_key(link, id.as_str())]).await?);
        items.into_iter().map(|item| version(item).ok_or(StoreError::Corrupt(TABLE))).collect()
    }
}

fn version(item: Item) -> Option<Version> {
    let request = |name: &str| RequestId::parse(item.get(name)?.as_s().ok()?).ok();
    let deleted_at = timestamp(&item, "_deleted_at");
    Some(Version {
        from: timestamp(&item, "_stored_at")?,
        request: request("_request"),
        until: timestamp(&item, "_until").or(deleted_at),
        deleted: deleted_at.is_some(),
        deleted_by: request("_deleted_by"),
        row: transaction(item)?,
    })
}
