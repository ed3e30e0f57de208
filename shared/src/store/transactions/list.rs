//! Listings, newest first.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::QueryOutput;
use domain::{Filter, LinkId, Listed};

use super::{
    partition::Partition,
    row_item::{duplicate_of, row},
    rows::{Place, Rows, date_range, place},
    table,
};
use crate::store::{
    Cursor, StoreError,
    item::{Item, text},
};

/// Index entries that a filtered listing reads per call, and how many calls it makes before it
/// returns a cursor.
const FILTERED_READ: i32 = 500;
const READS_PER_LISTING: usize = 10;

impl Rows {
    /// A link's transactions, newest first, at most `limit`, and where the listing continues. A
    /// filter that matches little may return fewer rows, or none, with a cursor: only a missing
    /// cursor ends the listing.
    pub async fn list(
        &self,
        link: &LinkId,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<(Vec<Listed>, Option<Cursor>), StoreError> {
        let partition = self.partition(link);
        let limit = usize::from(limit);
        let mut places = Vec::new();
        let mut start = after.map(|cursor| start_key(&partition, cursor));
        for _ in 0..READS_PER_LISTING {
            let answer = self
                .list_index(&partition, filter, start.take(), limit - places.len())
                .await?;
            for entry in answer.items.unwrap_or_default() {
                places.push(place(&entry).ok_or(StoreError::Corrupt(table::NAME))?);
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
            (true, false, Some(key)) => Some(place(key).ok_or(StoreError::Corrupt(table::NAME))?),
            _ => None,
        };
        let rows = self.read_rows(&partition, &places).await?;
        Ok((rows, next.map(|(day, id)| Cursor::at(&day, &id))))
    }

    /// One read of the index: the places of matching rows that are not deleted, newest first.
    async fn list_index(
        &self,
        partition: &Partition,
        filter: &Filter,
        start: Option<Item>,
        wanted: usize,
    ) -> Result<QueryOutput, StoreError> {
        let mut values = date_range(
            partition,
            filter.date_from.as_deref(),
            filter.date_to.as_deref(),
        );
        let mut conditions = vec!["attribute_not_exists(#deleted_at)".to_owned()];
        let mut query = self
            .by_date()
            .expression_attribute_names("#deleted_at", "_deleted_at")
            .projection_expression("#by_date")
            .scan_index_forward(false)
            .set_exclusive_start_key(start);
        for (name, value) in filter.fields() {
            conditions.push(format!("#{name} = :{name}"));
            query = query.expression_attribute_names(format!("#{name}"), name);
            values.insert(format!(":{name}"), text(value));
        }

        // Deleted rows are rare; the other filters may match little.
        let is_filtered = conditions.len() > 1;
        let wanted = i32::try_from(wanted).unwrap_or(FILTERED_READ);
        let answer = query
            .limit(if is_filtered { FILTERED_READ } else { wanted })
            .filter_expression(conditions.join(" AND "))
            .set_expression_attribute_values(Some(values))
            .send()
            .await?;
        Ok(answer)
    }

    /// The rows at these places, in the same order. A row that moved in the meantime is left out.
    async fn read_rows(
        &self,
        partition: &Partition,
        places: &[Place],
    ) -> Result<Vec<Listed>, StoreError> {
        let keys = places.iter().map(|(_, id)| partition.row_key(id)).collect();
        let mut rows = HashMap::with_capacity(places.len());
        for item in self.table.read_all(keys).await? {
            let duplicate_of = duplicate_of(&item);
            let row = row(item).ok_or(StoreError::Corrupt(table::NAME))?;
            rows.insert(row.id().as_str().to_owned(), Listed { row, duplicate_of });
        }
        Ok(places
            .iter()
            .filter_map(|(_, id)| rows.remove(id))
            .collect())
    }
}

pub(super) fn start_key(partition: &Partition, cursor: &Cursor) -> Item {
    let (day, id) = cursor.parts();
    let mut key = partition.row_key(id);
    key.insert("_by_date".to_owned(), text(format!("{day}#{id}")));
    key
}
