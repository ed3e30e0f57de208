//! Rows, and what comparing them needs: ids, digests, counts.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::{
    operation::query::{builders::QueryFluentBuilder, paginator::QueryPaginatorItems},
    types::AttributeValue,
};
use domain::{AccountId, Days, KnownVersion, LinkId, Resource, RowId, StoredTotals, parse_date};

use super::{
    partition::Partition,
    row_item::known_row,
    table::{self, Table},
};
use crate::store::{
    StoreError,
    item::{Item, text},
};

const BY_DATE: &str = "by_date";

/// A day and a row id: the order of listings.
pub(super) type Place = (String, String);

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
    /// ones: ids and digests only.
    pub async fn known(
        &self,
        link: &LinkId,
        days: Days,
        account: Option<&AccountId>,
    ) -> Result<HashMap<RowId, KnownVersion>, StoreError> {
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
            let (id, known) = known_row(&entry?).ok_or(StoreError::Corrupt(table::NAME))?;
            stored.insert(id, known);
        }
        Ok(stored)
    }

    /// What is known about rows under any day: ids and digests only (DynamoDB charges for the whole
    /// items). Rows that are not stored are left out.
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
            .read_parts(keys, &["_item", "_digest", "_deleted_at", "collected_at"])
            .await?;
        items
            .iter()
            .map(|item| known_row(item).ok_or(StoreError::Corrupt(table::NAME)))
            .collect()
    }

    /// What the store holds of a link's rows on some days, counted row by row.
    pub async fn totals(
        &self,
        link: &LinkId,
        days: Days,
        account: Option<&AccountId>,
    ) -> Result<StoredTotals, StoreError> {
        let names = [("#deleted_at", "_deleted_at"), ("#type", "type")];
        let projection = "#by_date, #deleted_at, #type";
        let mut entries = self.entries(link, days, account, projection, &names).send();

        let mut totals = StoredTotals::of(days);
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            if entry.contains_key("_deleted_at") {
                continue;
            }
            let flow = entry.get("type").and_then(|flow| flow.as_s().ok());
            let (day, _) = place(&entry).ok_or(StoreError::Corrupt(table::NAME))?;
            // The index is in the order of days.
            totals.add(flow.map(String::as_str), parse_date(&day).map(|_| day));
        }
        Ok(totals)
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
            .map(|entry| place(entry).ok_or(StoreError::Corrupt(table::NAME)));
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

    /// A consistent query of the index over a range of days; [`date_range`] gives its values.
    pub(super) fn by_date(&self) -> QueryFluentBuilder {
        self.table
            .query()
            .index_name(BY_DATE)
            .key_condition_expression("#link = :link AND #by_date BETWEEN :from AND :to")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#by_date", "_by_date")
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
        (":link".to_owned(), partition.value()),
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
