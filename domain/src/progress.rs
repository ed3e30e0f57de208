//! How far a collection has come. What one GET returns is a snapshot, so a listing is fetched in
//! parts that one GET returns whole; what is left when an invocation ends is continued in another
//! one, which gets this state.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, Collection, Comparison, Days, LeftOut, RowId, Tally, Timestamp, left_out::NAMED,
};

/// How many times a listing in parts is fetched altogether if its parts do not add up to Belvo's
/// count of the whole, as when a row's date changed meanwhile.
const PASSES: u32 = 3;
/// How many missing rows a continuation carries. Those beyond are found by another pass.
const CARRIED: usize = 1_000;
/// For how many missing rows Belvo is asked one by one. Whether more of them are gone is seen by
/// reading all days once more.
const ASKED: usize = 50;
/// For how many of them it is asked at once.
const ASKED_AT_ONCE: usize = 4;

/// The state of a collection between two steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// When it began.
    pub started_at: Timestamp,
    days: Days,
    before: Before,
    pass: Pass,
    /// Parts fetched so far.
    pub parts: u64,
    /// Parts fetched and questions answered so far. A continuation that adds to them goes on.
    pub steps: u64,
    #[serde(flatten)]
    tally: Tally,
    /// Rows in `changed` that Belvo's listing lacked.
    changed_elsewhere: u64,
    /// Whether the latest pass was whole and its parts added up.
    proven: bool,
    accounts: BTreeSet<AccountId>,
    #[serde(default)]
    account_listing: AccountListing,
    /// The first of the rows that this pass returned and that could not be stored.
    left_out: Vec<LeftOut>,
    stage: Stage,
    /// What the collection's own days had, while all days are read to verify what is missing.
    verified: Option<Box<Found>>,
    /// Stored rows that the latest pass did not return.
    missing: BTreeSet<RowId>,
    /// Whether there were more of them than are carried.
    more_missing: bool,
    /// Rows that Belvo does not have.
    gone: BTreeSet<RowId>,
    /// Rows that one part returned and that stay stored under the days of another.
    elsewhere: BTreeSet<RowId>,
}

/// What was stored of the link when a collection began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Before {
    /// Nothing, so that no row can be stored under another day.
    Nothing,
    /// Nothing, but rows that this collection has stored since may have moved.
    NothingThen,
    Rows,
}

/// One fetch of the whole listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pass {
    /// From 1.
    number: u32,
    /// Parts that are not fetched yet, the next one last.
    remaining: Vec<Days>,
    /// Belvo's count of the whole listing, if it is fetched in parts.
    whole_count: Option<u64>,
    /// How many rows have no date, by Belvo's counts, if all days are fetched in parts.
    undated: u64,
    /// Whether every part so far was fetched whole.
    is_whole: bool,
}

/// What a pass found, apart from what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    days: Days,
    rows: u64,
    counted: u64,
    unstored: u64,
    left_out: Vec<LeftOut>,
    proven: bool,
}

/// What a collection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// It fetches its days.
    Fetching,
    /// It fetches all days, to see which of many missing rows are there after all.
    Verifying,
    /// It asks Belvo for each missing row.
    Asking,
    /// It removes the rows that Belvo does not have.
    Removing,
    Done,
}

/// Belvo's own listing of the link's accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AccountListing {
    #[default]
    Unread,
    Read,
}

/// What a collection does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Fetch these days.
    Part(Days),
    /// Compare the parts with the whole.
    EndOfPass,
    /// Ask Belvo for these rows, which are stored and missing from its listing.
    Ask(Vec<RowId>),
    /// Remove these rows, which Belvo does not have.
    Remove(Vec<RowId>),
    Nothing,
}

/// What the fetch of one part returned.
#[derive(Debug, Default)]
pub struct Part {
    /// The rows, compared with what was stored.
    pub comparison: Comparison,
    /// Pages read, those of repeated readings included.
    pub pages: u64,
    /// How many rows Belvo counted in the latest reading; the larger number if its pages differ.
    pub count: u64,
    /// Whether it holds what Belvo had at one moment: one GET returned all of it, or two readings
    /// in a row the same rows.
    pub is_whole: bool,
    /// The accounts of the rows.
    pub accounts: BTreeSet<AccountId>,
    /// Rows of the latest reading that could not be stored.
    pub left_out: Vec<LeftOut>,
}

impl Part {
    /// Begins another reading, of which Belvo counts so many rows.
    pub fn read_again(&mut self, count: u64) {
        self.comparison.start_over();
        self.left_out.clear();
        self.count = count;
    }

    /// How many rows the latest reading returned.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let unidentified = self.left_out.iter().filter(|row| row.id.is_none());
        self.comparison.distinct() + unidentified.count() as u64
    }
}

impl Before {
    fn and_since(self) -> Self {
        match self {
            Self::Nothing | Self::NothingThen => Self::NothingThen,
            Self::Rows => Self::Rows,
        }
    }
}

impl Pass {
    fn new(number: u32, days: Days) -> Self {
        Self {
            number,
            remaining: vec![days],
            whole_count: None,
            undated: 0,
            is_whole: true,
        }
    }
}

impl Progress {
    /// A collection that has yet to begin.
    #[must_use]
    pub fn new(days: Days, is_empty: bool, started_at: Timestamp) -> Self {
        Self {
            started_at,
            days,
            before: if is_empty {
                Before::Nothing
            } else {
                Before::Rows
            },
            pass: Pass::new(1, days),
            parts: 0,
            steps: 0,
            tally: Tally::default(),
            changed_elsewhere: 0,
            proven: false,
            accounts: BTreeSet::new(),
            account_listing: AccountListing::Unread,
            left_out: Vec::new(),
            stage: Stage::Fetching,
            verified: None,
            missing: BTreeSet::new(),
            more_missing: false,
            gone: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
        }
    }

    /// Whether a row of this account was fetched.
    #[must_use]
    pub fn has_account(&self, id: &AccountId) -> bool {
        self.accounts.contains(id)
    }

    /// Whether Belvo's listing of the accounts is still to be read: once if the collection is of
    /// all days.
    #[must_use]
    pub fn are_accounts_due(&self) -> bool {
        self.days == Days::ALL && self.account_listing == AccountListing::Unread
    }

    /// Records that it was read.
    pub fn accounts_listed(&mut self) {
        self.account_listing = AccountListing::Read;
    }

    /// All the days of the collection.
    #[must_use]
    pub fn days(&self) -> Days {
        self.days
    }

    #[must_use]
    pub fn next(&self) -> Next {
        match self.stage {
            Stage::Fetching | Stage::Verifying => match self.pass.remaining.last() {
                Some(days) => Next::Part(*days),
                None => Next::EndOfPass,
            },
            Stage::Asking => Next::Ask(self.missing.iter().take(ASKED_AT_ONCE).cloned().collect()),
            Stage::Removing => Next::Remove(self.gone.iter().cloned().collect()),
            Stage::Done => Next::Nothing,
        }
    }

    /// The part after the next one.
    #[must_use]
    pub fn part_after_next(&self) -> Option<Days> {
        self.pass.remaining.iter().rev().nth(1).copied()
    }

    /// How many rows without a date the part of those has to return.
    #[must_use]
    pub fn undated(&self) -> u64 {
        self.pass.undated
    }

    /// The state for another invocation: by then, rows that this one wrote may have moved to other
    /// days.
    #[must_use]
    pub fn continued(self) -> Self {
        Self {
            before: self.before.and_since(),
            ..self
        }
    }

    /// Whether no row of the link can be stored under another day: none was stored when it began.
    #[must_use]
    pub fn is_first_ever(&self) -> bool {
        self.before == Before::Nothing
    }

    /// Replaces the next part, which has `count` rows and was not fetched, by smaller ones. If it
    /// is of all days, `undated` rows have no date, which no part of days holds.
    pub fn divide(&mut self, parts: Vec<Days>, count: u64, undated: Option<u64>) {
        self.steps += 1;
        self.tally.pages += 1;
        if self.pass.remaining.pop() == Some(self.days) {
            self.pass.whole_count = Some(count);
        }
        if let Some(undated) = undated {
            self.pass.undated = undated;
            self.pass.remaining.push(Days::UNDATED);
        }
        self.pass.remaining.extend(parts.into_iter().rev());
    }

    /// Records the next part as fetched.
    pub fn fetched(&mut self, part: &Part) {
        self.pass.remaining.pop();
        self.parts += 1;
        self.steps += 1;
        self.tally.pages += part.pages;
        self.tally.rows += part.rows();
        self.tally.unstored += part.left_out.len() as u64;
        let named = NAMED - self.left_out.len().min(NAMED);
        self.left_out
            .extend(part.left_out.iter().take(named).cloned());
        self.tally.counted += part.count;
        self.pass.is_whole &= part.is_whole;
        self.tally.new += part.comparison.new;
        self.tally.changed += part.comparison.changed;
        self.tally.revived += part.comparison.revived;
        self.tally.undated += part.comparison.undated;
        self.missing.retain(|id| !part.comparison.has_seen(id));
        self.accounts.extend(part.accounts.iter().cloned());
        // One that is not carried is asked for, and found.
        let carried = CARRIED - self.elsewhere.len().min(CARRIED);
        let elsewhere = part.comparison.kept_elsewhere().take(carried);
        self.elsewhere.extend(elsewhere.cloned());
        if !part.is_whole || self.stage != Stage::Fetching {
            return;
        }
        for id in part.comparison.vanished() {
            if self.elsewhere.contains(&id) {
                continue;
            }
            if self.missing.len() < CARRIED {
                self.missing.insert(id);
            } else {
                self.more_missing = true;
            }
        }
    }

    /// Starts a fetch of more days in the same collection, which keeps what it has found so far.
    pub fn widen(&mut self, days: Days) {
        self.days = days;
        self.fetch_again();
    }

    /// Whether the pass was in parts, whose counts must add up to that of the whole.
    #[must_use]
    pub fn is_in_parts(&self) -> bool {
        self.pass.whole_count.is_some()
    }

    /// Ends a pass, given Belvo's count of the whole listing if it was in parts, or begins another
    /// one. Only a whole fetch says that rows are missing, and an empty one never does: Belvo
    /// returns none before its data is ready ("will return empty or incomplete results",
    /// `fetch_resources` in Belvo's OpenAPI).
    pub fn end_pass(&mut self, whole_count: Option<u64>) {
        let adds_up = whole_count.is_none_or(|count| count == self.tally.counted);
        if self.pass.is_whole && !adds_up && self.pass.number < PASSES {
            if self.stage == Stage::Fetching {
                self.forget_missing();
            }
            self.before = self.before.and_since();
            self.start_pass(self.pass.number + 1);
            return;
        }
        self.tally.counted = match whole_count {
            Some(count) if self.pass.is_whole => count,
            count => self.tally.counted.max(count.unwrap_or(0)),
        };
        let is_proven = self.pass.is_whole && adds_up && self.tally.rows > 0;
        if self.stage == Stage::Verifying {
            self.end_verification(is_proven);
            return;
        }

        // That there are none is no more than Belvo's word while rows of these days are stored.
        let may_lack_rows = self.tally.rows == 0 && !self.missing.is_empty();
        self.proven = self.pass.is_whole && adds_up && !may_lack_rows;
        if !is_proven {
            self.forget_missing();
        }
        if self.missing.len() > ASKED {
            self.verify();
        } else {
            self.stage = Stage::Asking;
            self.end_asking();
        }
    }

    /// Begins to read all days, which says more cheaply than so many questions what is gone.
    fn verify(&mut self) {
        self.verified = Some(Box::new(Found {
            days: self.days,
            rows: self.tally.rows,
            counted: self.tally.counted,
            unstored: self.tally.unstored,
            left_out: self.left_out.clone(),
            proven: self.proven,
        }));
        self.stage = Stage::Verifying;
        self.days = Days::ALL;
        self.start_pass(1);
    }

    /// Takes many rows for gone if the reading of all days is proven; asks for some otherwise.
    fn end_verification(&mut self, is_proven: bool) {
        if let Some(found) = self.verified.take() {
            self.days = found.days;
            self.tally.rows = found.rows;
            self.tally.counted = found.counted;
            self.tally.unstored = found.unstored;
            self.left_out = found.left_out;
            self.proven = found.proven;
        }
        if is_proven && self.missing.len() > ASKED {
            self.gone = std::mem::take(&mut self.missing);
        } else {
            self.missing = std::mem::take(&mut self.missing)
                .into_iter()
                .take(ASKED)
                .collect();
        }
        self.stage = Stage::Asking;
        self.end_asking();
    }

    /// Records that Belvo has a row that its listing lacked, on which day, and how many rows that
    /// wrote. A listing that should have had it proves nothing.
    pub fn found(&mut self, id: &RowId, day: &str, changed: u64) {
        self.proven &= !self.days.hold(day);
        self.tally.changed += changed;
        self.changed_elsewhere += changed;
        self.answered(id);
    }

    /// Records that Belvo does not have a row.
    pub fn absent(&mut self, id: &RowId) {
        self.gone.insert(id.clone());
        self.answered(id);
    }

    /// Records that Belvo does not say whether it has a row, which stays.
    pub fn unanswered(&mut self, id: &RowId) {
        self.proven = false;
        self.answered(id);
    }

    fn answered(&mut self, id: &RowId) {
        self.steps += 1;
        self.missing.remove(id);
        self.end_asking();
    }

    fn end_asking(&mut self) {
        if self.missing.is_empty() {
            self.stage = if self.gone.is_empty() {
                Stage::Done
            } else {
                Stage::Removing
            };
        }
    }

    /// Records that the rows that Belvo does not have are no longer compared, and how many of them
    /// are marked as deleted. If more rows were missing than are carried, another pass finds them.
    pub fn removed(&mut self, deleted: u64) {
        self.steps += 1;
        self.tally.deleted += deleted;
        self.gone.clear();
        if self.more_missing {
            self.fetch_again();
        } else {
            self.stage = Stage::Done;
        }
    }

    fn fetch_again(&mut self) {
        self.stage = Stage::Fetching;
        self.forget_missing();
        self.start_pass(1);
    }

    fn forget_missing(&mut self) {
        self.missing.clear();
        self.more_missing = false;
    }

    /// Fetches all the days from the beginning.
    fn start_pass(&mut self, number: u32) {
        self.pass = Pass::new(number, self.days);
        self.elsewhere.clear();
        self.left_out.clear();
        self.tally.rows = 0;
        self.tally.counted = 0;
        self.tally.unstored = 0;
    }

    /// What the collection found.
    #[must_use]
    pub fn collection(&self, finished_at: Timestamp) -> Collection {
        Collection {
            started_at: self.started_at,
            finished_at,
            days: self.days,
            tally: self.tally.clone(),
            proven: self.proven,
            left_out: self.left_out.clone(),
            was_empty: self.before != Before::Rows,
            unchanged: (self.tally.rows + self.changed_elsewhere)
                .saturating_sub(self.tally.written() + self.tally.unstored),
            accounts: self.accounts.len() as u64,
            stored: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;
    use time::macros::date;

    use super::*;
    use crate::{KnownVersion, NO_DATE, Row, SentRow};

    fn row(id: &str) -> Row {
        Row::whole(SentRow::of(&json!({"id": id}).to_string()).unwrap()).unwrap()
    }

    fn id(id: &str) -> RowId {
        RowId::parse(id).unwrap()
    }

    /// A part that was stored with `stored` and fetched whole with `fetched`.
    fn part(stored: &[&str], fetched: &[&str]) -> Part {
        let known = |id: &&str| {
            let row = row(id);
            let known = KnownVersion {
                digest: row.digest(),
                collected_at: None,
                deleted: false,
            };
            (row.id().clone(), known)
        };
        let mut comparison = Comparison::new(stored.iter().map(known).collect::<HashMap<_, _>>());
        let _ = comparison.changes(fetched.iter().map(|id| row(id)).collect());
        Part {
            comparison,
            pages: 1,
            count: fetched.len() as u64,
            is_whole: true,
            ..Part::default()
        }
    }

    fn year() -> Days {
        Days::between(date!(2025 - 03 - 01), date!(2026 - 02 - 28))
    }

    fn parts(days: Days) -> Vec<Days> {
        days.parts(2, 2, date!(2026 - 03 - 01))
    }

    fn begun() -> Progress {
        let at = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        Progress::new(year(), false, at)
    }

    /// Begun, and divided into two parts of a whole of `count` rows.
    fn in_two(count: u64) -> Progress {
        let mut progress = begun();
        progress.divide(parts(year()), count, None);
        progress
    }

    fn names(ids: &[String]) -> Vec<&str> {
        ids.iter().map(String::as_str).collect()
    }

    fn many(rows: std::ops::Range<usize>) -> Vec<String> {
        rows.map(|row| format!("row-{row:04}")).collect()
    }

    /// Answers every question: Belvo does not have the row. Returns those that are then removed,
    /// and counts as many of them as deleted as this says.
    fn answer_all(progress: &mut Progress, deleted: impl Fn(u64) -> u64) -> Vec<RowId> {
        let mut gone = Vec::new();
        loop {
            match progress.next() {
                Next::Ask(ids) => ids.iter().for_each(|id| progress.absent(id)),
                Next::Remove(ids) => {
                    progress.removed(deleted(ids.len() as u64));
                    gone.extend(ids);
                    return gone;
                }
                _ => return gone,
            }
        }
    }

    fn tally(progress: &Progress) -> Tally {
        progress.collection(progress.started_at).tally
    }

    fn verdict(progress: &Progress) -> String {
        let found = progress.collection(progress.started_at);
        found.verdict(None).to_string()
    }

    #[test]
    fn a_listing_in_one_part_ends_with_what_it_returned() {
        let mut progress = begun();
        assert_eq!(progress.next(), Next::Part(year()));
        progress.fetched(&part(&["a", "gone", "moved"], &["a", "b"]));
        assert_eq!(progress.next(), Next::EndOfPass);
        progress.end_pass(None);
        assert_eq!(progress.next(), Next::Ask(vec![id("gone"), id("moved")]));
        progress.absent(&id("gone"));
        assert_eq!(progress.next(), Next::Ask(vec![id("moved")]));
        progress.found(&id("moved"), "2026-03-01", 1);
        assert_eq!(progress.next(), Next::Remove(vec![id("gone")]));
        progress.removed(1);
        assert_eq!(progress.next(), Next::Nothing);

        let found = progress.collection(progress.started_at);
        let Tally { rows, counted, .. } = found.tally;
        assert_eq!((rows, counted, found.tally.new), (2, 2, 1));
        assert_eq!((found.tally.changed, found.tally.deleted), (1, 1));
        assert_eq!(found.unchanged, 1);
        assert_eq!(verdict(&progress), "complete");
    }

    #[test]
    fn parts_come_oldest_first_and_are_added_up() {
        let mut progress = in_two(3);
        let [first, second] = parts(year())[..] else {
            panic!("two parts");
        };
        assert_eq!(progress.next(), Next::Part(first));
        assert_eq!(progress.part_after_next(), Some(second));
        progress.fetched(&part(&[], &["a"]));
        assert_eq!(progress.next(), Next::Part(second));
        assert_eq!(progress.part_after_next(), None);
        progress.fetched(&part(&["c"], &["b", "c"]));
        progress.end_pass(Some(3));
        assert_eq!(progress.next(), Next::Nothing);
        let found = progress.collection(progress.started_at);
        let Tally {
            rows,
            counted,
            new,
            pages,
            ..
        } = found.tally;
        assert_eq!((rows, counted, new, found.unchanged), (3, 3, 2, 1));
        assert_eq!(pages, 3);
    }

    #[test]
    fn a_row_that_moved_to_a_later_part_is_not_missing() {
        let mut progress = in_two(2);
        progress.fetched(&part(&["moved", "gone"], &["a"]));
        progress.fetched(&part(&[], &["moved"]));
        progress.end_pass(Some(2));
        assert_eq!(progress.next(), Next::Ask(vec![id("gone")]));
    }

    #[test]
    fn parts_that_do_not_add_up_are_fetched_three_times_and_say_of_no_row_that_it_is_missing() {
        let mut progress = in_two(9);
        for pass in 1..=3 {
            progress.fetched(&part(&["gone"], &["a"]));
            progress.fetched(&part(&[], &["b"]));
            progress.end_pass(Some(9));
            if pass < 3 {
                assert_eq!(progress.next(), Next::Part(year()), "pass {pass}");
                progress.divide(parts(year()), 9, None);
            }
        }
        assert_eq!(progress.next(), Next::Nothing);
        assert_eq!((tally(&progress).rows, tally(&progress).counted), (2, 9));
        assert_eq!(verdict(&progress), "short by 7");
    }

    #[test]
    fn parts_that_stay_larger_than_the_whole_are_over() {
        let mut progress = in_two(1);
        while progress.next() != Next::Nothing {
            if progress.next() == Next::Part(year()) {
                progress.divide(parts(year()), 1, None);
            }
            progress.fetched(&part(&[], &["a"]));
            progress.fetched(&part(&[], &["b"]));
            progress.end_pass(Some(1));
        }
        assert_eq!(verdict(&progress), "over by 1");
    }

    #[test]
    fn a_part_that_kept_changing_proves_nothing_although_the_counts_agree() {
        let mut progress = in_two(2);
        let changing = Part {
            is_whole: false,
            ..part(&["gone"], &["a"])
        };
        progress.fetched(&changing);
        progress.fetched(&part(&["also-gone"], &["b"]));
        progress.end_pass(Some(2));
        assert_eq!(progress.next(), Next::Nothing);
        assert_eq!(verdict(&progress), "unproven");
    }

    #[test]
    fn an_empty_listing_says_of_no_row_that_it_is_missing_and_proves_nothing_if_some_are_stored() {
        let stored = many(0..1_200);
        let mut progress = begun();
        progress.fetched(&part(&names(&stored), &[]));
        progress.end_pass(None);
        assert_eq!(progress.next(), Next::Nothing);
        assert_eq!(verdict(&progress), "unproven");

        let mut progress = begun();
        progress.fetched(&part(&[], &[]));
        progress.end_pass(None);
        assert_eq!(progress.next(), Next::Nothing);
        assert_eq!(verdict(&progress), "complete");
    }

    #[test]
    fn a_listing_that_lacks_a_row_of_its_days_proves_nothing() {
        for (day, expected) in [
            ("2026-02-28", "unproven"),
            ("2026-03-01", "complete"),
            (NO_DATE, "complete"),
        ] {
            let mut progress = begun();
            progress.fetched(&part(&["a", "there"], &["a"]));
            progress.end_pass(None);
            progress.found(&id("there"), day, 0);
            assert_eq!(progress.next(), Next::Nothing);
            assert_eq!(verdict(&progress), expected, "{day}");
        }
    }

    /// A collection in which sixty of the stored rows are missing, before all days are read.
    fn with_many_missing() -> Progress {
        let mut progress = begun();
        progress.fetched(&part(&names(&many(0..60)), &["a"]));
        progress.end_pass(None);
        assert_eq!(progress.next(), Next::Part(Days::ALL));
        progress
    }

    #[test]
    fn of_many_missing_rows_those_are_gone_that_another_reading_of_all_days_lacks_too() {
        let mut progress = with_many_missing();
        // A row that this reading lacks for the first time is left to the next collection.
        progress.fetched(&part(&["other"], &["a", "row-0007", "elsewhere"]));
        progress.end_pass(None);
        let mut gone = many(0..60);
        gone.retain(|id| id != "row-0007");
        let gone: Vec<_> = gone.iter().map(|name| id(name)).collect();
        assert_eq!(progress.next(), Next::Remove(gone.clone()));
        assert_eq!(answer_all(&mut progress, |rows| rows), gone);
        assert_eq!(progress.next(), Next::Nothing);
        assert_eq!((tally(&progress).deleted, tally(&progress).rows), (59, 1));
        assert_eq!(
            (progress.days(), &*verdict(&progress)),
            (year(), "complete")
        );
    }

    #[test]
    fn few_rows_that_are_still_missing_from_all_days_are_asked_for() {
        let mut progress = with_many_missing();
        let seen = many(0..58);
        progress.fetched(&part(&[], &names(&seen)));
        progress.end_pass(None);
        assert_eq!(
            progress.next(),
            Next::Ask(vec![id("row-0058"), id("row-0059")])
        );
    }

    #[test]
    fn if_the_reading_of_all_days_proves_nothing_some_rows_are_asked_for() {
        let mut progress = with_many_missing();
        let changing = Part {
            is_whole: false,
            ..part(&[], &["a"])
        };
        progress.fetched(&changing);
        progress.end_pass(None);
        assert_eq!(answer_all(&mut progress, |rows| rows).len(), 50);
        assert_eq!(progress.next(), Next::Nothing);
        assert_eq!(
            verdict(&progress),
            "complete",
            "of the days that were asked for"
        );
    }

    #[test]
    fn more_missing_rows_than_a_message_carries_are_found_by_further_passes() {
        let stored = many(0..1_200);
        // Whether they are marked as deleted, or stay because Belvo lists nothing as old.
        for is_deleted in [true, false] {
            let mut progress = begun();
            let mut left = stored.len();
            let mut passes = 0;
            while progress.next() != Next::Nothing {
                let stored = &stored[stored.len() - left..];
                progress.fetched(&part(&names(stored), &["a"]));
                progress.end_pass(None);
                let deleted = |rows| if is_deleted { rows } else { 0 };
                left -= answer_all(&mut progress, deleted).len();
                passes += 1;
                assert!(passes < 9);
            }
            let deleted = if is_deleted { 1_200 } else { 0 };
            assert_eq!((left, tally(&progress).deleted), (0, deleted));
        }
    }

    #[test]
    fn a_row_of_which_belvo_says_nothing_stays_and_leaves_the_collection_unproven() {
        let mut progress = begun();
        progress.fetched(&part(&["silent"], &["a"]));
        progress.end_pass(None);
        progress.unanswered(&id("silent"));
        assert_eq!(progress.next(), Next::Nothing);
        assert_eq!(verdict(&progress), "unproven");
    }

    #[test]
    fn rows_without_a_date_are_a_part_of_their_own() {
        let mut progress = Progress::new(Days::ALL, false, Timestamp::now());
        progress.divide(parts(Days::ALL), 3, Some(1));
        let mut seen = Vec::new();
        while let Next::Part(days) = progress.next() {
            seen.push(days);
            let undated = (days == Days::UNDATED).then_some("undated");
            let rows: Vec<_> = undated.into_iter().collect();
            progress.fetched(&part(&[], &rows));
        }
        assert_eq!(seen.last(), Some(&Days::UNDATED));
        assert_eq!((seen.len(), progress.undated()), (4, 1));
        progress.end_pass(Some(1));
        assert_eq!(verdict(&progress), "complete");
    }

    #[test]
    fn a_wider_fetch_adds_to_what_was_found() {
        let mut progress = begun();
        progress.fetched(&part(&[], &["a"]));
        progress.end_pass(None);
        assert_eq!(progress.next(), Next::Nothing);
        progress.widen(Days::ALL);
        assert_eq!(progress.next(), Next::Part(Days::ALL));
        progress.fetched(&part(&["a"], &["a", "b"]));
        progress.end_pass(None);
        assert_eq!(progress.next(), Next::Nothing);
        let found = progress.collection(progress.started_at);
        let Tally {
            rows, new, pages, ..
        } = found.tally;
        assert_eq!((rows, new, found.unchanged, pages), (2, 2, 0, 2));
    }

    #[test]
    fn every_step_of_a_collection_shows_that_it_goes_on() {
        let mut progress = in_two(2);
        let mut counts = vec![(progress.parts, progress.steps)];
        progress.fetched(&part(&["gone", "there", "silent"], &["a"]));
        counts.push((progress.parts, progress.steps));
        progress.fetched(&part(&[], &["b"]));
        counts.push((progress.parts, progress.steps));
        progress.end_pass(Some(2));
        progress.absent(&id("gone"));
        progress.found(&id("there"), "2026-03-01", 0);
        progress.unanswered(&id("silent"));
        counts.push((progress.parts, progress.steps));
        progress.removed(1);
        counts.push((progress.parts, progress.steps));
        assert_eq!(counts, [(0, 1), (1, 2), (2, 3), (2, 6), (2, 7)]);
    }

    #[test]
    fn what_parts_wrote_is_added_up() {
        let mut progress = in_two(0);
        for _ in 0..2 {
            let mut written = part(&[], &[]);
            written.comparison.new = 2;
            written.comparison.changed = 3;
            written.comparison.revived = 5;
            written.comparison.undated = 7;
            progress.fetched(&written);
        }
        let found = tally(&progress);
        assert_eq!(
            (found.new, found.changed, found.revived, found.undated),
            (4, 6, 10, 14)
        );
    }

    #[test]
    fn rows_that_could_not_be_stored_are_counted_and_the_first_hundred_named() {
        let without_id = || LeftOut::from(crate::RowError::NoId);
        let mut progress = in_two(0);
        for _ in 0..2 {
            let mut torn = part(&[], &["a"]);
            torn.left_out = std::iter::repeat_with(without_id).take(70).collect();
            assert_eq!(torn.rows(), 71);
            torn.left_out.push(LeftOut::refused(id("a")));
            assert_eq!(
                torn.rows(),
                71,
                "one that has an id was fetched like any other"
            );
            progress.fetched(&torn);
        }
        let found = progress.collection(progress.started_at);
        assert_eq!((found.tally.rows, found.tally.unstored), (142, 142));
        assert_eq!(found.left_out.len(), 100);
    }

    #[test]
    fn a_part_that_is_read_again_has_the_rows_of_its_latest_reading() {
        let mut torn = part(&["a"], &["a", "b"]);
        torn.left_out.push(LeftOut::from(crate::RowError::NoId));
        torn.read_again(5);
        assert_eq!((torn.rows(), torn.count), (0, 5));
        let _ = torn.comparison.changes(vec![row("b")]);
        assert_eq!(torn.rows(), 1);
        assert_eq!(torn.comparison.vanished(), [id("a")]);
    }

    #[test]
    fn the_accounts_of_fetched_rows_are_known() {
        let account = |id: &str| AccountId::parse(id).unwrap();
        let (held, other) = (
            account("1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e"),
            account("00000000-0000-4000-8000-000000000000"),
        );
        let mut progress = begun();
        progress.fetched(&Part {
            accounts: BTreeSet::from([held.clone()]),
            ..part(&[], &["a"])
        });
        assert!(progress.has_account(&held) && !progress.has_account(&other));
    }

    #[test]
    fn the_accounts_are_listed_once_by_a_collection_of_all_days() {
        let mut progress = Progress::new(Days::ALL, false, Timestamp::now());
        assert!(progress.are_accounts_due());
        progress.accounts_listed();
        assert!(!progress.are_accounts_due());
        assert!(!begun().are_accounts_due());
    }

    #[test]
    fn only_the_division_of_all_its_days_is_compared_with_their_count() {
        let mut progress = begun();
        assert!(!progress.is_in_parts());
        progress.divide(parts(year()), 3, None);
        assert!(progress.is_in_parts());
        let Next::Part(first) = progress.next() else {
            panic!("a part");
        };
        progress.divide(parts(first), 2, None);
        assert_eq!(
            (progress.pass.whole_count, progress.undated()),
            (Some(3), 0)
        );
    }

    #[test]
    fn a_pass_that_kept_changing_counts_the_larger_number() {
        for (whole, counted) in [(1, 2), (9, 9)] {
            let mut progress = in_two(whole);
            for row in ["a", "b"] {
                progress.fetched(&Part {
                    is_whole: false,
                    ..part(&[], &[row])
                });
            }
            progress.end_pass(Some(whole));
            assert_eq!(tally(&progress).counted, counted, "{whole}");
        }
    }

    #[test]
    fn fifty_missing_rows_are_asked_for_and_no_day_is_read_again() {
        let stored = many(0..50);
        let mut progress = begun();
        progress.fetched(&part(&names(&stored), &["a"]));
        progress.end_pass(None);
        assert!(matches!(progress.next(), Next::Ask(_)));

        let mut progress = with_many_missing();
        progress.fetched(&part(&[], &names(&many(50..60))));
        progress.end_pass(None);
        assert!(matches!(progress.next(), Next::Ask(_)));
    }

    #[test]
    fn rows_stay_missing_while_the_reading_of_all_days_is_repeated() {
        let mut progress = with_many_missing();
        progress.divide(parts(Days::ALL), 9, Some(0));
        while let Next::Part(_) = progress.next() {
            progress.fetched(&part(&[], &["a"]));
        }
        progress.end_pass(Some(9));
        assert_eq!(progress.next(), Next::Part(Days::ALL));
        progress.fetched(&part(&[], &["a"]));
        progress.end_pass(None);
        assert!(matches!(progress.next(), Next::Remove(rows) if rows.len() == 60));
    }

    #[test]
    fn a_message_carries_a_thousand_rows_that_are_missing_or_kept_elsewhere() {
        let stored = many(0..1_200);
        let mut progress = in_two(0);
        for moved in ["x", "y"] {
            let mut kept = part(&names(&stored), &["a"]);
            let versions = many(0..700).into_iter().map(|name| {
                let known = KnownVersion {
                    digest: row(&name).digest(),
                    collected_at: None,
                    deleted: false,
                };
                (id(&format!("{moved}-{name}")), known)
            });
            kept.comparison.learn(versions.collect());
            progress.fetched(&kept);
        }
        assert_eq!(
            (progress.missing.len(), progress.elsewhere.len()),
            (1_000, 1_000)
        );
    }

    #[test]
    fn a_continuation_no_longer_assumes_an_empty_link() {
        let progress = Progress::new(year(), true, Timestamp::now());
        assert!(progress.is_first_ever());
        let continued = progress.continued();
        assert!(!continued.is_first_ever());
        let collection = continued.collection(Timestamp::now());
        assert!(collection.was_empty, "nothing that it finds is healed");
    }

    #[test]
    fn progress_survives_a_message() {
        let mut progress = in_two(3);
        progress.fetched(&part(&["gone"], &["a"]));
        let json = serde_json::to_string(&progress).unwrap();
        assert_eq!(serde_json::from_str::<Progress>(&json).unwrap(), progress);
    }
}
