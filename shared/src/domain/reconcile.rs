//! How fetched rows differ from stored ones: the decision what to write, made without I/O.

use std::collections::{HashMap, HashSet};

use super::{Digest, Timestamp, Transaction, TransactionId};

/// What the store knows of a document without reading it whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The fingerprint of the stored document.
    pub digest: Digest,
    /// When Belvo read the stored document from the institution.
    pub collected_at: Option<Timestamp>,
}

impl Stored {
    /// Whether this version is another one than `known` and not older: an older answer never overwrites a newer one.
    #[must_use]
    pub fn replaces(&self, known: &Self) -> bool {
        self.digest != known.digest && !self.is_older_than(known)
    }

    /// Whether Belvo read this version from the institution before the other. Unknown is not older.
    fn is_older_than(&self, known: &Self) -> bool {
        self.collected_at.is_some() && self.collected_at < known.collected_at
    }
}

/// The stored rows of a window, against which one fetch of the same window is compared row by row.
#[derive(Debug, Default)]
pub struct Plan {
    stored: HashMap<TransactionId, Stored>,
    seen: HashSet<TransactionId>,
    counted: HashSet<TransactionId>,
    /// Rows to write that the store does not hold.
    pub new: u64,
    /// Rows to write that differ from the stored ones.
    pub changed: u64,
    /// Rows that equal the stored ones, or that Belvo collected before them.
    pub unchanged: u64,
}

impl Plan {
    /// A plan against what the store holds of the window.
    #[must_use]
    pub fn new(stored: HashMap<TransactionId, Stored>) -> Self {
        Self { stored, ..Self::default() }
    }

    /// Keeps the rows of a page that have to be written, each id once, the last word of the page counting. A row that an
    /// earlier page already brought (pages shift when rows are inserted while they are read) is kept if it differs from
    /// what was planned before.
    #[must_use]
    pub fn rows_to_write(&mut self, page: Vec<Transaction>) -> Vec<Transaction> {
        let mut kept: Vec<Transaction> = Vec::with_capacity(page.len());
        let mut places = HashMap::new();
        for row in page.into_iter().filter(|row| self.admit(row)) {
            if let Some(&place) = places.get(row.id()) {
                kept[place] = row;
            } else {
                places.insert(row.id().clone(), kept.len());
                kept.push(row);
            }
        }
        kept
    }

    /// Begins another fetch of the same window. What the last one wrote is known by now and not written again.
    pub fn start_over(&mut self) {
        self.seen.clear();
    }

    /// How many different rows the fetch has brought.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        self.seen.len() as u64
    }

    /// Whether the row has to be written. Each id is counted once, by what it was when it was first seen.
    fn admit(&mut self, row: &Transaction) -> bool {
        self.seen.insert(row.id().clone());
        let first_time = self.counted.insert(row.id().clone());
        let fetched = Stored { digest: row.digest(), collected_at: row.collected_at() };
        let stored = self.stored.get(row.id());
        let write = stored.is_none_or(|stored| fetched.replaces(stored));
        let counter = match stored {
            None => &mut self.new,
            Some(_) if write => &mut self.changed,
            Some(_) => &mut self.unchanged,
        };
        *counter += u64::from(first_time);
        if write {
            self.stored.insert(row.id().clone(), fetched);
        }
        write
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rows(rows: &[Value]) -> Vec<Transaction> {
        rows.iter().map(|row| Transaction::parse(row.clone()).unwrap().0).collect()
    }

    fn stored(held: &[Value]) -> HashMap<TransactionId, Stored> {
        let known =
            |row: Transaction| (row.id().clone(), Stored { digest: row.digest(), collected_at: row.collected_at() });
        rows(held).into_iter().map(known).collect()
    }

    fn row(id: &str, amount: u32, collected_at: &str) -> Value {
        json!({"id": id, "amount": amount, "collected_at": collected_at})
    }

    const EARLY: &str = "2026-01-01T00:00:00Z";
    const LATE: &str = "2026-01-02T00:00:00Z";

    #[test]
    fn only_new_and_changed_rows_are_written() {
        let mut plan = Plan::new(stored(&[row("same", 1, EARLY), row("amended", 1, EARLY)]));
        let fetched = rows(&[row("same", 1, EARLY), row("amended", 2, LATE), row("new", 3, LATE)]);
        let written: Vec<_> = plan.rows_to_write(fetched).iter().map(|row| row.id().as_str().to_owned()).collect();
        assert_eq!(written, ["amended", "new"]);
        assert_eq!((plan.new, plan.changed, plan.unchanged, plan.distinct()), (1, 1, 1, 3));
    }

    #[test]
    fn an_older_answer_does_not_overwrite_a_newer_one() {
        let mut plan = Plan::new(stored(&[row("t", 2, LATE)]));
        assert!(plan.rows_to_write(rows(&[row("t", 1, EARLY)])).is_empty());
        assert_eq!((plan.changed, plan.unchanged), (0, 1));
    }

    #[test]
    fn a_page_that_repeats_an_id_writes_it_once_with_its_last_word() {
        let mut plan = Plan::new(HashMap::new());
        let page = rows(&[row("t", 1, EARLY), row("other", 5, EARLY), row("t", 2, LATE)]);
        let written = plan.rows_to_write(page);
        let ids: Vec<_> = written.iter().map(|row| row.id().as_str()).collect();
        assert_eq!(ids, ["t", "other"]);
        assert_eq!(written[0].collected_at(), Timestamp::parse(LATE));
        assert_eq!((plan.new, plan.changed, plan.distinct()), (2, 0, 2));
    }

    #[test]
    fn a_row_that_two_pages_repeat_counts_once_and_is_written_once() {
        let mut plan = Plan::new(HashMap::new());
        assert_eq!(plan.rows_to_write(rows(&[row("t", 1, EARLY)])).len(), 1);
        assert!(plan.rows_to_write(rows(&[row("t", 1, EARLY)])).is_empty());
        assert_eq!((plan.new, plan.unchanged, plan.distinct()), (1, 0, 1));
    }

    #[test]
    fn a_second_fetch_of_the_window_counts_its_rows_anew_but_writes_and_reports_them_once() {
        let mut plan = Plan::new(HashMap::new());
        assert_eq!(plan.rows_to_write(rows(&[row("t", 1, EARLY)])).len(), 1);
        plan.start_over();
        assert_eq!(plan.distinct(), 0);
        assert_eq!(plan.rows_to_write(rows(&[row("t", 1, EARLY), row("u", 1, EARLY)])).len(), 1);
        assert_eq!((plan.new, plan.unchanged, plan.distinct()), (2, 0, 2));
    }
}
