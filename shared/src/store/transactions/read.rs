//! Reading: what a comparison needs, and listings.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::query::{QueryOutput, builders::QueryFluentBuilder},
    types::AttributeValue,
};

use serde_json::Value;

use super::{
    BY_DATE, TABLE, Transactions,
    items::{account, stored_account, stored_transaction, transaction, transaction_key},
};
use crate::{
    domain::{Account, AccountId, LinkId, Stored, Transaction, TransactionId, Window},
    store::{
        Cursor, StoreError,
        item::{Item, text},
    },
};

/// Entries that a filtered listing reads per call, and how many calls one listing makes before it hands out a cursor.
const FILTERED_READ: i32 = 500;
const READS_PER_LISTING: usize = 10;

/// Which transactions to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// First day, `YYYY-MM-DD`.
    pub date_from: Option<String>,
    /// Last day, `YYYY-MM-DD`.
    pub date_to: Option<String>,
    /// Belvo's account id.
    pub account: Option<String>,
    /// Belvo's status, such as `PENDING`.
    pub status: Option<String>,
    /// Belvo's type, such as `OUTFLOW`.
    pub kind: Option<String>,
}

impl Filter {
    /// Whether the filter chooses a row, by the document alone.
    pub(super) fn chooses(&self, row: &Transaction) -> bool {
        let day = row.day();
        let is = |wanted: &Option<String>, field: &str| {
            wanted.as_deref().is_none_or(|wanted| row.document().get(field).and_then(Value::as_str) == Some(wanted))
        };
        self.date_from.as_deref().is_none_or(|from| from <= day)
            && self.date_to.as_deref().is_none_or(|to| day <= to)
            && is(&self.account, "account")
            && is(&self.status, "status")
            && is(&self.kind, "type")
    }
}

/// A day and a transaction id: the order of listings.
pub(super) type Place = (String, String);

impl Transactions {
    /// What is stored of a link's transactions in a window (or ever), of one account or all: ids and fingerprints only,
    /// those of deleted rows included.
    pub async fn stored(
        &self,
        link: &LinkId,
        window: Option<&Window>,
        account: Option<&AccountId>,
    ) -> Result<HashMap<TransactionId, Stored>, StoreError> {
        let (from, to) = window.map_or((None, None), |window| (Some(window.from()), Some(window.to())));
        let mut values = date_range(link, from.as_deref(), to.as_deref());
        if let Some(account) = account {
            values.insert(":account".to_owned(), text(account.as_str()));
        }
        let mut entries = self
            .by_date()
            .set_filter_expression(account.map(|_| "account = :account".to_owned()))
            .expression_attribute_names("#item", "_item")
            .expression_attribute_names("#digest", "_digest")
            .expression_attribute_names("#deleted_at", "_deleted_at")
            .set_expression_attribute_values(Some(values))
            .projection_expression("#item, #digest, #deleted_at, collected_at")
            .into_paginator()
            .items()
            .send();
        let mut stored = HashMap::new();
        while let Some(entry) = entries.next().await {
            let (id, known) = stored_transaction(&entry?).ok_or(StoreError::Corrupt(TABLE))?;
            stored.insert(id, known);
        }
        Ok(stored)
    }

    /// A link's accounts.
    pub async fn accounts(&self, link: &LinkId) -> Result<Vec<Account>, StoreError> {
        let items = self.items_from(link, "A#").await?;
        items.into_iter().map(|item| account(item).ok_or(StoreError::Corrupt(TABLE))).collect()
    }

    /// What is stored of a link's accounts: ids and fingerprints only.
    pub async fn stored_accounts(&self, link: &LinkId) -> Result<HashMap<AccountId, Stored>, StoreError> {
        let items = self.items_from(link, "A#").await?;
        items.iter().map(|item| stored_account(item).ok_or(StoreError::Corrupt(TABLE))).collect()
    }

    /// A link's transactions, newest first, at most `limit`, and where the listing goes on. A filter that matches little
    /// may return fewer rows, or none, with a cursor: the listing ends where there is no cursor.
    pub async fn list(
        &self,
        link: &LinkId,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<Transaction>, Option<Cursor>), StoreError> {
        let mut places = Vec::new();
        let mut start = after.map(|cursor| start_key(link, cursor));
        for _ in 0..READS_PER_LISTING {
            let answer = self.list_index(link, filter, start.take(), limit - places.len()).await?;
            for entry in answer.items.unwrap_or_default() {
                places.push(place(&entry).ok_or(StoreError::Corrupt(TABLE))?);
            }
            start = answer.last_evaluated_key;
            if places.len() >= limit || start.is_none() {
                break;
            }
        }
        let more = places.len() > limit || start.is_some();
        places.truncate(limit);
        let next = match (more, places.len() == limit, &start) {
            (true, true, _) => places.last().cloned(),
            (true, false, Some(key)) => Some(place(key).ok_or(StoreError::Corrupt(TABLE))?),
            _ => None,
        };
        let rows = self.read_rows(link, &places).await?;
        Ok((rows, next.map(|(day, id)| Cursor::at(&day, &id))))
    }

    /// One read of the index: the places of matching rows that are not deleted, newest first.
    async fn list_index(
        &self,
        link: &LinkId,
        filter: &Filter,
        start: Option<Item>,
        wanted: usize,
    ) -> Result<QueryOutput, StoreError> {
        let mut values = date_range(link, filter.date_from.as_deref(), filter.date_to.as_deref());
        let mut conditions = vec!["attribute_not_exists(#deleted_at)".to_owned()];
        let mut query = self
            .by_date()
            .expression_attribute_names("#deleted_at", "_deleted_at")
            .projection_expression("#by_date")
            .scan_index_forward(false)
            .set_exclusive_start_key(start);
        for (name, value) in [("account", &filter.account), ("status", &filter.status), ("type", &filter.kind)] {
            if let Some(value) = value {
                conditions.push(format!("#{name} = :{name}"));
                query = query.expression_attribute_names(format!("#{name}"), name);
                values.insert(format!(":{name}"), text(value));
            }
        }
        // Deleted rows are rare; the other filters may choose little.
        let read = if conditions.len() == 1 { i32::try_from(wanted).unwrap_or(FILTERED_READ) } else { FILTERED_READ };
        let query = query.limit(read).filter_expression(conditions.join(" AND "));
        Ok(query.set_expression_attribute_values(Some(values)).send().await?)
    }

    /// A consistent query of the index over a range of days, which [`date_range`] gives the values for.
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

    /// The rows at these places, in the same order. A row that moved in between is left out.
    async fn read_rows(&self, link: &LinkId, places: &[Place]) -> Result<Vec<Transaction>, StoreError> {
        let keys = places.iter().map(|(_, id)| transaction_key(link, id)).collect();
        let mut rows = HashMap::with_capacity(places.len());
        for item in self.read_all(keys).await? {
            let row = transaction(item).ok_or(StoreError::Corrupt(TABLE))?;
            rows.insert(row.id().as_str().to_owned(), row);
        }
        Ok(places.iter().filter_map(|(_, id)| rows.remove(id)).collect())
    }

    /// A link's items whose sort key starts with `prefix`, in its order.
    pub(super) async fn items_from(&self, link: &LinkId, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#link = :link AND begins_with(#item, :prefix)")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(":link", text(link.as_str()))
            .expression_attribute_values(":prefix", text(prefix))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(items)
    }
}

/// The values of a key condition over `by_date`. `$` follows `#`, so the upper bound includes the whole last day.
pub(super) fn date_range(link: &LinkId, from: Option<&str>, to: Option<&str>) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (":link".to_owned(), text(link.as_str())),
        (":from".to_owned(), text(from.unwrap_or("0"))),
        (":to".to_owned(), text(format!("{}$", to.unwrap_or("9999-12-31")))),
    ])
}

pub(super) fn start_key(link: &LinkId, cursor: &Cursor) -> Item {
    let (day, id) = cursor.parts();
    let mut key = transaction_key(link, id);
    key.insert("_by_date".to_owned(), text(format!("{day}#{id}")));
    key
}

/// The place of an index entry.
pub(super) fn place(entry: &Item) -> Option<Place> {
    let (day, id) = entry.get("_by_date")?.as_s().ok()?.split_once('#')?;
    Some((day.to_owned(), id.to_owned()))
}
