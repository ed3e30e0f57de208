//! Listings, newest first.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use domain::{Filter, LinkId, Listed};

use super::{
    descent::day_before,
    index::Index,
    leaf::Entry,
    partition::Partition,
    row_item::{duplicate_of, row},
    rows::Rows,
    table,
};
use crate::store::{Cursor, StoreError};

/// How often a listing reads leaves of the index before it returns a cursor, so that a filter that
/// matches little does not read a whole link in one call.
const READS_PER_LISTING: usize = 10;

/// The most bytes of an answer's rows: Lambda answers at most 6 MB ("Lambda quotas", developer
/// guide), and accounts and the escapes of JSON within JSON come on top.
pub(super) const MOST_BYTES: usize = 4_000_000;

/// In a cursor: the listing goes on with the day before. Sorts before every id.
const DAY_IS_DONE: &str = "!";

impl Rows {
    /// A link's rows, newest first, at most `limit`, and where the listing continues. A filter that
    /// matches little may return fewer rows, or none, with a cursor: only a missing cursor ends the
    /// listing.
    pub async fn list(
        &self,
        link: &LinkId,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<(Vec<Listed>, Option<Cursor>), StoreError> {
        let partition = self.partition(link);
        let is_listed = |entry: &Entry| entry.is_shown() && matches(filter, entry);
        let (entries, next) = self
            .page(&partition, filter, after, limit, is_listed)
            .await?;
        let mut listing = Listing::default();
        for entries in entries.chunks(self.resource.rows_at_once()) {
            let rows = self.read_rows(&partition, entries, filter).await?;
            if !listing.add(entries.iter().zip(rows)) {
                break;
            }
        }
        Ok(listing.until(next))
    }

    /// A page of the entries of a range of days: those that match, newest first, and where the next
    /// page starts.
    pub(super) async fn page(
        &self,
        partition: &Partition,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: u16,
        is_listed: impl Fn(&Entry) -> bool,
    ) -> Result<(Vec<Entry>, Option<Cursor>), StoreError> {
        let index = Index::new(&self.table, partition);
        let first = filter.date_from.as_deref();
        let last = after.map(last_day).or(filter.date_to.clone());
        let limit = usize::from(limit);
        let is_on_page = |entry: &Entry| {
            let is_after = after.is_none_or(|cursor| entry.place() < cursor.parts());
            let day = entry.day.as_str();
            let is_of_these_days = first.is_none_or(|first| first <= day)
                && filter.date_to.as_deref().is_none_or(|to| day <= to);
            is_after && is_of_these_days && is_listed(entry)
        };

        let mut descent = index.descend(first, last.as_deref());
        let mut found: Vec<Entry> = Vec::new();
        while found.len() <= limit && descent.may_read(READS_PER_LISTING) {
            found.extend(descent.read().await?.into_iter().filter(is_on_page));
        }
        found.sort_unstable_by(|one, other| other.place().cmp(&one.place()));
        let is_full = found.len() > limit;
        found.truncate(limit);
        let next = match found.last().filter(|_| is_full) {
            Some(last) => Some(Cursor::at(&last.day, last.id.as_str())),
            None => descent.rest().map(|day| Cursor::at(&day, DAY_IS_DONE)),
        };
        Ok((found, next))
    }

    /// The rows of these entries, in the same order. A row is written before its entry, so what the
    /// row says counts: there is none for one that was deleted, or that moved or changed so that
    /// the filter no longer matches.
    async fn read_rows(
        &self,
        partition: &Partition,
        entries: &[Entry],
        filter: &Filter,
    ) -> Result<Vec<Option<Listed>>, StoreError> {
        // A row that is about to move is listed under both days.
        let ids: HashSet<_> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let keys = ids.into_iter().map(|id| partition.row_key(id));
        let mut rows = HashMap::with_capacity(entries.len());
        let mut items = self.table.read_all(keys.collect()).await?;
        items.retain(|item| !item.contains_key("_deleted_at"));
        for item in items {
            let duplicate_of = duplicate_of(&item);
            let row = row(item).ok_or(StoreError::Corrupt(table::NAME))?;
            rows.insert(row.id().clone(), Listed { row, duplicate_of });
        }
        let listed = |entry: &Entry| {
            let listed: &Listed = rows.get(&entry.id)?;
            let is_here = listed.row.day(self.resource) == entry.day;
            (is_here && filter.chooses(&listed.row, self.resource)).then(|| listed.clone())
        };
        Ok(entries.iter().map(listed).collect())
    }
}

/// The rows of a page, and where the listing continues if they are too many bytes for one answer.
#[derive(Default)]
pub(super) struct Listing {
    rows: Vec<Listed>,
    bytes: usize,
    last: Option<Cursor>,
    is_full: bool,
}

impl Listing {
    /// Adds the rows of entries, where there are any, as long as there is room.
    pub(super) fn add<'a>(
        &mut self,
        rows: impl Iterator<Item = (&'a Entry, Option<Listed>)>,
    ) -> bool {
        for (entry, row) in rows {
            let Some(row) = row else {
                continue;
            };
            self.bytes += row.row.text().len();
            if self.bytes > MOST_BYTES && !self.rows.is_empty() {
                self.is_full = true;
                return false;
            }
            self.last = Some(Cursor::at(&entry.day, entry.id.as_str()));
            self.rows.push(row);
        }
        true
    }

    /// The rows, and where the listing continues: after the last of them if there was no room for
    /// more, and otherwise where the page does.
    pub(super) fn until(self, next: Option<Cursor>) -> (Vec<Listed>, Option<Cursor>) {
        let next = if self.is_full { self.last } else { next };
        (self.rows, next)
    }
}

/// The latest day that is left to be listed after a cursor.
fn last_day(after: &Cursor) -> String {
    match after.parts() {
        (day, DAY_IS_DONE) => day_before(day),
        (day, _) => day.to_owned(),
    }
}

/// Whether an entry may be listed under a filter, whose days are not compared.
fn matches(filter: &Filter, entry: &Entry) -> bool {
    let is = |wanted: &Option<String>, value: &Option<Arc<str>>| {
        wanted.is_none() || wanted.as_deref() == value.as_deref()
    };
    is(&filter.account, &entry.account)
        && is(&filter.status, &entry.status)
        && is(&filter.kind, &entry.kind)
}
