//! How fetched rows differ from stored ones: the decision what to write, made without I/O.

use std::collections::{HashMap, HashSet};

use crate::{Digest, Row, RowId, Timestamp};

/// What the store knows about a document without reading it whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownVersion {
    pub digest: Digest,
    /// When Belvo read the stored document from the institution.
    pub collected_at: Option<Timestamp>,
    /// Whether it is a tombstone: Belvo did not return it when it was last fetched.
    pub deleted: bool,
}

impl KnownVersion {
    /// Whether this version differs from `known` and is not older: an older answer never overwrites
    /// a newer one. A row that is returned again always replaces its tombstone.
    #[must_use]
    pub fn replaces(&self, known: &Self) -> bool {
        known.deleted || (self.digest != known.digest && !self.is_older_than(known))
    }

    /// Whether Belvo read this version from the institution before the other. Unknown is not older.
    fn is_older_than(&self, known: &Self) -> bool {
        self.collected_at.is_some() && self.collected_at < known.collected_at
    }
}

/// The rows of a page that have to be written, each id once.
#[derive(Debug, Default)]
pub struct Changes {
    /// Rows that the store does not hold.
    pub new: Vec<DigestedRow>,
    /// Rows that replace what the store holds, unless they differ from it in nothing.
    pub changed: Vec<DigestedRow>,
}

impl Changes {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty()
    }

    /// All of them.
    pub fn rows(&self) -> impl Iterator<Item = &DigestedRow> {
        self.new.iter().chain(&self.changed)
    }
}

/// A row to write, with the digest that it was compared by.
#[derive(Debug, Clone)]
pub struct DigestedRow {
    pub row: Row,
    pub digest: Digest,
}

impl From<Row> for DigestedRow {
    fn from(row: Row) -> Self {
        Self {
            digest: row.digest(),
            row,
        }
    }
}

/// The stored rows of a window, against which fetches of the same window are compared row by row.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Every row that is stored, or that the fetch has returned.
    rows: HashMap<RowId, ComparedRow>,
    /// Rows that were stored under the days of another window, and whether they have been written
    /// under this one's since.
    elsewhere: HashMap<RowId, bool>,
    /// Distinct rows that the fetch has returned.
    distinct: u64,
    /// Rows to write that the store does not hold.
    pub new: u64,
    /// Rows to write that differ from the stored ones.
    pub changed: u64,
    /// Rows to write that were deleted and have been returned again.
    pub revived: u64,
    /// Rows that were written under no day.
    pub undated: u64,
}

/// A row that is stored, or will be.
#[derive(Debug)]
struct ComparedRow {
    version: KnownVersion,
    /// Whether the fetch has returned it.
    is_seen: bool,
    /// Whether it has been counted as what it was when it was first seen.
    is_counted: bool,
    /// Whether it was written in vain, and if so, whether as a new one.
    refused_as_new: Option<bool>,
}

impl ComparedRow {
    /// One that the fetch has returned, and counted.
    fn returned(version: KnownVersion) -> Self {
        Self {
            is_seen: true,
            is_counted: true,
            ..version.into()
        }
    }
}

impl From<KnownVersion> for ComparedRow {
    fn from(version: KnownVersion) -> Self {
        Self {
            version,
            is_seen: false,
            is_counted: false,
            refused_as_new: None,
        }
    }
}

/// What to do with a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Add,
    Replace,
    Revive,
    Keep,
}

impl Step {
    /// What to do with a row that is not the one that is known.
    fn of(
        known: Option<&ComparedRow>,
        fetched: &KnownVersion,
        refused_as_new: Option<bool>,
    ) -> Self {
        match (known, refused_as_new) {
            (None, _) | (_, Some(true)) => Self::Add,
            (_, Some(false)) => Self::Replace,
            (Some(known), _) if known.version.deleted => Self::Revive,
            (Some(known), _) if fetched.replaces(&known.version) => Self::Replace,
            _ => Self::Keep,
        }
    }
}

impl Comparison {
    /// Compares with what the store holds of the window.
    #[must_use]
    pub fn new(stored: impl IntoIterator<Item = (RowId, KnownVersion)>) -> Self {
        let stored = stored.into_iter();
        Self {
            rows: stored.map(|(id, version)| (id, version.into())).collect(),
            ..Self::default()
        }
    }

    /// The rows of a page that are not stored under the days of the window: new ones, and ones
    /// stored under another day.
    #[must_use]
    pub fn unknown(&self, page: &[Row]) -> HashSet<RowId> {
        page.iter()
            .map(Row::id)
            .filter(|id| !self.rows.contains_key(id))
            .cloned()
            .collect()
    }

    /// Adds rows that are stored under the days of another window. They do not count as vanished if
    /// the fetch does not return them.
    pub fn learn(&mut self, elsewhere: HashMap<RowId, KnownVersion>) {
        self.elsewhere
            .extend(elsewhere.keys().map(|id| (id.clone(), false)));
        let elsewhere = elsewhere.into_iter();
        self.rows
            .extend(elsewhere.map(|(id, version)| (id, version.into())));
    }

    /// Selects the rows of a page that have to be written, in its order; of several with one id,
    /// the last. A row
    /// that an earlier page already returned (pages shift when rows are inserted while they are
    /// read) is selected if it differs from what was planned before.
    #[must_use]
    pub fn changes(&mut self, page: Vec<Row>) -> Changes {
        let mut places: HashMap<RowId, usize> = HashMap::new();
        let mut selected: Vec<(Step, DigestedRow)> = Vec::new();
        for row in page {
            let change = DigestedRow::from(row);
            let step = self.step(&change);
            if step == Step::Keep {
                continue;
            }
            let place = *places
                .entry(change.row.id().clone())
                .or_insert(selected.len());
            if let Some((_, selected)) = selected.get_mut(place) {
                // A row that this page has already added is still new.
                *selected = change;
            } else {
                selected.push((step, change));
            }
        }
        let mut changes = Changes::default();
        for (step, change) in selected {
            match step {
                Step::Add => changes.new.push(change),
                _ => changes.changed.push(change),
            }
        }
        changes
    }

    /// Takes back that rows are changed: they differ from the stored ones in their text only.
    pub fn found_unchanged(&mut self, rows: u64) {
        self.changed = self.changed.saturating_sub(rows);
    }

    /// Takes back that a row is written: it was refused. The next reading that returns it has it
    /// written once more, so that it is known again not to be stored.
    pub fn refused(&mut self, id: &RowId, is_new: bool) {
        if let Some(row) = self.rows.get_mut(id) {
            row.refused_as_new = Some(is_new);
        }
        let counter = if is_new {
            &mut self.new
        } else {
            &mut self.changed
        };
        *counter = counter.saturating_sub(1);
    }

    /// The rows that the fetch has returned.
    #[must_use]
    pub fn seen(&self) -> HashSet<RowId> {
        let seen = self.rows.iter().filter(|(_, row)| row.is_seen);
        seen.map(|(id, _)| id.clone()).collect()
    }

    /// Starts another fetch of the same window. What the previous one wrote is known and not
    /// written again.
    pub fn start_over(&mut self) {
        for row in self.rows.values_mut() {
            row.is_seen = false;
        }
        self.distinct = 0;
    }

    /// How many distinct rows the fetch has returned.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        self.distinct
    }

    /// Rows that stay stored under the days of another window, because the fetch returned an older
    /// version.
    pub(crate) fn kept_elsewhere(&self) -> impl Iterator<Item = &RowId> {
        self.elsewhere
            .iter()
            .filter(|(_, written)| !**written)
            .map(|(id, _)| id)
    }

    /// Whether the fetch has returned this row.
    #[must_use]
    pub(crate) fn has_seen(&self, id: &RowId) -> bool {
        self.rows.get(id).is_some_and(|row| row.is_seen)
    }

    /// The stored rows that the fetch did not return. They are gone only if the fetch was complete.
    #[must_use]
    pub(crate) fn vanished(&self) -> Vec<RowId> {
        let gone = |(id, row): (&RowId, &ComparedRow)| {
            let is_elsewhere = self.elsewhere.get(id) == Some(&false);
            let gone = !row.version.deleted && !row.is_seen && !is_elsewhere;
            gone.then(|| id.clone())
        };
        self.rows.iter().filter_map(gone).collect()
    }

    /// Decides what to do with a row and records it. Each id is counted once, as what it was when
    /// it was first seen.
    fn step(&mut self, DigestedRow { row, digest }: &DigestedRow) -> Step {
        let mut known = self.rows.get_mut(row.id());
        let (mut is_first_time, mut refused_as_new) = (true, None);
        if let Some(known) = &mut known {
            refused_as_new = known.refused_as_new.take();
            is_first_time = !std::mem::replace(&mut known.is_counted, true);
            is_first_time |= refused_as_new.is_some();
            self.distinct += u64::from(!std::mem::replace(&mut known.is_seen, true));
            let is_same = !known.version.deleted && known.version.digest == *digest;
            if is_same && refused_as_new.is_none() {
                return Step::Keep;
            }
        }
        let fetched = KnownVersion {
            digest: *digest,
            collected_at: row.collected_at(),
            deleted: false,
        };
        let step = Step::of(known.as_deref(), &fetched, refused_as_new);
        let counter = match step {
            Step::Add => &mut self.new,
            Step::Revive => &mut self.revived,
            Step::Replace => &mut self.changed,
            Step::Keep => return step,
        };
        *counter += u64::from(is_first_time);
        if let Some(known) = known {
            known.version = fetched;
        } else {
            self.distinct += 1;
            let id = row.id().clone();
            self.rows.insert(id, ComparedRow::returned(fetched));
        }
        if let Some(written) = self.elsewhere.get_mut(row.id()) {
            *written = true;
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::SentRow;

    fn rows(rows: &[Value]) -> Vec<Row> {
        rows.iter()
            .map(|row| Row::whole(SentRow::of(&row.to_string()).unwrap()).unwrap())
            .collect()
    }

    fn stored(held: &[Value]) -> HashMap<RowId, KnownVersion> {
        let known = |row: Row| {
            (
                row.id().clone(),
                KnownVersion {
                    digest: row.digest(),
                    collected_at: row.collected_at(),
                    deleted: false,
                },
            )
        };
        rows(held).into_iter().map(known).collect()
    }

    fn row(id: &str, amount: u32, collected_at: &str) -> Value {
        json!({"id": id, "amount": amount, "collected_at": collected_at})
    }

    const EARLY: &str = "2026-01-01T00:00:00Z";
    const LATE: &str = "2026-01-02T00:00:00Z";

    fn ids(changes: &[DigestedRow]) -> Vec<&str> {
        changes
            .iter()
            .map(|change| change.row.id().as_str())
            .collect()
    }

    #[test]
    fn only_new_and_changed_rows_are_written() {
        let mut comparison =
            Comparison::new(stored(&[row("same", 1, EARLY), row("amended", 1, EARLY)]));
        let changes = comparison.changes(rows(&[
            row("same", 1, EARLY),
            row("amended", 2, LATE),
            row("new", 3, LATE),
        ]));
        assert_eq!(
            (ids(&changes.new), ids(&changes.changed)),
            (vec!["new"], vec!["amended"])
        );
        assert_eq!(
            (comparison.new, comparison.changed, comparison.distinct()),
            (1, 1, 3)
        );
    }

    #[test]
    fn an_older_answer_does_not_overwrite_a_newer_one() {
        let mut comparison = Comparison::new(stored(&[row("t", 2, LATE)]));
        assert!(
            comparison
                .changes(rows(&[row("t", 1, EARLY)]))
                .changed
                .is_empty()
        );
        assert_eq!((comparison.changed, comparison.distinct()), (0, 1));
    }

    #[test]
    fn another_version_of_the_same_time_is_taken() {
        let mut comparison = Comparison::new(stored(&[row("t", 2, EARLY)]));
        let changes = comparison.changes(rows(&[row("t", 1, EARLY)]));
        assert_eq!(ids(&changes.changed), ["t"]);
    }

    #[test]
    fn the_rows_to_write_are_the_new_and_the_changed_ones() {
        let held = [row("same", 1, EARLY), row("amended", 1, EARLY)];
        let changes_of = |page: &[Value]| Comparison::new(stored(&held)).changes(rows(page));
        let (new, amended) = (row("new", 1, EARLY), row("amended", 2, LATE));

        assert!(changes_of(&held).is_empty());
        for one in [&new, &amended] {
            assert!(!changes_of(std::slice::from_ref(one)).is_empty());
        }
        let both = changes_of(&[amended, new]);
        let ids: Vec<_> = both.rows().map(|change| change.row.id().as_str()).collect();
        assert_eq!(ids, ["new", "amended"]);
    }

    #[test]
    fn what_was_not_written_after_all_is_not_counted() {
        let mut comparison = Comparison::new(stored(&[row("amended", 1, EARLY)]));
        let page = [
            row("amended", 2, LATE),
            row("new", 1, EARLY),
            row("newer", 1, EARLY),
        ];
        let _ = comparison.changes(rows(&page));
        let id = |id| RowId::parse(id).unwrap();
        comparison.refused(&id("new"), true);
        assert_eq!((comparison.new, comparison.changed), (1, 1));
        comparison.refused(&id("amended"), false);
        assert_eq!((comparison.new, comparison.changed), (1, 0));

        let mut comparison = Comparison::new(stored(&[row("amended", 1, EARLY)]));
        let _ = comparison.changes(rows(&page));
        comparison.found_unchanged(1);
        assert_eq!((comparison.new, comparison.changed), (2, 0));
    }

    #[test]
    fn what_was_not_written_is_written_again_when_it_is_read_again() {
        let mut comparison = Comparison::new(stored(&[row("amended", 1, EARLY)]));
        let page = [row("amended", 2, LATE), row("new", 1, EARLY)];
        let id = |id| RowId::parse(id).unwrap();
        for _ in 0..2 {
            let changes = comparison.changes(rows(&page));
            assert_eq!((changes.new.len(), changes.changed.len()), (1, 1));
            comparison.refused(&id("new"), true);
            comparison.refused(&id("amended"), false);
            assert_eq!((comparison.new, comparison.changed), (0, 0));
            comparison.start_over();
        }

        let _ = comparison.changes(rows(&page));
        assert!(comparison.changes(rows(&page)).is_empty());
        assert_eq!((comparison.new, comparison.changed), (1, 1));
    }

    #[test]
    fn a_fetch_has_seen_the_rows_that_it_returned() {
        let mut comparison =
            Comparison::new(stored(&[row("here", 1, EARLY), row("not", 1, EARLY)]));
        let _ = comparison.changes(rows(&[row("here", 1, EARLY), row("new", 1, EARLY)]));
        let id = |id| RowId::parse(id).unwrap();
        assert_eq!(comparison.seen(), HashSet::from([id("here"), id("new")]));
    }

    #[test]
    fn a_page_that_repeats_an_id_writes_its_last_row_once() {
        let mut comparison = Comparison::new(HashMap::new());
        let changes = comparison.changes(rows(&[
            row("t", 1, EARLY),
            row("other", 5, EARLY),
            row("t", 2, LATE),
        ]));
        assert_eq!((changes.new.len(), changes.changed.len()), (2, 0));
        let last = changes
            .new
            .iter()
            .find(|change| change.row.id().as_str() == "t")
            .unwrap();
        assert_eq!(last.row.collected_at(), Timestamp::parse(LATE));
        assert_eq!(
            (comparison.new, comparison.changed, comparison.distinct()),
            (2, 0, 2)
        );
    }

    #[test]
    fn a_row_that_two_pages_repeat_counts_once_and_is_written_once() {
        let mut comparison = Comparison::new(HashMap::new());
        assert_eq!(comparison.changes(rows(&[row("t", 1, EARLY)])).new.len(), 1);
        assert!(
            comparison
                .changes(rows(&[row("t", 1, EARLY)]))
                .new
                .is_empty()
        );
        assert_eq!((comparison.new, comparison.distinct()), (1, 1));
    }

    #[test]
    fn a_second_fetch_of_the_window_counts_its_rows_anew_but_writes_and_reports_them_once() {
        let mut comparison = Comparison::new(HashMap::new());
        assert_eq!(comparison.changes(rows(&[row("t", 1, EARLY)])).new.len(), 1);
        comparison.start_over();
        assert_eq!(comparison.distinct(), 0);
        assert_eq!(
            comparison
                .changes(rows(&[row("t", 1, EARLY), row("u", 1, EARLY)]))
                .new
                .len(),
            1
        );
        assert_eq!((comparison.new, comparison.distinct()), (2, 2));
    }

    #[test]
    fn a_row_that_a_fetch_does_not_return_has_vanished_unless_it_was_deleted_before() {
        let mut held = stored(&[
            row("here", 1, EARLY),
            row("vanished", 1, EARLY),
            row("gone", 1, EARLY),
        ]);
        held.get_mut(&RowId::parse("gone").unwrap())
            .unwrap()
            .deleted = true;
        let mut comparison = Comparison::new(held);
        let _ = comparison.changes(rows(&[row("here", 1, EARLY), row("new", 1, EARLY)]));
        assert_eq!(comparison.vanished(), [RowId::parse("vanished").unwrap()]);
    }

    #[test]
    fn a_row_that_was_stored_under_another_day_is_changed_and_not_new() {
        let page = rows(&[row("moved", 2, LATE), row("new", 1, LATE)]);
        let mut comparison = Comparison::new(HashMap::new());
        assert_eq!(
            comparison
                .unknown(&[page.clone(), page.clone()].concat())
                .len(),
            2,
            "each id once"
        );
        comparison.learn(stored(&[row("moved", 1, EARLY)]));
        let changes = comparison.changes(page);
        assert_eq!(
            (ids(&changes.new), ids(&changes.changed)),
            (vec!["new"], vec!["moved"])
        );
        assert!(comparison.vanished().is_empty());
        assert_eq!(comparison.kept_elsewhere().count(), 0);
        // It is stored under this day now, and missing if the next reading lacks it.
        comparison.start_over();
        let moved = RowId::parse("moved").unwrap();
        assert!(comparison.vanished().contains(&moved));
    }

    #[test]
    fn an_older_version_of_a_row_leaves_it_under_its_day() {
        let mut comparison = Comparison::new(HashMap::new());
        comparison.learn(stored(&[row("t", 2, LATE)]));
        assert!(
            comparison
                .changes(rows(&[row("t", 1, EARLY)]))
                .changed
                .is_empty()
        );
        assert_eq!(
            comparison
                .kept_elsewhere()
                .map(RowId::as_str)
                .collect::<Vec<_>>(),
            ["t"]
        );
    }

    #[test]
    fn a_deleted_row_that_returns_is_revived_even_unchanged() {
        let mut held = stored(&[row("t", 1, LATE)]);
        held.get_mut(&RowId::parse("t").unwrap()).unwrap().deleted = true;
        let mut comparison = Comparison::new(held);
        assert_eq!(
            ids(&comparison.changes(rows(&[row("t", 1, LATE)])).changed),
            ["t"]
        );
        assert_eq!((comparison.revived, comparison.changed), (1, 0));
        assert!(comparison.vanished().is_empty());
    }
}
