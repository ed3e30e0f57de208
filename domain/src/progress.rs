//! How far a collection has come. A large listing is fetched in parts; what is left when an
//! invocation ends is continued in another one, which gets this state.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Collection, Comparison, Days, RowId, Tally, Timestamp};

/// How many times a listing in parts is fetched altogether if its parts do not add up to Belvo's
/// count of the whole, as when a row's date changed meanwhile.
const PASSES: u32 = 3;
/// A listing of all days whose parts did not add up is fetched in one piece if it has at most this
/// many times the rows of a part.
const LARGEST_PIECE: u64 = 5;
/// How many vanished rows a continuation carries, which become tombstones when the whole listing is
/// proven complete. Any beyond that become tombstones when their part is.
const CARRIED: usize = 1_000;

/// The state of a collection between two parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// When it began.
    pub started_at: Timestamp,
    days: Days,
    /// Parts that are not fetched yet, the next one last.
    remaining: Vec<Days>,
    /// Whether nothing of the link was stored when it began: then no row can be stored under
    /// another day.
    pub first_ever: bool,
    /// Which fetch of the whole listing this is, from 1.
    pass: u32,
    /// Belvo's count of the whole listing, if it is fetched in parts.
    whole_count: Option<u64>,
    /// Parts fetched so far.
    pub parts: u64,
    #[serde(flatten)]
    tally: Tally,
    complete: bool,
    accounts: BTreeSet<AccountId>,
    vanished: BTreeSet<RowId>,
    /// Rows that one part returned and that stay stored under the days of another.
    elsewhere: BTreeSet<RowId>,
}

/// What the fetch of one part returned.
#[derive(Debug, Default)]
pub struct Part {
    /// The rows, compared with what was stored.
    pub comparison: Comparison,
    /// Pages read, those of repeated fetches included.
    pub pages: u64,
    /// Belvo's count on the first page of the latest fetch.
    pub first_count: u64,
    /// Belvo's count on its last page, which differs if rows came or went meanwhile.
    pub last_count: u64,
    /// The accounts of the rows.
    pub accounts: BTreeSet<AccountId>,
}

impl Part {
    /// Whether the latest fetch returned as many rows as Belvo counted, and that count did not
    /// change meanwhile.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.first_count == self.last_count && self.comparison.distinct() == self.last_count
    }
}

impl Progress {
    /// A collection that has yet to begin.
    #[must_use]
    pub fn new(days: Days, first_ever: bool, started_at: Timestamp) -> Self {
        Self {
            started_at,
            days,
            remaining: vec![days],
            first_ever,
            pass: 1,
            whole_count: None,
            parts: 0,
            tally: Tally::default(),
            complete: true,
            accounts: BTreeSet::new(),
            vanished: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
        }
    }

    /// All the days of the collection.
    #[must_use]
    pub fn days(&self) -> Days {
        self.days
    }

    /// The part to fetch next; none at the end of a pass.
    #[must_use]
    pub fn next(&self) -> Option<Days> {
        self.remaining.last().copied()
    }

    /// Whether a part of `count` rows must be divided, if parts may have at most `largest`. Rows
    /// without a value date are in no part: if the parts of all days did not add up, all days are
    /// fetched in one piece, unless that piece would need too much memory and time.
    #[must_use]
    pub fn divides(&self, count: u64, largest: u64) -> bool {
        let in_one_piece =
            self.pass > 1 && self.days == Days::ALL && count <= largest * LARGEST_PIECE;
        count > largest && !in_one_piece
    }

    /// The state for another invocation: by then, rows that this one wrote may have moved to other
    /// days.
    #[must_use]
    pub fn continued(self) -> Self {
        Self {
            first_ever: false,
            ..self
        }
    }

    /// Replaces the next part, which has `count` rows and was not fetched, by smaller ones.
    pub fn divide(&mut self, parts: Vec<Days>, count: u64) {
        self.tally.pages += 1;
        if self.next() == Some(self.days) {
            self.whole_count = Some(count);
        }
        self.remaining.pop();
        self.remaining.extend(parts.into_iter().rev());
    }

    /// Records the next part as fetched. Returns vanished rows that cannot wait for the end of the
    /// collection.
    pub fn fetched(&mut self, part: &Part) -> Vec<RowId> {
        self.remaining.pop();
        self.parts += 1;
        self.tally.pages += part.pages;
        self.tally.rows += part.comparison.distinct();
        // The larger of the two counts: what may be missing counts as missing.
        self.tally.counted += part.first_count.max(part.last_count);
        self.complete &= part.is_complete();
        self.tally.new += part.comparison.new;
        self.tally.changed += part.comparison.changed;
        self.tally.revived += part.comparison.revived;
        self.vanished.retain(|id| !part.comparison.has_seen(id));
        self.accounts.extend(part.accounts.iter().cloned());
        self.elsewhere
            .extend(part.comparison.kept_elsewhere().cloned());
        if !part.is_complete() {
            return Vec::new();
        }
        let mut surplus = Vec::new();
        for id in part.comparison.vanished() {
            if self.elsewhere.contains(&id) {
                continue;
            }
            if !self.is_in_parts() || self.vanished.len() < CARRIED {
                self.vanished.insert(id);
            } else if part.comparison.distinct() > 0 {
                surplus.push(id);
            }
            // The surplus of an empty part is left to the next collection.
        }
        self.tally.deleted += surplus.len() as u64;
        surplus
    }

    /// Starts a fetch of more days in the same collection, which keeps what it has found so far.
    pub fn widen(&mut self, days: Days) {
        self.days = days;
        self.start_pass(1);
        self.complete = true;
    }

    /// Whether the pass that has ended was in parts, whose counts must add up to that of the whole.
    #[must_use]
    pub fn is_in_parts(&self) -> bool {
        self.whole_count.is_some()
    }

    /// Ends a pass, given Belvo's count of the whole listing if it was in parts. Returns the rows
    /// that are gone, or begins another pass and returns `None`. Only a complete fetch proves that
    /// a row is gone, and an empty one never does: Belvo returns none before its data is ready
    /// ("will return empty or incomplete results", `fetch_resources` in Belvo's OpenAPI).
    pub fn end_pass(&mut self, whole_count: Option<u64>) -> Option<Vec<RowId>> {
        let vanished = std::mem::take(&mut self.vanished);
        let adds_up = whole_count.is_none_or(|count| count == self.tally.counted);
        if self.complete && !adds_up && self.pass < PASSES {
            self.start_pass(self.pass + 1);
            self.first_ever = false;
            return None;
        }
        self.tally.counted = match whole_count {
            Some(count) if self.complete => count,
            count => self.tally.counted.max(count.unwrap_or(0)),
        };
        let proven = self.complete && adds_up && self.tally.rows > 0;
        let gone: Vec<_> = if proven {
            vanished.into_iter().collect()
        } else {
            Vec::new()
        };
        self.tally.deleted += gone.len() as u64;
        Some(gone)
    }

    /// Fetches all the days from the beginning.
    fn start_pass(&mut self, pass: u32) {
        self.pass = pass;
        self.remaining = vec![self.days];
        self.whole_count = None;
        self.tally.rows = 0;
        self.tally.counted = 0;
    }

    /// What the collection found.
    #[must_use]
    pub fn collection(&self, finished_at: Timestamp) -> Collection {
        Collection {
            started_at: self.started_at,
            finished_at,
            days: self.days,
            tally: self.tally.clone(),
            unchanged: self.tally.rows.saturating_sub(self.tally.written()),
            accounts: self.accounts.len() as u64,
            stored: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{json, value::to_raw_value};
    use time::macros::date;

    use super::*;
    use crate::{KnownVersion, Row};

    fn row(id: &str) -> Row {
        Row::whole(&to_raw_value(&json!({"id": id})).unwrap()).unwrap()
    }

    fn id(id: &str) -> RowId {
        RowId::parse(id).unwrap()
    }

    /// A part that was stored with `stored` and fetched with `fetched`, of which Belvo counted
    /// `count`.
    fn part(stored: &[&str], fetched: &[&str], count: u64) -> Part {
        let known = |id: &&str| {
            let row = row(id);
            (
                row.id().clone(),
                KnownVersion {
                    digest: row.digest(),
                    collected_at: None,
                    deleted: false,
                },
            )
        };
        let mut comparison = Comparison::new(stored.iter().map(known).collect::<HashMap<_, _>>());
        let _ = comparison.changes(fetched.iter().map(|id| row(id)).collect());
        Part {
            comparison,
            pages: 1,
            first_count: count,
            last_count: count,
            accounts: BTreeSet::new(),
        }
    }

    fn year() -> Days {
        Days::between(date!(2025 - 03 - 01), date!(2026 - 02 - 28))
    }

    fn begun() -> Progress {
        Progress::new(
            year(),
            false,
            Timestamp::parse("2026-03-01T00:00:00Z").unwrap(),
        )
    }

    /// Begun, and divided into two parts of a whole of `count` rows.
    fn in_two(count: u64) -> Progress {
        let mut progress = begun();
        progress.divide(year().parts(2, 1, date!(2026 - 03 - 01)), count);
        progress
    }

    #[test]
    fn a_listing_in_one_part_ends_with_what_it_returned() {
        let mut progress = begun();
        assert_eq!(progress.next(), Some(year()));
        assert!(
            progress
                .fetched(&part(&["a", "gone"], &["a", "b"], 2))
                .is_empty()
        );
        assert_eq!(progress.next(), None);
        assert_eq!(progress.end_pass(None), Some(vec![id("gone")]));
        let found = progress.collection(progress.started_at);
        assert_eq!(
            (
                found.tally.rows,
                found.tally.counted,
                found.tally.new,
                found.unchanged,
                found.tally.deleted
            ),
            (2, 2, 1, 1, 1)
        );
    }

    #[test]
    fn parts_come_oldest_first_and_are_added_up() {
        let mut progress = in_two(3);
        let first = progress.next().unwrap();
        progress.fetched(&part(&[], &["a"], 1));
        assert!(first.last() < progress.next().unwrap().first());
        progress.fetched(&part(&["c"], &["b", "c"], 2));
        assert_eq!(progress.end_pass(Some(3)), Some(Vec::new()));
        let found = progress.collection(progress.started_at);
        assert_eq!(
            (
                found.tally.rows,
                found.tally.counted,
                found.tally.new,
                found.unchanged,
                found.tally.pages
            ),
            (3, 3, 2, 1, 3)
        );
    }

    #[test]
    fn a_row_that_moved_to_a_later_part_is_not_gone() {
        let mut progress = in_two(2);
        progress.fetched(&part(&["moved", "gone"], &["a"], 1));
        progress.fetched(&part(&[], &["moved"], 1));
        assert_eq!(progress.end_pass(Some(2)), Some(vec![id("gone")]));
    }

    #[test]
    fn parts_that_do_not_add_up_are_fetched_three_times_and_prove_nothing() {
        let mut progress = in_two(9);
        for pass in 1..=3 {
            progress.fetched(&part(&["gone"], &["a"], 1));
            progress.fetched(&part(&[], &["b"], 1));
            let ended = progress.end_pass(Some(9));
            assert_eq!(ended, (pass == 3).then(Vec::new), "pass {pass}");
            if pass < 3 {
                assert_eq!(progress.next(), Some(year()));
                progress.divide(year().parts(2, 1, date!(2026 - 03 - 01)), 9);
            }
        }
        let found = progress.collection(progress.started_at);
        assert_eq!(
            (found.tally.rows, found.tally.counted, found.tally.deleted),
            (2, 9, 0)
        );
    }

    #[test]
    fn an_incomplete_part_deletes_nothing_anywhere() {
        let mut progress = in_two(4);
        progress.fetched(&part(&["gone"], &["a"], 1));
        progress.fetched(&part(&["here"], &["b"], 3));
        assert_eq!(progress.end_pass(Some(4)), Some(Vec::new()));
        assert_eq!(
            progress
                .collection(progress.started_at)
                .verdict(None)
                .to_string(),
            "short by 2"
        );
    }

    #[test]
    fn an_empty_listing_deletes_nothing_however_much_is_stored() {
        let ids: Vec<_> = (0..1_200).map(|i| format!("row-{i:04}")).collect();
        let stored: Vec<_> = ids.iter().map(String::as_str).collect();
        let mut progress = begun();
        assert!(progress.fetched(&part(&stored, &[], 0)).is_empty());
        assert_eq!(progress.end_pass(None), Some(Vec::new()));
        let mut in_parts = in_two(9);
        assert!(in_parts.fetched(&part(&stored, &[], 0)).is_empty());
    }

    #[test]
    fn a_listing_in_one_part_tombstones_every_vanished_row() {
        let ids: Vec<_> = (0..1_200).map(|i| format!("row-{i:04}")).collect();
        let stored: Vec<_> = ids.iter().map(String::as_str).collect();
        let mut progress = begun();
        assert!(progress.fetched(&part(&stored, &["a"], 1)).is_empty());
        assert_eq!(progress.end_pass(None).unwrap().len(), 1_200);
    }

    #[test]
    fn a_wider_fetch_adds_to_what_was_found() {
        let mut progress = begun();
        progress.fetched(&part(&[], &["a"], 1));
        assert_eq!(progress.end_pass(None), Some(Vec::new()));
        progress.widen(Days::ALL);
        assert_eq!(progress.next(), Some(Days::ALL));
        progress.fetched(&part(&["a"], &["a", "b"], 2));
        assert_eq!(progress.end_pass(None), Some(Vec::new()));
        let found = progress.collection(progress.started_at);
        assert_eq!(
            (
                found.tally.rows,
                found.tally.new,
                found.unchanged,
                found.tally.pages
            ),
            (2, 2, 0, 2)
        );
    }

    #[test]
    fn rows_without_a_day_are_fetched_in_one_piece_when_the_parts_of_all_days_do_not_add_up() {
        let mut progress = Progress::new(Days::ALL, false, Timestamp::now());
        assert!(progress.divides(11, 10));
        progress.divide(Days::ALL.parts(2, 1, date!(2026 - 03 - 01)), 5);
        while progress.next().is_some() {
            progress.fetched(&part(&[], &[], 0));
        }
        assert_eq!(progress.end_pass(Some(5)), None);
        assert!(!progress.divides(50, 10));
        assert!(progress.divides(51, 10), "too large a piece");
    }

    #[test]
    fn parts_that_stay_larger_than_the_whole_are_over() {
        let mut progress = in_two(1);
        for _ in 0..3 {
            progress.fetched(&part(&[], &["a"], 1));
            progress.fetched(&part(&[], &["b"], 1));
            if progress.end_pass(Some(1)).is_none() {
                progress.divide(year().parts(2, 1, date!(2026 - 03 - 01)), 1);
            }
        }
        assert_eq!(
            progress
                .collection(progress.started_at)
                .verdict(None)
                .to_string(),
            "over by 1"
        );
    }

    #[test]
    fn a_continuation_no_longer_assumes_an_empty_link() {
        let progress = Progress::new(year(), true, Timestamp::now());
        assert!(progress.first_ever && !progress.continued().first_ever);
    }

    #[test]
    fn more_vanished_rows_than_a_message_carries_are_tombstoned_with_their_part() {
        let ids: Vec<_> = (0..1_200).map(|i| format!("row-{i:04}")).collect();
        let stored: Vec<_> = ids.iter().map(String::as_str).collect();
        let mut progress = in_two(1);
        assert_eq!(progress.fetched(&part(&stored, &["a"], 1)).len(), 200);
        progress.fetched(&part(&[], &[], 0));
        assert_eq!(progress.end_pass(Some(1)).unwrap().len(), 1_000);
        assert_eq!(
            progress.collection(progress.started_at).tally.deleted,
            1_200
        );
    }

    #[test]
    fn progress_survives_a_message() {
        let mut progress = in_two(3);
        progress.fetched(&part(&["gone"], &["a"], 1));
        let json = serde_json::to_string(&progress).unwrap();
        assert_eq!(serde_json::from_str::<Progress>(&json).unwrap(), progress);
    }
}
