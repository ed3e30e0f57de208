//! The same candidate under another link. A user who connects a bank again gets a new link, and
//! every account and transaction gets a new id of Belvo's; what stays are the institution's own
//! ids. An account that several links hold is known by its identity ([`Account::identity`]), a
//! candidate of it by its `internal_identification`.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{
    TABLE, Transactions,
    items::{delete_request, duplicate_of, transaction, transaction_key},
    read::place,
};
use crate::{
    domain::{Account, AccountId, Days, LinkId, Timestamp, TransactionId},
    store::{
        StoreError,
        error::was_written,
        item::{Item, text, timestamp},
    },
};

/// A transaction of another link.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct RowRef {
    /// The link that holds it.
    pub link: LinkId,
    /// Belvo's id of it.
    pub id: TransactionId,
}

/// A link that holds an account. The first one of an account is the oldest of all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Since when.
    pub since: Timestamp,
    /// The link.
    pub link: LinkId,
    /// The account's id under this link.
    pub account: AccountId,
}

/// A stored candidate, found by the institution's id of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Belvo's id of it.
    pub id: TransactionId,
    /// What it is marked to be the same as.
    pub duplicate_of: Option<RowRef>,
}

impl Transactions {
    /// Remembers that a link holds an account. May be repeated: the first time counts.
    pub async fn hold(
        &self,
        link: &LinkId,
        account: &Account,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(identity) = account.identity() else {
            return Ok(());
        };
        self.client
            .update_item()
            .table_name(&self.table)
            .key("_link", text(held(&identity)))
            .key("_item", text(format!("{link}#{}", account.id())))
            .update_expression("SET #at = if_not_exists(#at, :at)")
            .expression_attribute_names("#at", "_stored_at")
            .expression_attribute_values(":at", text(at.to_string()))
            .send()
            .await?;
        Ok(())
    }

    /// Forgets that a link holds an account.
    pub(super) async fn release(&self, link: &LinkId, account: &Account) -> Result<(), StoreError> {
        let Some(identity) = account.identity() else {
            return Ok(());
        };
        let (holder, account) = (held(&identity), format!("{link}#{}", account.id()));
        let key = Item::from([
            ("_link".to_owned(), text(holder)),
            ("_item".to_owned(), text(account)),
        ]);
        self.write_all(std::iter::once(delete_request(key))).await
    }

    /// The links that hold an account, the oldest first.
    pub async fn holders(&self, account: &Account) -> Result<Vec<Holder>, StoreError> {
        let Some(identity) = account.identity() else {
            return Ok(Vec::new());
        };
        let items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#link = :held")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_values(":held", text(held(&identity)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        let holder = |item: &Item| {
            let (link, account) = item.get("_item")?.as_s().ok()?.split_once('#')?;
            let (link, account) = (LinkId::parse(link).ok()?, AccountId::parse(account).ok()?);
            Some(Holder {
                since: timestamp(item, "_stored_at")?,
                link,
                account,
            })
        };
        let mut holders = items
            .iter()
            .map(|item| holder(item).ok_or(StoreError::Corrupt(TABLE)))
            .collect::<Result<Vec<_>, _>>()?;
        holders.sort_unstable();
        Ok(holders)
    }

    /// The stored candidates of an account on some days, by the institution's ids of them. Ids that
    /// the account has twice say nothing and are left out, as are deleted rows. Reads the rows
    /// whole.
    pub async fn candidates(
        &self,
        link: &LinkId,
        account: &AccountId,
        days: Days,
    ) -> Result<HashMap<String, Candidate>, StoreError> {
        let mut entries = self
            .entries(link, days, Some(account), "#by_date", &[])
            .send();
        let partition = self.partition(link);
        let mut keys = Vec::new();
        while let Some(entry) = entries.next().await {
            let (_, id) = place(&entry?).ok_or(StoreError::Corrupt(TABLE))?;
            keys.push(transaction_key(&partition, &id));
        }
        let mut candidates: HashMap<String, Option<Candidate>> = HashMap::new();
        let attributes = [
            "_item",
            "_json",
            "_same_as",
            "_deleted_at",
            "internal_identification",
        ];
        for item in self
            .read_parts(keys, &attributes)
            .await?
            .into_iter()
            .filter(|item| !item.contains_key("_deleted_at"))
        {
            let original = duplicate_of(&item);
            let row = transaction(item).ok_or(StoreError::Corrupt(TABLE))?;
            let Some(identification) = row.internal_identification() else {
                continue;
            };
            let candidate = Candidate {
                id: row.id().clone(),
                duplicate_of: original,
            };
            candidates
                .entry(identification.to_owned())
                .and_modify(|known| *known = None)
                .or_insert(Some(candidate));
        }
        Ok(candidates
            .into_iter()
            .filter_map(|(identification, candidate)| Some((identification, candidate?)))
            .collect())
    }

    /// Which of these transactions of other links are stored and not deleted.
    pub async fn live(&self, references: HashSet<RowRef>) -> Result<HashSet<RowRef>, StoreError> {
        let keys = references
            .iter()
            .map(|original| transaction_key(&self.partition(&original.link), original.id.as_str()))
            .collect();
        let items = self
            .read_parts(keys, &["_link", "_item", "_deleted_at"])
            .await?;
        let live = |item: &Item| {
            let link = LinkId::parse(item.get("_link")?.as_s().ok()?).ok()?;
            let id =
                TransactionId::parse(item.get("_item")?.as_s().ok()?.strip_prefix("T#")?).ok()?;
            Some(RowRef { link, id })
        };
        let items = items
            .iter()
            .filter(|item| !item.contains_key("_deleted_at"));
        items
            .map(|item| live(item).ok_or(StoreError::Corrupt(TABLE)))
            .collect()
    }

    /// Marks a row as the same candidate as another link's. May be repeated.
    pub async fn mark(
        &self,
        link: &LinkId,
        id: &TransactionId,
        same_as: &RowRef,
    ) -> Result<(), StoreError> {
        let outcome = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(transaction_key(&self.partition(link), id.as_str())))
            .update_expression("SET #same_as = :same_as")
            // Without a row, this would make an item of its own.
            .condition_expression("attribute_exists(#item)")
            .expression_attribute_names("#same_as", "_same_as")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(
                ":same_as",
                text(format!("{}#{}", same_as.link, same_as.id)),
            )
            .send()
            .await;
        was_written(outcome).map(|_| ())
    }
}

/// The partition of an account that links hold.
fn held(identity: &str) -> String {
    format!("account#{identity}")
}
