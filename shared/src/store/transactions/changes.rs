//! Reads what has changed at a link: first everything that it has, then its change log.

use std::collections::{HashMap, HashSet};

use domain::{Change, Filter, LinkId, Listed, RESOURCES, Resource, Row, RowId, Unread};
use serde::{Deserialize, Serialize};

use super::{
    TransactionsTable,
    change_log::{ChangeLog, LogEntry},
    list::MOST_BYTES,
    partition::Partition,
    row_item::row,
    table,
};
use crate::store::{Cursor, StoreError};

/// Entries of the log that are read for one answer. Each names the rows of a page of Belvo's at
/// most, so that few are read of a large change, and those of several days of a link's usual ones.
const ENTRIES_AT_ONCE: i32 = 10;

/// Where a reader is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Position {
    /// It lists what the link has. What changes meanwhile is in the log after `log`.
    Rows {
        log: u64,
        resource: Resource,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Cursor>,
    },
    /// It reads the log.
    Log(LogPlace),
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPlace {
    /// The entries up to this number were read,
    pub after: u64,
    /// and so many rows of the next one.
    pub rows: usize,
}

/// What a reader is told.
#[derive(Debug, Default)]
pub struct ChangedRows {
    /// Rows as they are now, each with its resource and whether the reader may not have it yet.
    pub rows: Vec<(Resource, Row, bool)>,
    /// Rows that Belvo no longer has.
    pub removed: Vec<(Resource, RowId)>,
    /// Whether everything of the link was erased before all this.
    pub is_erased: bool,
}

/// A page of changes.
#[derive(Debug)]
pub enum ChangesPage {
    Changed {
        rows: ChangedRows,
        next: Position,
        has_more: bool,
    },
    /// The log no longer goes back to where the reader is. It has to begin again.
    Expired,
}

impl TransactionsTable {
    /// What has changed at a link since `position`, at most `limit` rows and a few megabytes of
    /// them; from the beginning if there is none. A row may be told several times, and is told as
    /// it is now. Rows are told in the order of the log, each after it is stored.
    pub async fn changes(
        &self,
        link: &LinkId,
        position: Option<Position>,
        limit: u16,
    ) -> Result<ChangesPage, StoreError> {
        match position {
            None => {
                let head = ChangeLog::of(&self.0, link).head().await?;
                let first = (Resource::TRANSACTIONS, None);
                self.snapshot(link, head.done, first, limit).await
            }
            Some(Position::Rows {
                log,
                resource,
                after,
            }) => self.snapshot(link, log, (resource, after), limit).await,
            Some(Position::Log(place)) => self.log(link, place, limit).await,
        }
    }

    /// The rows that a link has, one resource after the other, each in answers of its own.
    async fn snapshot(
        &self,
        link: &LinkId,
        log: u64,
        (resource, mut after): (Resource, Option<Cursor>),
        limit: u16,
    ) -> Result<ChangesPage, StoreError> {
        let is_earlier = |known: &Resource| *known != resource;
        let mut left = RESOURCES.iter().copied().skip_while(is_earlier);
        let (mut told, filter) = (ChangedRows::default(), Filter::default());
        while let Some(resource) = left.next() {
            let (rows, at) = (self.rows(resource), after.take());
            let (listed, rest) = rows.list(link, &filter, at.as_ref(), limit).await?;
            told = present(resource, listed);
            let following = match rest {
                Some(rest) => Some((resource, Some(rest))),
                None => left.clone().next().map(|following| (following, None)),
            };
            if let Some((resource, after)) = following
                && (after.is_some() || !told.rows.is_empty())
            {
                let next = Position::Rows {
                    log,
                    resource,
                    after,
                };
                return Ok(changed(told, next, true));
            }
        }
        let has_more = ChangeLog::of(&self.0, link).head().await?.done > log;
        let next = Position::Log(LogPlace::after(log));
        Ok(changed(told, next, has_more))
    }

    /// The rows that the log names.
    async fn log(
        &self,
        link: &LinkId,
        at: LogPlace,
        limit: u16,
    ) -> Result<ChangesPage, StoreError> {
        let log = ChangeLog::of(&self.0, link);
        let (first, last) = match log.head().await?.since(at.after) {
            Unread::Expired => return Ok(ChangesPage::Expired),
            Unread::Nothing => {
                let next = Position::Log(LogPlace::after(at.after));
                return Ok(changed(ChangedRows::default(), next, false));
            }
            Unread::Entries { first, last } => (first, last),
        };
        let entries = log.entries(first, last, ENTRIES_AT_ONCE).await?;
        let (told, at) = match entries.first() {
            // What was before it is erased, and may be missing.
            Some((number, entry)) if entry.is_erasure => {
                let is_erased = true;
                let told = ChangedRows {
                    is_erased,
                    ..ChangedRows::default()
                };
                (told, LogPlace::after(*number))
            }
            Some((number, _)) if *number == first => {
                let batches = batches(entries, at, limit.into());
                self.tell(link, at, batches).await?
            }
            _ => return Ok(ChangesPage::Expired),
        };
        let has_more = at != LogPlace::after(last);
        Ok(changed(told, Position::Log(at), has_more))
    }

    /// The rows of these batches as they are now, as far as there is room for them, and the place
    /// after them.
    async fn tell(
        &self,
        link: &LinkId,
        mut at: LogPlace,
        batches: Vec<Batch>,
    ) -> Result<(ChangedRows, LogPlace), StoreError> {
        let (mut told, mut bytes) = (ChangedRows::default(), 0);
        let mut known = HashSet::new();
        for batch in batches {
            let mut rows = self.rows_now(link, &batch).await?;
            for (place, change) in batch.changes {
                let row = (change.resource.name(), change.id.clone());
                if known.insert(row) {
                    let is_new = change.kind.is_new();
                    match rows.remove(&change.id) {
                        Some(row) => {
                            bytes += row.text().len();
                            if bytes > MOST_BYTES && !told.rows.is_empty() {
                                return Ok((told, at));
                            }
                            told.rows.push((change.resource, row, is_new));
                        }
                        None => told.removed.push((change.resource, change.id)),
                    }
                }
                at = place;
            }
            at = batch.end;
        }
        Ok((told, at))
    }

    /// Those rows of a batch that are stored and not deleted.
    async fn rows_now(
        &self,
        link: &LinkId,
        batch: &Batch,
    ) -> Result<HashMap<RowId, Row>, StoreError> {
        let Some((_, Change { resource, .. })) = batch.changes.first() else {
            return Ok(HashMap::new());
        };
        let partition = Partition::of(*resource, link);
        let ids: HashSet<_> = batch.changes.iter().map(|(_, change)| &change.id).collect();
        let keys = ids.into_iter().map(|id| partition.row_key(id.as_str()));
        let mut items = self.0.read_all(keys.collect()).await?;
        items.retain(|item| !item.contains_key("_deleted_at"));
        let rows = items.into_iter().map(|item| {
            let row = row(item).ok_or(StoreError::Corrupt(table::NAME))?;
            Ok((row.id().clone(), row))
        });
        rows.collect()
    }
}

impl LogPlace {
    /// After the entry of this number.
    #[must_use]
    pub fn after(entry: u64) -> Self {
        Self {
            after: entry,
            rows: 0,
        }
    }
}

/// Changes of one resource that are looked up together.
struct Batch {
    /// Each with the place after it.
    changes: Vec<(LogPlace, Change)>,
    /// The place after all of them.
    end: LogPlace,
}

/// What to look up of the log for one answer of at most `limit` rows, from a place on.
fn batches(entries: Vec<(u64, LogEntry)>, from: LogPlace, limit: usize) -> Vec<Batch> {
    let (mut batches, mut left) = (Vec::new(), limit);
    for ((number, entry), expected) in entries.into_iter().zip(from.after + 1..) {
        // DynamoDB may have removed an entry before an older one.
        if left == 0 || entry.is_erasure || number != expected {
            break;
        }
        let skipped = if number == from.after + 1 {
            from.rows
        } else {
            0
        };
        let mut changes = placed(number, entry.changes);
        changes.drain(..skipped.min(changes.len()));
        changes.truncate(left);
        left -= changes.len();

        let Some((_, Change { resource, .. })) = changes.first() else {
            // Its writing was interrupted before any of its rows was written.
            let (changes, end) = (Vec::new(), LogPlace::after(number));
            batches.push(Batch { changes, end });
            continue;
        };
        for changes in changes.chunks(resource.rows_at_once()) {
            let after = LogPlace::after(number);
            let end = changes.last().map_or(after, |(place, _)| *place);
            let changes = changes.to_vec();
            batches.push(Batch { changes, end });
        }
    }
    batches
}

/// The changes of an entry, each with the place after it.
fn placed(number: u64, changes: Vec<Change>) -> Vec<(LogPlace, Change)> {
    let all = changes.len();
    let within = |rows| LogPlace {
        after: number - 1,
        rows,
    };
    let places = (1..all).map(within).chain([LogPlace::after(number)]);
    places.zip(changes).collect()
}

fn present(resource: Resource, listed: Vec<Listed>) -> ChangedRows {
    let rows = listed.into_iter();
    ChangedRows {
        rows: rows.map(|listed| (resource, listed.row, true)).collect(),
        ..ChangedRows::default()
    }
}

fn changed(rows: ChangedRows, next: Position, has_more: bool) -> ChangesPage {
    ChangesPage::Changed {
        rows,
        next,
        has_more,
    }
}

#[cfg(test)]
mod tests {
    use domain::ChangeKind;

    use super::*;

    /// An entry of so many new rows.
    fn entry(rows: usize) -> LogEntry {
        let change = |number| Change {
            resource: Resource::TRANSACTIONS,
            id: RowId::parse(&format!("row-{number}")).unwrap(),
            kind: ChangeKind::Added,
        };
        LogEntry {
            changes: (0..rows).map(change).collect(),
            ..LogEntry::default()
        }
    }

    /// The number of rows that are looked up, and the place after them.
    fn looked_up(entries: Vec<(u64, LogEntry)>, from: LogPlace, limit: usize) -> (usize, LogPlace) {
        let batches = batches(entries, from, limit);
        let rows = batches.iter().map(|batch| batch.changes.len()).sum();
        (rows, batches.last().map_or(from, |batch| batch.end))
    }

    #[test]
    fn an_answer_ends_within_an_entry_and_the_next_one_goes_on_there() {
        let entries = || vec![(1, entry(3)), (2, entry(4))];
        let within = LogPlace { after: 1, rows: 2 };
        assert_eq!(looked_up(entries(), LogPlace::after(0), 5), (5, within));
        let rest = vec![(2, entry(4))];
        assert_eq!(looked_up(rest, within, 5), (2, LogPlace::after(2)));
        assert_eq!(
            looked_up(entries(), LogPlace::after(0), 3),
            (3, LogPlace::after(1))
        );
    }

    #[test]
    fn an_entry_without_rows_is_passed() {
        let entries = vec![(1, entry(0)), (2, entry(1)), (3, entry(0))];
        assert_eq!(
            looked_up(entries, LogPlace::after(0), 5),
            (1, LogPlace::after(3))
        );
    }

    #[test]
    fn an_answer_ends_before_an_entry_that_expired_and_before_an_erasure() {
        let gap = vec![(1, entry(1)), (3, entry(1))];
        assert_eq!(
            looked_up(gap, LogPlace::after(0), 5),
            (1, LogPlace::after(1))
        );
        let erasure = LogEntry {
            is_erasure: true,
            ..LogEntry::default()
        };
        let erased = vec![(1, entry(1)), (2, erasure), (3, entry(1))];
        assert_eq!(
            looked_up(erased, LogPlace::after(0), 5),
            (1, LogPlace::after(1))
        );
    }
}
