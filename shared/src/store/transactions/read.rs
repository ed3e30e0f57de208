//! Reading what a comparison needs: ids, fingerprints, counts, accounts.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::{
    operation::query::{builders::QueryFluentBuilder, paginator::QueryPaginatorItems},
    types::AttributeValue,
};

use super::{
    BY_DATE, TABLE, Transactions,
    items::{Partition, account, stored_account, stored_transaction, transaction_key},
};
use crate::{
    domain::{Account, AccountId, Days, LinkId, Stock, Stored, TransactionId, parse_date},
    store::{
        StoreError,
        item::{Item, text},
    },
};

/// A day and a transaction id: the order of listings.
pub(super) type Place = (String, String);

impl Transactions {
    /// What is stored of a link's transactions of some days, of one account or all: ids and
    /// fingerprints only, those of deleted rows included.
    pub async fn stored(
        &self,
        link: &LinkId,
        days: Days,
        account: Option<&AccountId>,
    ) -> Result<HashMap<TransactionId, Stored>, StoreError> {
        let mut entries = self
            .entries(
                link,
                days,
                account,
                "#item, #digest, #deleted_at, collected_at",
                &[
                    ("#item", "_item"),
                    ("#digest", "_digest"),
                    ("#deleted_at", "_deleted_at"),
                ],
            )
            .send();
        let mut stored = HashMap::new();
        while let Some(entry) = entries.next().await {
            let (id, known) = stored_transaction(&entry?).ok_or(StoreError::Corrupt(TABLE))?;
            stored.insert(id, known);
        }
        Ok(stored)
    }

    /// What is stored of transactions that may stand under any day: ids and fingerprints only
    /// (DynamoDB charges for the whole items). Those that are not stored are left out.
    pub async fn look_up(
        &self,
        link: &LinkId,
        ids: HashSet<TransactionId>,
    ) -> Result<HashMap<TransactionId, Stored>, StoreError> {
        let partition = self.partition(link);
        let keys = ids
            .iter()
            .map(|id| transaction_key(&partition, id.as_str()))
            .collect();
        let items = self
            .read_parts(keys, &["_item", "_digest", "_deleted_at", "collected_at"])
            .await?;
        items
            .iter()
            .map(|item| stored_transaction(item).ok_or(StoreError::Corrupt(TABLE)))
            .collect()
    }

    /// What the store holds of a link's transactions of some days, counted row by row.
    pub async fn stock(
        &self,
        link: &LinkId,
        days: Days,
        account: Option<&AccountId>,
    ) -> Result<Stock, StoreError> {
        let mut entries = self
            .entries(
                link,
                days,
                account,
                "#by_date, #deleted_at, #type",
                &[("#deleted_at", "_deleted_at"), ("#type", "type")],
            )
            .send();
        let mut stock = Stock {
            days,
            transactions: 0,
            inflow: 0,
            outflow: 0,
            first_date: None,
            last_date: None,
        };
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            if entry.contains_key("_deleted_at") {
                continue;
            }
            let flow = entry
                .get("type")
                .and_then(|flow| flow.as_s().ok())
                .map(String::as_str);
            stock.transactions += 1;
            stock.inflow += u64::from(flow == Some("INFLOW"));
            stock.outflow += u64::from(flow == Some("OUTFLOW"));
            let (day, _) = place(&entry).ok_or(StoreError::Corrupt(TABLE))?;
            if parse_date(&day).is_some() {
                // The index is in the order of days.
                stock.first_date.get_or_insert_with(|| day.clone());
                stock.last_date = Some(day);
            }
        }
        Ok(stock)
    }

    /// The day of a link's newest transaction, deleted ones included; none if nothing is stored.
    pub async fn newest_day(&self, link: &LinkId) -> Result<Option<String>, StoreError> {
        let values = date_range(&self.partition(link), None, None);
        let newest = self
            .by_date()
            .scan_index_forward(false)
            .limit(1)
            .projection_expression("#by_date");
        let answer = newest
            .set_expression_attribute_values(Some(values))
            .send()
            .await?;
        let newest = answer
            .items
            .unwrap_or_default()
            .first()
            .map(|entry| place(entry).ok_or(StoreError::Corrupt(TABLE)));
        Ok(newest.transpose()?.map(|(day, _)| day))
    }

    /// Index entries of some days, in their order.
    pub(super) fn entries(
        &self,
        link: &LinkId,
        days: Days,
        account: Option<&AccountId>,
        projection: &str,
        names: &[(&str, &str)],
    ) -> QueryPaginatorItems {
        // Belvo's date filters leave out rows without a date, and so does a bounded span here.
        let open = if days == Days::ALL {
            None
        } else {
            Some("0000-00-01".to_owned())
        };
        let mut values = date_range(
            &self.partition(link),
            days.first().or(open).as_deref(),
            days.last().as_deref(),
        );
        if let Some(account) = account {
            values.insert(":account".to_owned(), text(account.as_str()));
        }
        let mut query = self.by_date();
        for (name, attribute) in names {
            query = query.expression_attribute_names(*name, *attribute);
        }
        query
            .set_filter_expression(account.map(|_| "account = :account".to_owned()))
            .set_expression_attribute_values(Some(values))
            .projection_expression(projection)
            .into_paginator()
            .items()
    }

    /// A link's accounts.
    pub async fn accounts(&self, link: &LinkId) -> Result<Vec<Account>, StoreError> {
        let items = self.items_from(&self.partition(link), "A#").await?;
        items
            .into_iter()
            .map(|item| account(item).ok_or(StoreError::Corrupt(TABLE)))
            .collect()
    }

    /// What is stored of a link's accounts: ids and fingerprints only.
    pub async fn stored_accounts(
        &self,
        link: &LinkId,
    ) -> Result<HashMap<AccountId, Stored>, StoreError> {
        let items = self.items_from(&self.partition(link), "A#").await?;
        items
            .iter()
            .map(|item| stored_account(item).ok_or(StoreError::Corrupt(TABLE)))
            .collect()
    }

    /// A consistent query of the index over a range of days, which [`date_range`] gives the values
    /// for.
    pub(super) fn by_date(&self) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name(BY_DATE)
            .key_condition_expression("#link = :link AND #by_date BETWEEN :from AND :to")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#by_date", "_by_date")
            .consistent_read(true)
    }

    /// The items of a partition whose sort key starts with `prefix`, in its order.
    pub(super) async fn items_from(
        &self,
        partition: &Partition,
        prefix: &str,
    ) -> Result<Vec<Item>, StoreError> {
        let items = self
            .items_with(partition, prefix)
            .into_paginator()
            .items()
            .send();
        Ok(items.collect::<Result<Vec<_>, _>>().await?)
    }

    /// A consistent query of the items of a partition whose sort key starts with `prefix`.
    pub(super) fn items_with(&self, partition: &Partition, prefix: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#link = :link AND begins_with(#item, :prefix)")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(":link", partition.key())
            .expression_attribute_values(":prefix", text(prefix))
            .consistent_read(true)
    }
}

/// The values of a key condition over `by_date`. `$` follows `#`, so the upper bound includes the
/// whole last day.
pub(super) fn date_range(
    partition: &Partition,
    from: Option<&str>,
    to: Option<&str>,
) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (":link".to_owned(), partition.key()),
        (":from".to_owned(), text(from.unwrap_or("0"))),
        (
            ":to".to_owned(),
            text(format!("{}$", to.unwrap_or("9999-12-31"))),
        ),
    ])
}

/// The place of an index entry.
pub(super) fn place(entry: &Item) -> Option<Place> {
    let (day, id) = entry.get("_by_date")?.as_s().ok()?.split_once('#')?;
    Some((day.to_owned(), id.to_owned()))
}
