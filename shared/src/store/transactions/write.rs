//! Writing: rows, what they were before, tombstones, accounts.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    TABLE, Transactions,
    items::{
        account_item, balance_item, put_request, transaction_item, transaction_key, version_item,
    },
};
use crate::{
    domain::{Account, Changes, LinkId, RequestId, Timestamp, TransactionId},
    store::{
        StoreError,
        error::was_written,
        item::{Item, text},
    },
};

/// Tombstones under way at once.
const TOMBSTONES_AT_ONCE: usize = 8;

/// When something was seen at Belvo, and by which retrieval.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The time of the fetch.
    pub at: Timestamp,
    /// The retrieval it belongs to; absent where Belvo names none.
    pub request: Option<RequestId>,
}

impl Transactions {
    /// Writes rows, and keeps what the changed ones were before. `Ok` means that every row is
    /// written. After a failure it may be repeated: an earlier version is kept under its own time,
    /// so it is kept once.
    pub async fn put(
        &self,
        link: &LinkId,
        changes: Changes,
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let partition = self.partition(link);
        // The versions first: a failure in between leaves a version too many, which the repetition
        // writes again, and never one too few.
        let keys = changes
            .changed
            .iter()
            .map(|change| transaction_key(&partition, change.row.id().as_str()))
            .collect();
        let replaced = self.read_all(keys).await?;
        let references: HashMap<_, _> = replaced
            .iter()
            .filter_map(|item| {
                Some((
                    item.get("_item")?.as_s().ok()?.clone(),
                    item.get("_same_as")?.clone(),
                ))
            })
            .collect();
        let versions = replaced
            .into_iter()
            .map(|item| version_item(item, seen.at).ok_or(StoreError::Corrupt(TABLE)));
        let versions = versions
            .map(|item| item.map(put_request))
            .collect::<Result<Vec<_>, _>>()?;
        self.write_all(versions.into_iter()).await?;
        let rows = changes
            .new
            .into_iter()
            .chain(changes.changed)
            .map(|change| {
                let mut item = transaction_item(&partition, change, seen);
                let original = item["_item"]
                    .as_s()
                    .ok()
                    .and_then(|key| references.get(key));
                item.extend(original.map(|original| ("_same_as".to_owned(), original.clone())));
                put_request(item)
            });
        self.write_all(rows).await
    }

    /// Marks rows that Belvo no longer returns. They stay, and come back if Belvo returns them
    /// again. May be repeated: the first time counts.
    pub async fn tombstone(
        &self,
        link: &LinkId,
        ids: &[TransactionId],
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let tombstones = ids.iter().map(|id| self.tombstone_one(link, id, seen));
        stream::iter(tombstones)
            .buffer_unordered(TOMBSTONES_AT_ONCE)
            .try_collect()
            .await
    }

    /// Writes accounts whole, over earlier versions if there are any, and adds their balances to
    /// the history of balances.
    pub async fn put_accounts(
        &self,
        link: &LinkId,
        accounts: &[Account],
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let partition = self.partition(link);
        // The balances first: an account that is written is known, and would not be written again
        // after a failure.
        let balances = accounts
            .iter()
            .filter_map(|account| balance_item(&partition, account, seen));
        self.write_all(balances.map(put_request)).await?;
        let accounts = accounts
            .iter()
            .map(|account| account_item(&partition, account, seen.at));
        self.write_all(accounts.map(put_request)).await
    }

    async fn tombstone_one(
        &self,
        link: &LinkId,
        id: &TransactionId,
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let by = seen.request.as_ref().map_or("none", RequestId::as_str);
        let names = [
            ("#at", "_deleted_at"),
            ("#by", "_deleted_by"),
            ("#item", "_item"),
        ];
        let values = [(":at", text(seen.at.to_string())), (":by", text(by))];
        let outcome = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(transaction_key(&self.partition(link), id.as_str())))
            .update_expression("SET #at = if_not_exists(#at, :at), #by = if_not_exists(#by, :by)")
            // A tombstone belongs to a row; without one, this would make an item of its own.
            .condition_expression("attribute_exists(#item)")
            .set_expression_attribute_names(Some(
                names
                    .map(|(name, is)| (name.to_owned(), is.to_owned()))
                    .into(),
            ))
            .set_expression_attribute_values(Some(owned(values)))
            .send()
            .await;
        was_written(outcome).map(|_| ())
    }
}

fn owned<const N: usize>(values: [(&str, AttributeValue); N]) -> HashMap<String, AttributeValue> {
    Item::from(values.map(|(name, value)| (name.to_owned(), value)))
}
