//! The versions of a transaction: what was known when.

use domain::{Filter, LinkId, Listed, RowId, Timestamp, Version};

use super::{
    list::start_key,
    partition::Partition,
    row_item::{duplicate_of, row},
    rows::{Place, Rows, date_range, place},
    table,
};
use crate::store::{
    Cursor, StoreError,
    item::{Item, request_id, timestamp},
};

impl Rows {
    /// Every version of a transaction, oldest first; none if it was never seen.
    pub async fn history(&self, link: &LinkId, id: &RowId) -> Result<Vec<Version>, StoreError> {
        let partition = self.partition(link);
        let mut items = self
            .table
            .items_from(&partition, &format!("V#{id}#"))
            .await?;
        items.extend(
            self.table
                .read_all(vec![partition.row_key(id.as_str())])
                .await?,
        );
        versions(items)
    }

    /// A link's transactions as they were known at an instant: newest first, at most `limit`, and
    /// where the listing continues. Reads every earlier version of the link's rows in addition to
    /// the rows of the page.
    pub async fn list_as_of(
        &self,
        link: &LinkId,
        filter: &Filter,
        instant: Timestamp,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<(Vec<Listed>, Option<Cursor>), StoreError> {
        let partition = self.partition(link);
        let (places, next) = self.places(&partition, filter, after, limit).await?;
        let keys = places.iter().map(|(_, id)| partition.row_key(id)).collect();
        let mut items = self.table.read_all(keys).await?;
        items.extend(self.table.items_from(&partition, "V#").await?);
        let mut versions = versions(items)?;

        // Earlier versions have their own days: this page has those between its two ends.
        let page_end = next.as_ref().map(Cursor::parts);
        let before_page = after.map(Cursor::parts);
        versions.retain(|version| {
            let place = self.place_of(version);
            let on_page = before_page.is_none_or(|start| place < start)
                && page_end.is_none_or(|end| end <= place);
            on_page && version.was_valid_at(instant) && filter.chooses(&version.row, self.resource)
        });
        versions.sort_by(|one, other| self.place_of(other).cmp(&self.place_of(one)));

        let limit = usize::from(limit);
        let is_full = versions.len() > limit;
        versions.truncate(limit);
        let last = versions.last().filter(|_| is_full);
        let next = match last.map(|last| self.place_of(last)) {
            Some((day, id)) => Some(Cursor::at(day, id)),
            None => next,
        };
        Ok((versions.into_iter().map(Listed::from).collect(), next))
    }

    /// The day and the id by which listings are ordered.
    fn place_of<'a>(&self, version: &'a Version) -> (&'a str, &'a str) {
        (version.row.day(self.resource), version.row.id().as_str())
    }

    /// The places of a page of rows in a range of days, deleted ones included, and where the next
    /// page starts.
    async fn places(
        &self,
        partition: &Partition,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<(Vec<Place>, Option<Cursor>), StoreError> {
        let answer = self
            .by_date()
            .projection_expression("#by_date")
            .scan_index_forward(false)
            .limit(limit.into())
            .set_expression_attribute_values(Some(date_range(
                partition,
                filter.date_from.as_deref(),
                filter.date_to.as_deref(),
            )))
            .set_exclusive_start_key(after.map(|cursor| start_key(partition, cursor)))
            .send()
            .await?;
        let entries = answer.items.unwrap_or_default();
        let places = entries
            .iter()
            .map(place)
            .collect::<Option<Vec<_>>>()
            .ok_or(StoreError::Corrupt(table::NAME))?;
        let next = answer.last_evaluated_key.as_ref().and_then(place);
        Ok((places, next.map(|(day, id)| Cursor::at(&day, &id))))
    }
}

fn versions(items: Vec<Item>) -> Result<Vec<Version>, StoreError> {
    items
        .into_iter()
        .map(|item| version(item).ok_or(StoreError::Corrupt(table::NAME)))
        .collect()
}

fn version(item: Item) -> Option<Version> {
    let deleted_at = timestamp(&item, "_deleted_at");
    Some(Version {
        from: timestamp(&item, "_stored_at")?,
        request: request_id(&item, "_request"),
        until: timestamp(&item, "_until").or(deleted_at),
        deleted: deleted_at.is_some(),
        deleted_by: request_id(&item, "_deleted_by"),
        duplicate_of: duplicate_of(&item),
        row: row(item)?,
    })
}
