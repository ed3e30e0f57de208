//! Rows, and what comparing them needs: ids, digests, counts.

use std::collections::{HashMap, HashSet};

use domain::{AccountId, Days, KnownVersion, LinkId, Resource, RowId, StoredTotals, parse_date};

use super::{
    index::Index,
    leaf::{Entry, State},
    partition::Partition,
    row_item::known_row,
    table::{self, Table},
};
use crate::store::StoreError;

/// The rows of one resource.
#[derive(Clone)]
pub struct Rows {
    pub(super) table: Table,
    pub(super) resource: Resource,
}

impl Rows {
    pub(super) fn partition(&self, link: &LinkId) -> Partition {
        Partition::of(self.resource, link)
    }

    /// What is known about a link's rows on some days, of one account or all, including deleted
    /// ones and leaving out those that Belvo no longer lists: ids and digests only.
    pub async fn known(
        &self,
        link: &LinkId,
        days: Days,
        account: Option<&AccountId>,
    ) -> Result<HashMap<RowId, KnownVersion>, StoreError> {
        let partition = self.partition(link);
        let mut entries = Index::new(&self.table, &partition).entries(days).await?;
        entries.retain(|entry| entry.state != State::Unlisted && is_of(account, entry));
        let known = entries.into_iter().map(|entry| {
            let version = entry.known();
            (entry.id, version)
        });
        Ok(known.collect())
    }

    /// What is known about rows under any day, without their digests; DynamoDB charges for whole
    /// items. Rows that are not stored are left out.
    pub async fn look_up(
        &self,
        link: &LinkId,
        ids: HashSet<RowId>,
    ) -> Result<HashMap<RowId, KnownVersion>, StoreError> {
        let partition = self.partition(link);
        let keys = ids
            .iter()
            .map(|id| partition.row_key(id.as_str()))
            .collect();
        let items = self
            .table
            .read_parts(keys, &["_item", "_deleted_at", "collected_at"])
            .await?;
        items
            .iter()
            .map(|item| known_row(item).ok_or(StoreError::Corrupt(table::NAME)))
            .collect()
    }

    /// What the store holds of the rows that Belvo lists for a link on some days, counted row by
    /// row, and how many have no date.
    pub async fn totals(
        &self,
        link: &LinkId,
        days: Days,
        account: Option<&AccountId>,
    ) -> Result<StoredTotals, StoreError> {
        let partition = self.partition(link);
        let mut totals = StoredTotals::of(days);
        let mut count = |entry: Entry| {
            if entry.state == State::Live && is_of(account, &entry) {
                let day = parse_date(&entry.day).map(|_| entry.day.as_str());
                totals.add(entry.kind.as_deref(), day);
            }
        };
        let index = Index::new(&self.table, &partition);
        index.for_each(days, &mut count).await?;
        if days != Days::ALL {
            index.for_each(Days::UNDATED, count).await?;
        }
        Ok(totals)
    }

    /// The days of these rows, as far as they are stored.
    pub async fn days_of(
        &self,
        link: &LinkId,
        ids: &[RowId],
    ) -> Result<HashMap<RowId, String>, StoreError> {
        let partition = self.partition(link);
        let entries = Index::new(&self.table, &partition).stored(ids).await?;
        Ok(entries
            .into_iter()
            .map(|entry| (entry.id, entry.day))
            .collect())
    }

    /// The day of a link's newest row, deleted ones included; none if nothing is stored.
    pub async fn newest_day(&self, link: &LinkId) -> Result<Option<String>, StoreError> {
        let partition = self.partition(link);
        Index::new(&self.table, &partition).newest_day().await
    }

    /// Whether no row of the link is stored, listed or not.
    pub async fn is_empty(&self, link: &LinkId) -> Result<bool, StoreError> {
        let partition = self.partition(link);
        let query = self.table.items_with(&partition, "T#").limit(1);
        Ok(query.send().await?.items.unwrap_or_default().is_empty())
    }
}

fn is_of(account: Option<&AccountId>, entry: &Entry) -> bool {
    account.is_none_or(|account| entry.account.as_deref() == Some(account.as_str()))
}
