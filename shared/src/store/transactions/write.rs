//! Writes rows, their earlier versions, and tombstones.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Changes, DigestedRow, LinkId, Observation, RequestId, RowId};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    partition::Partition,
    row_item::{row_item, version_item},
    rows::Rows,
    table::{self, put_request},
};
use crate::store::{
    StoreError,
    error::was_written,
    item::{Item, text},
};

/// Tombstones written concurrently.
const TOMBSTONES_AT_ONCE: usize = 8;

/// The duplicate marks of replaced rows, by the rows' keys.
type Marks = HashMap<String, AttributeValue>;

impl Rows {
    /// Writes rows, and keeps the earlier versions of the changed ones. `Ok` means that every row
    /// is written. Safe to repeat: an earlier version is stored under its own time, so that it is
    /// stored once.
    pub async fn put(
        &self,
        link: &LinkId,
        changes: Changes,
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let partition = self.partition(link);
        // Versions first: a failure in between leaves one version too many, which the retry writes
        // again, and never one too few.
        let marks = self
            .keep_versions(&partition, &changes.changed, seen)
            .await?;

        let rows = changes.new.into_iter().chain(changes.changed);
        let puts = rows.map(|change| {
            let mut item = row_item(&partition, change, seen);
            let mark = item["_item"].as_s().ok().and_then(|key| marks.get(key));
            item.extend(mark.map(|mark| ("_same_as".to_owned(), mark.clone())));
            put_request(item)
        });
        self.table.write_all(puts).await
    }

    /// Marks rows that Belvo no longer returns. They stay stored, and are restored if Belvo returns
    /// them again. Safe to repeat: the first time is kept.
    pub async fn tombstone(
        &self,
        link: &LinkId,
        ids: &[RowId],
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let tombstones = ids.iter().map(|id| self.tombstone_one(link, id, seen));
        stream::iter(tombstones)
            .buffer_unordered(TOMBSTONES_AT_ONCE)
            .try_collect()
            .await
    }

    /// Stores the current versions of rows that are about to be replaced.
    async fn keep_versions(
        &self,
        partition: &Partition,
        changed: &[DigestedRow],
        seen: &Observation,
    ) -> Result<Marks, StoreError> {
        let ids = changed.iter().map(|change| change.row.id().as_str());
        let keys = ids.map(|id| partition.row_key(id)).collect();
        let replaced = self.table.read_all(keys).await?;
        let marks = replaced.iter().filter_map(mark).collect();

        let versions = replaced.into_iter().map(|item| {
            let version = version_item(item, seen.at);
            version
                .map(put_request)
                .ok_or(StoreError::Corrupt(table::NAME))
        });
        let versions = versions.collect::<Result<Vec<_>, _>>()?;
        self.table.write_all(versions.into_iter()).await?;
        Ok(marks)
    }

    async fn tombstone_one(
        &self,
        link: &LinkId,
        id: &RowId,
        seen: &Observation,
    ) -> Result<(), StoreError> {
        let by = seen.request.as_ref().map_or("none", RequestId::as_str);
        let outcome = self
            .table
            .update(self.partition(link).row_key(id.as_str()))
            .update_expression("SET #at = if_not_exists(#at, :at), #by = if_not_exists(#by, :by)")
            // A tombstone belongs to a row; without one, this would create an item.
            .condition_expression("attribute_exists(#item)")
            .expression_attribute_names("#at", "_deleted_at")
            .expression_attribute_names("#by", "_deleted_by")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(":at", text(seen.at.to_string()))
            .expression_attribute_values(":by", text(by))
            .send()
            .await;
        was_written(outcome).map(|_| ())
    }
}

fn mark(item: &Item) -> Option<(String, AttributeValue)> {
    let key = item.get("_item")?.as_s().ok()?;
    Some((key.clone(), item.get("_same_as")?.clone()))
}
