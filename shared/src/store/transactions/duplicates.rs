//! Transactions that two links have returned. When a user connects a bank again, the link and every
//! account and transaction get new ids from Belvo, but the institution's own ids stay: an account
//! is recognised by its identity ([`Accounts::holders`](super::Accounts::holders)), a transaction
//! in it by its `internal_identification`.

use std::collections::{HashMap, HashSet};

use domain::{AccountId, Days, LinkId, RowId, RowRef};

use super::{
    document::key_after,
    index::Index,
    row_item::{duplicate_of, row},
    rows::Rows,
    table,
};
use crate::store::{
    StoreError,
    error::was_written,
    item::{Item, text},
};

/// The sort keys of rows and of their earlier versions (`T#…`, `V#…`) lie between these.
const FIRST: &str = "T#";
const LAST: &str = "V$";

/// A stored transaction that may be a duplicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: RowId,
    /// What it is marked as a duplicate of.
    pub duplicate_of: Option<RowRef>,
}

impl Rows {
    /// The stored transactions of an account on some days, by the institution's ids. Ids that occur
    /// twice in the account are ambiguous and left out, as are deleted rows. Reads whole rows.
    pub async fn candidates(
        &self,
        link: &LinkId,
        account: &AccountId,
        days: Days,
    ) -> Result<HashMap<String, Candidate>, StoreError> {
        let keys = self.keys(link, account, days).await?;
        let attributes = [
            "_item",
            "_json",
            "_zlib",
            "_same_as",
            "_deleted_at",
            "internal_identification",
        ];
        let mut items = self.table.read_parts(keys, &attributes).await?;
        items.retain(|item| !item.contains_key("_deleted_at"));

        let mut candidates: HashMap<String, Option<Candidate>> = HashMap::new();
        for item in items {
            let duplicate_of = duplicate_of(&item);
            let row = row(item).ok_or(StoreError::Corrupt(table::NAME))?;
            let Some(identification) = row.internal_identification() else {
                continue;
            };
            let candidate = Candidate {
                id: row.id().clone(),
                duplicate_of,
            };
            candidates
                .entry(identification.into_owned())
                .and_modify(|known| *known = None)
                .or_insert(Some(candidate));
        }
        Ok(candidates
            .into_iter()
            .filter_map(|(identification, candidate)| Some((identification, candidate?)))
            .collect())
    }

    /// Which of these rows of other links are stored and not deleted.
    pub async fn live(&self, rows: HashSet<RowRef>) -> Result<HashSet<RowRef>, StoreError> {
        let key = |row: &RowRef| self.partition(&row.link).row_key(row.id.as_str());
        let keys = rows.iter().map(key).collect();
        let attributes = ["_link", "_item", "_deleted_at"];
        let mut items = self.table.read_parts(keys, &attributes).await?;

        items.retain(|item| !item.contains_key("_deleted_at"));
        items
            .iter()
            .map(|item| reference(item).ok_or(StoreError::Corrupt(table::NAME)))
            .collect()
    }

    /// Marks a row as a duplicate of another link's. Safe to repeat.
    pub async fn mark(
        &self,
        link: &LinkId,
        id: &RowId,
        original: &RowRef,
    ) -> Result<(), StoreError> {
        let original = format!("{}#{}", original.link, original.id);
        let outcome = self
            .table
            .update(self.partition(link).row_key(id.as_str()))
            .update_expression("SET #same_as = :same_as")
            // Without a row, this would create an item.
            .condition_expression("attribute_exists(#item)")
            .expression_attribute_names("#same_as", "_same_as")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(":same_as", text(original))
            .send()
            .await;
        was_written(outcome).map(|_| ())
    }

    /// Removes the marks of a link's rows, and of their earlier versions, that name rows of another
    /// link. Reads all of them. Safe to repeat.
    pub(super) async fn unmark(&self, link: &LinkId, original: &LinkId) -> Result<(), StoreError> {
        let original = format!("{original}#");
        let mut marked = self
            .table
            .items_between(&self.partition(link), FIRST, LAST)
            .filter_expression("begins_with(#same_as, :original)")
            .projection_expression("#link, #item")
            .expression_attribute_names("#same_as", "_same_as")
            .expression_attribute_values(":original", text(&original))
            .into_paginator()
            .items()
            .send();
        while let Some(key) = marked.try_next().await? {
            let unmarked = self
                .table
                .update(key)
                .update_expression("REMOVE #same_as")
                .condition_expression("begins_with(#same_as, :original)")
                .expression_attribute_names("#same_as", "_same_as")
                .expression_attribute_values(":original", text(&original));
            was_written(unmarked.send().await)?;
        }
        Ok(())
    }

    /// The keys of an account's rows on some days.
    async fn keys(
        &self,
        link: &LinkId,
        account: &AccountId,
        days: Days,
    ) -> Result<Vec<Item>, StoreError> {
        let partition = self.partition(link);
        let entries = Index::new(&self.table, &partition).entries(days).await?;
        let of_account = entries
            .iter()
            .filter(|entry| entry.is_shown() && entry.account.as_deref() == Some(account.as_str()));
        Ok(of_account
            .map(|entry| partition.row_key(entry.id.as_str()))
            .collect())
    }
}

fn reference(item: &Item) -> Option<RowRef> {
    let link = item.get("_link")?.as_s().ok()?;
    let id = key_after(item, "T#")?;
    Some(RowRef {
        link: LinkId::parse(link).ok()?,
        id: RowId::parse(id).ok()?,
    })
}
