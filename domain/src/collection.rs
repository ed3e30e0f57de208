//! What one collection found, and how that compares with what Belvo said there would be.

use std::{cmp::Ordering, fmt, ops::RangeInclusive};

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Days, LeftOut, Timestamp, Window,
    window::{day_of, parse_date},
};

/// The totals a webhook declares. Belvo documents them for `historical_update`; any may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Number of transactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_transactions: Option<u64>,
    /// Number of transactions into the accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_inflow_transactions: Option<u64>,
    /// Number of transactions out of the accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_outflow_transactions: Option<u64>,
    /// Day of the oldest transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_transaction_date: Option<String>,
    /// Day of the newest transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transaction_date: Option<String>,
}

impl Declared {
    /// The days whose stored rows these totals can be compared with: those requested, or, where
    /// Belvo chose them, those it names. `None` if Belvo names days that were not requested: its
    /// totals are then about something else, such as the link's whole year.
    #[must_use]
    pub fn comparable_days(&self, requested: Option<&Window>, fetched: Days) -> Option<Days> {
        let day = |text: &Option<String>| parse_date(&day_of(text.as_deref()?)?);
        let named = day(&self.first_transaction_date).zip(day(&self.last_transaction_date));
        if named.is_some_and(|(first, last)| first > last) {
            return None;
        }
        let named = named.map(|(first, last)| Days::between(first, last));
        match (requested.map(|window| Days::from(*window)), named) {
            (Some(requested), Some(named)) => requested.covers(named).then_some(requested),
            (Some(requested), None) => Some(requested),
            (None, named) => Some(named.unwrap_or(fetched)),
        }
    }

    /// The declared counts, compared with what is stored.
    fn counts(&self, stored: &StoredTotals) -> impl Iterator<Item = Check> {
        [
            (
                "total_transactions",
                self.total_transactions,
                stored.transactions,
            ),
            (
                "total_inflow_transactions",
                self.total_inflow_transactions,
                stored.inflow,
            ),
            (
                "total_outflow_transactions",
                self.total_outflow_transactions,
                stored.outflow,
            ),
        ]
        .into_iter()
        .filter_map(|(what, belvo, ours)| Some(Check::counts(what, belvo?, stored.counted(ours))))
    }

    /// The declared days, compared with what is stored.
    fn days(&self, stored: &StoredTotals) -> impl Iterator<Item = Check> {
        let first = Check::days(
            "first_transaction_date",
            self.first_transaction_date.as_deref(),
            stored.first_date.as_deref(),
            Ordering::Greater,
        );
        let last = Check::days(
            "last_transaction_date",
            self.last_transaction_date.as_deref(),
            stored.last_date.as_deref(),
            Ordering::Less,
        );
        first.into_iter().chain(last)
    }
}

/// What the store holds for a span of days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTotals {
    pub days: Days,
    /// Rows that are not deleted.
    pub transactions: u64,
    /// Of them, those of type `INFLOW`.
    pub inflow: u64,
    /// Of them, those of type `OUTFLOW`.
    pub outflow: u64,
    /// Rows of the link without a date. Nothing says whether Belvo counts them.
    #[serde(default)]
    pub undated: u64,
    /// Day of the oldest row that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_date: Option<String>,
    /// Day of the newest row that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_date: Option<String>,
}

impl StoredTotals {
    /// Empty totals for these days.
    #[must_use]
    pub fn of(days: Days) -> Self {
        Self {
            days,
            transactions: 0,
            inflow: 0,
            outflow: 0,
            undated: 0,
            first_date: None,
            last_date: None,
        }
    }

    /// What a number of these rows may be at Belvo, with and without those that have no date.
    fn counted(&self, rows: u64) -> Counted {
        let range = if self.days == Days::ALL {
            rows.saturating_sub(self.undated)..=rows
        } else {
            rows..=rows + self.undated
        };
        Counted { rows, range }
    }

    /// Counts a row of this `type`. Rows without a date belong to the span of all days only.
    pub fn add(&mut self, flow: Option<&str>, day: Option<&str>) {
        if day.is_none() {
            self.undated += 1;
            if self.days != Days::ALL {
                return;
            }
        }
        self.transactions += 1;
        self.inflow += u64::from(flow == Some("INFLOW"));
        self.outflow += u64::from(flow == Some("OUTFLOW"));
        let Some(day) = day else { return };
        if self.first_date.as_deref().is_none_or(|first| day < first) {
            self.first_date = Some(day.to_owned());
        }
        if self.last_date.as_deref().is_none_or(|last| last < day) {
            self.last_date = Some(day.to_owned());
        }
    }
}

/// What is counted while a listing is fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Pages fetched, including repeated fetches.
    pub pages: u64,
    /// Distinct rows that the fetch returned.
    pub rows: u64,
    /// Rows by the count on Belvo's pages.
    pub counted: u64,
    /// Rows stored for the first time.
    pub new: u64,
    /// Rows stored over an earlier version.
    pub changed: u64,
    /// Deleted rows that Belvo returned again, restored.
    pub revived: u64,
    /// Rows that Belvo no longer has, now tombstones.
    pub deleted: u64,
    /// Rows that could not be stored.
    #[serde(default)]
    pub unstored: u64,
    /// Rows that were stored under no day: they have no date that can be read.
    #[serde(default)]
    pub undated: u64,
}

impl Tally {
    /// Rows that were stored, for the first time or over an earlier version.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.new + self.changed + self.revived
    }
}

/// What one collection did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// When the first page was requested.
    pub started_at: Timestamp,
    /// When the last row was stored.
    pub finished_at: Timestamp,
    /// The days that were fetched: those requested, or more where one fetch answered several
    /// webhooks.
    #[serde(default)]
    pub days: Days,
    #[serde(flatten)]
    pub tally: Tally,
    /// Whether every part was fetched whole, and the parts added up to Belvo's count of the whole.
    #[serde(default)]
    pub proven: bool,
    /// The first hundred of the rows that could not be stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Whether nothing of the link was stored when it began.
    #[serde(skip)]
    pub was_empty: bool,
    /// Rows that were already stored.
    pub unchanged: u64,
    /// Distinct accounts that the rows belong to.
    pub accounts: u64,
    /// What the store held afterwards, read back to be compared with what the webhook declared;
    /// absent if it declared nothing comparable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<StoredTotals>,
}

impl Collection {
    /// Everything that can be compared: the fetched rows with the count on Belvo's pages, and the
    /// stored rows with what the webhook declared.
    #[must_use]
    pub fn checks(&self, declared: Option<&Declared>) -> Vec<Check> {
        let rows = self.tally.rows.saturating_sub(self.tally.unstored);
        let ours = Counted {
            rows,
            range: rows..=rows,
        };
        let mut of_pages = Check::counts("rows_of_pages", self.tally.counted, ours);
        if of_pages.verdict == Verdict::Complete && !self.proven {
            of_pages.verdict = Verdict::Unproven;
        }
        let mut checks = vec![of_pages];
        if let (Some(declared), Some(stored)) = (declared, &self.stored) {
            checks.extend(declared.counts(stored));
            checks.extend(declared.days(stored));
        }
        checks
    }

    /// Rows that were missing or different here, if this collection answers no webhook. The first
    /// rows of a link are not counted.
    #[must_use]
    pub fn healed(&self) -> u64 {
        if self.was_empty {
            0
        } else {
            self.tally.written() + self.tally.deleted
        }
    }

    /// Whether everything that Belvo announced is there.
    #[must_use]
    pub fn verdict(&self, declared: Option<&Declared>) -> Verdict {
        self.checks(declared)
            .into_iter()
            .map(|check| check.verdict)
            .max()
            .unwrap_or(Verdict::Complete)
    }
}

/// One of Belvo's counts or days, compared with ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is compared: `rows_of_pages`, or a field of the webhook.
    pub what: &'static str,
    /// What Belvo says.
    pub belvo: Measure,
    /// What was fetched, or is stored.
    pub ours: Measure,
    /// The result. A day that differs stands for at least one row.
    pub verdict: Verdict,
}

impl Check {
    /// Compares one of Belvo's days with ours. Rows are missing if ours is absent or on the
    /// `missing` side. `None` if Belvo's is not a day.
    fn days(
        what: &'static str,
        belvo: Option<&str>,
        ours: Option<&str>,
        missing: Ordering,
    ) -> Option<Self> {
        let belvo = day_of(belvo?)?;
        let order = ours.map_or(missing, |ours| ours.cmp(&belvo));
        let verdict = match order {
            Ordering::Equal => Verdict::Complete,
            order if order == missing => Verdict::Short(1),
            _ => Verdict::Over(1),
        };
        Some(Self {
            what,
            belvo: Measure::Day(Some(belvo)),
            ours: Measure::Day(ours.map(str::to_owned)),
            verdict,
        })
    }

    /// Compares one of Belvo's counts with ours.
    fn counts(what: &'static str, belvo: u64, ours: Counted) -> Self {
        let (least, most) = ours.range.into_inner();
        let (verdict, ours) = if belvo > most {
            (Verdict::Short(belvo - most), most)
        } else if belvo < least {
            (Verdict::Over(least - belvo), least)
        } else if belvo == ours.rows {
            (Verdict::Complete, belvo)
        } else {
            (Verdict::Unproven, ours.rows)
        };
        Self {
            what,
            belvo: Measure::Count(belvo),
            ours: Measure::Count(ours),
            verdict,
        }
    }
}

/// A number of our rows, and what Belvo may count of them: nothing says whether it counts rows
/// without a date.
struct Counted {
    rows: u64,
    range: RangeInclusive<u64>,
}

/// What a check compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Measure {
    /// A number of rows.
    Count(u64),
    /// A day, `YYYY-MM-DD`, if there is one.
    Day(Option<String>),
}

/// How what we have compares with what Belvo says, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Equal.
    Complete,
    /// Nothing is known to be missing, but nothing proves it: the list kept changing while it was
    /// read, was empty although rows are stored, or lacked a row that Belvo has; Belvo did not
    /// answer for a row; or the counts are equal only if rows without a date are counted in one
    /// way.
    Unproven,
    /// This many rows more, as when rows appeared after the webhook was sent.
    Over(u64),
    /// This many rows fewer.
    Short(u64),
}

impl Verdict {
    #[must_use]
    pub fn missing(self) -> u64 {
        if let Self::Short(rows) = self {
            rows
        } else {
            0
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Unproven => f.write_str("unproven"),
            Self::Short(by) => write!(f, "short by {by}"),
            Self::Over(by) => write!(f, "over by {by}"),
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn collection(rows: u64, counted: u64, stored: Option<StoredTotals>) -> Collection {
        let at = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        Collection {
            started_at: at,
            finished_at: at,
            days: Days::ALL,
            tally: Tally {
                pages: 1,
                rows,
                counted,
                new: 0,
                changed: 0,
                revived: 0,
                deleted: 0,
                unstored: 0,
                undated: 0,
            },
            proven: true,
            left_out: Vec::new(),
            was_empty: false,
            unchanged: 0,
            accounts: 0,
            stored,
        }
    }

    fn totals(transactions: u64, inflow: u64, first: Option<&str>) -> StoredTotals {
        StoredTotals {
            days: Days::ALL,
            transactions,
            inflow,
            outflow: transactions - inflow,
            undated: 0,
            first_date: first.map(str::to_owned),
            last_date: Some("2026-02-28".to_owned()),
        }
    }

    fn declared() -> Declared {
        Declared {
            total_transactions: Some(10),
            total_inflow_transactions: Some(4),
            total_outflow_transactions: None,
            first_transaction_date: Some("2026-01-05".to_owned()),
            last_transaction_date: Some("2026-02-28".to_owned()),
        }
    }

    #[test]
    fn a_verdict_says_how_many_rows_are_missing() {
        let verdict = |rows, counted| collection(rows, counted, None).verdict(None);
        for (rows, shown, missing) in [
            (10, "complete", 0),
            (8, "short by 2", 2),
            (12, "over by 2", 0),
        ] {
            let verdict = verdict(rows, 10);
            assert_eq!(
                (verdict.to_string().as_str(), verdict.missing()),
                (shown, missing)
            );
        }
    }

    #[test]
    fn stored_rows_are_counted_by_flow_and_between_the_first_day_and_the_last() {
        let mut totals = StoredTotals::of(Days::ALL);
        for (flow, day) in [
            (Some("INFLOW"), Some("2026-01-05")),
            (Some("OUTFLOW"), Some("2026-02-28")),
            (Some("OUTFLOW"), Some("2026-01-04")),
            (Some("OUTFLOW"), Some("2026-02-01")),
            (Some("OUTFLOW"), Some("2026-02-01")),
            (None, Some("2026-02-01")),
            (Some("INFLOW"), None),
        ] {
            totals.add(flow, day);
        }
        let expected = StoredTotals {
            days: Days::ALL,
            transactions: 7,
            inflow: 2,
            outflow: 4,
            undated: 1,
            first_date: Some("2026-01-04".to_owned()),
            last_date: Some("2026-02-28".to_owned()),
        };
        assert_eq!(totals, expected);
    }

    #[test]
    fn a_row_without_a_date_is_in_no_span_of_days() {
        let mut totals = StoredTotals::of(Days::since(date!(2026 - 01 - 01)));
        totals.add(Some("INFLOW"), None);
        let expected = StoredTotals {
            undated: 1,
            ..StoredTotals::of(totals.days)
        };
        assert_eq!(totals, expected);
    }

    #[test]
    fn equal_counts_of_a_list_that_kept_changing_are_unproven() {
        let changing = |rows| Collection {
            proven: false,
            ..collection(rows, 10, None)
        };
        assert_eq!(changing(10).verdict(None).to_string(), "unproven");
        assert_eq!(changing(9).verdict(None).to_string(), "short by 1");
    }

    #[test]
    fn rows_that_differ_are_healed_unless_the_link_was_empty() {
        let mut found = collection(10, 10, None);
        assert_eq!(found.healed(), 0);
        found.tally = Tally {
            new: 2,
            changed: 3,
            revived: 5,
            deleted: 7,
            ..found.tally
        };
        assert_eq!((found.tally.written(), found.healed()), (10, 17));
        found.was_empty = true;
        assert_eq!(found.healed(), 0);
    }

    #[test]
    fn rows_that_could_not_be_stored_are_short() {
        let mut found = collection(10, 10, None);
        found.tally.unstored = 2;
        assert_eq!(found.verdict(None), Verdict::Short(2));
    }

    #[test]
    fn rows_without_a_date_are_neither_missing_nor_surplus() {
        let verdict = |days, transactions, belvo| {
            let stored = StoredTotals {
                days,
                undated: 2,
                ..totals(transactions, 4, Some("2026-01-05"))
            };
            let declared = Declared {
                total_transactions: Some(belvo),
                ..Declared::default()
            };
            collection(1, 1, Some(stored))
                .verdict(Some(&declared))
                .to_string()
        };
        let year = Days::between(date!(2026 - 01 - 01), date!(2026 - 12 - 31));
        for (days, transactions) in [(year, 10), (Days::ALL, 12)] {
            let verdicts = [9, 10, 11, 12, 13].map(|belvo| verdict(days, transactions, belvo));
            let range = [
                "over by 1",
                "unproven",
                "unproven",
                "unproven",
                "short by 1",
            ];
            // Equal without taking anything for granted.
            let is_sure = |place: usize| place as u64 + 9 == transactions;
            let expected = [0, 1, 2, 3, 4].map(|place| {
                if is_sure(place) {
                    "complete"
                } else {
                    range[place]
                }
            });
            assert_eq!(verdicts, expected, "{days:?}");
        }
    }

    #[test]
    fn what_the_webhook_declared_is_compared_with_what_is_stored() {
        let verdict = |stored| {
            collection(10, 10, Some(stored))
                .verdict(Some(&declared()))
                .to_string()
        };
        assert_eq!(verdict(totals(10, 4, Some("2026-01-05"))), "complete");
        assert_eq!(verdict(totals(7, 4, Some("2026-01-05"))), "short by 3");
        assert_eq!(verdict(totals(12, 4, Some("2026-01-05"))), "over by 2");
        assert_eq!(
            verdict(totals(10, 2, Some("2026-01-05"))),
            "short by 2",
            "by type"
        );
        assert_eq!(
            verdict(totals(10, 4, Some("2026-01-06"))),
            "short by 1",
            "the first day is missing"
        );
        assert_eq!(
            verdict(totals(10, 4, Some("2026-01-04"))),
            "over by 1",
            "a day before the first"
        );
        assert_eq!(verdict(totals(10, 4, None)), "short by 1");
    }

    #[test]
    fn days_may_be_timestamps_and_anything_else_is_not_compared() {
        let found = collection(10, 10, Some(totals(10, 4, Some("2026-01-05"))));
        let mut said = declared();
        said.first_transaction_date = Some("2026-01-05T00:00:00Z".to_owned());
        assert_eq!(found.verdict(Some(&said)), Verdict::Complete);
        said.first_transaction_date = Some(String::new());
        assert_eq!(
            (found.verdict(Some(&said)), found.checks(Some(&said)).len()),
            (Verdict::Complete, 4)
        );
        said.first_transaction_date = said.last_transaction_date.clone();
        let only_day = Days::between(date!(2026 - 02 - 28), date!(2026 - 02 - 28));
        assert_eq!(said.comparable_days(None, Days::ALL), Some(only_day));
        said.first_transaction_date = Some("2026-12-31".to_owned());
        assert_eq!(
            said.comparable_days(None, Days::ALL),
            None,
            "the first is after the last"
        );
    }

    #[test]
    fn missing_rows_outweigh_surplus_rows() {
        let found = collection(9, 10, Some(totals(12, 4, Some("2026-01-05"))));
        assert_eq!(found.verdict(Some(&declared())), Verdict::Short(1));
        assert_eq!(
            found.checks(Some(&declared())).len(),
            5,
            "whatever was declared is compared"
        );
    }

    #[test]
    fn a_check_shows_both_sides() {
        let checks = collection(9, 10, Some(totals(10, 4, None))).checks(Some(&declared()));
        let shown = serde_json::to_value(&checks).unwrap();
        let pages = serde_json::json!({"what": "rows_of_pages", "belvo": 10, "ours": 9, "verdict": "short by 1"});
        assert_eq!(shown[0], pages);
        assert_eq!(
            (&shown[3]["belvo"], &shown[3]["ours"]),
            (&"2026-01-05".into(), &serde_json::Value::Null)
        );
    }

    #[test]
    fn totals_are_compared_over_the_days_that_they_are_about() {
        let today = date!(2026 - 03 - 01);
        let wide = Window::parse("2026-01-01", "2026-02-28", today).unwrap();
        let narrow = Window::parse("2026-02-01", "2026-02-28", today).unwrap();
        let named = Days::between(date!(2026 - 01 - 05), date!(2026 - 02 - 28));
        let without_days = Declared {
            total_transactions: Some(0),
            ..Declared::default()
        };
        assert_eq!(
            declared().comparable_days(Some(&wide), Days::ALL),
            Some(wide.into())
        );
        assert_eq!(
            declared().comparable_days(Some(&narrow), Days::ALL),
            None,
            "Belvo means other days"
        );
        assert_eq!(declared().comparable_days(None, Days::ALL), Some(named));
        assert_eq!(
            without_days.comparable_days(Some(&narrow), Days::ALL),
            Some(narrow.into())
        );
        assert_eq!(
            without_days.comparable_days(None, Days::since(today)),
            Some(Days::since(today))
        );
    }
}
