//! A link's accounts, and which links hold the same account of an institution.

use std::collections::HashMap;

use domain::{
    Account, AccountId, Digest, Holder, KnownVersion, LinkId, Observation, Resource, Timestamp,
};

use super::{
    account_item::{account, account_item, balance_item, known_account},
    partition::Partition,
    table::{self, Table},
    write_request::WriteRequest,
};
use crate::store::{
    StoreError,
    item::{Item, text, timestamp},
};

#[derive(Clone)]
pub struct Accounts(pub(super) Table);

impl Accounts {
    pub async fn of(&self, link: &LinkId) -> Result<Vec<Account>, StoreError> {
        let items = self.0.items_from(&partition(link), "A#").await?;
        items
            .into_iter()
            .map(|item| account(item).ok_or(StoreError::Corrupt(table::NAME)))
            .collect()
    }

    /// What is known about a link's accounts: ids and digests only.
    pub async fn known(
        &self,
        link: &LinkId,
    ) -> Result<HashMap<AccountId, KnownVersion>, StoreError> {
        let items = self.0.items_from(&partition(link), "A#").await?;
        items
            .iter()
            .map(|item| known_account(item).ok_or(StoreError::Corrupt(table::NAME)))
            .collect()
    }

    /// The digests of a link's accounts, in the order of their ids.
    pub(super) async fn digests(&self, link: &LinkId) -> Result<Vec<Digest>, StoreError> {
        let items = self.0.items_from(&partition(link), "A#").await?;
        let known = items.iter().map(known_account);
        let digests = known
            .map(|known| Some(known?.1.digest))
            .collect::<Option<_>>();
        digests.ok_or(StoreError::Corrupt(table::NAME))
    }

    /// Writes whole accounts, over earlier versions if there are any, and adds their balances to
    /// the history.
    pub async fn put(
        &self,
        link: &LinkId,
        accounts: &[Account],
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let partition = partition(link);
        // Balances first: an account that is written counts as known and would not be written again
        // after a failure.
        let balances = accounts
            .iter()
            .filter_map(|account| balance_item(&partition, account, seen));
        self.put_all(&partition, balances).await?;

        let accounts = accounts
            .iter()
            .map(|account| account_item(&partition, account, seen.at));
        self.put_all(&partition, accounts).await
    }

    async fn put_all(
        &self,
        partition: &Partition,
        puts: impl Iterator<Item = Result<WriteRequest, StoreError>>,
    ) -> Result<(), StoreError> {
        let puts: Vec<_> = puts.collect::<Result<_, _>>()?;
        self.0.write_all(partition.as_str(), puts.into_iter()).await
    }

    /// Records that a link holds an account. Safe to repeat: the first time is kept.
    pub async fn hold(
        &self,
        link: &LinkId,
        account: &Account,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(identity) = account.identity() else {
            return Ok(());
        };
        self.0
            .update(holder_key(link, account, &identity))
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
        let key = holder_key(link, account, &identity);
        let delete = std::iter::once(WriteRequest::delete(&key)?);
        self.0.write_all(&held(&identity), delete).await
    }

    /// The links that hold an account, the oldest first.
    pub async fn holders(&self, account: &Account) -> Result<Vec<Holder>, StoreError> {
        let Some(identity) = account.identity() else {
            return Ok(Vec::new());
        };
        let items = self
            .0
            .query()
            .key_condition_expression("#link = :held")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_values(":held", text(held(&identity)))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;

        let mut holders = items
            .iter()
            .map(|item| holder(item).ok_or(StoreError::Corrupt(table::NAME)))
            .collect::<Result<Vec<_>, _>>()?;
        holders.sort_unstable();
        Ok(holders)
    }
}

/// Accounts and balances are in the transactions' partition.
pub(super) fn partition(link: &LinkId) -> Partition {
    Partition::of(Resource::TRANSACTIONS, link)
}

fn holder(item: &Item) -> Option<Holder> {
    let (link, account) = item.get("_item")?.as_s().ok()?.split_once('#')?;
    Some(Holder {
        since: timestamp(item, "_stored_at")?,
        link: LinkId::parse(link).ok()?,
        account: AccountId::parse(account).ok()?,
    })
}

/// The key of the record that a link holds an account, if the institution identifies the account.
fn holder_key(link: &LinkId, account: &Account, identity: &str) -> Item {
    Item::from([
        ("_link".to_owned(), text(held(identity))),
        ("_item".to_owned(), text(format!("{link}#{}", account.id()))),
    ])
}

/// The partition of an account that links hold.
fn held(identity: &str) -> String {
    format!("account#{identity}")
}
