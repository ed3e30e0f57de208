//! A span of value dates that may be open at either end: what a fetch covers, and how a large fetch
//! is split into parts.

use serde::{Deserialize, Serialize};
use time::{Date, Duration, macros::date};

use crate::{
    Window,
    window::{iso_date, parse_date},
};

/// Before any row's day.
const FIRST_DAY: Date = date!(0001 - 01 - 01);
/// A year and a day: the step by which an open end is closed. Belvo's history of a link is twelve
/// months.
const YEAR: Duration = Duration::days(366);
/// Rows dated outside of these years are not looked for in parts.
const YEARS: std::ops::Range<i32> = 1990..2100;

/// A span of days by value date. A bounded end leaves out rows without a value date, as Belvo's
/// filters do; only [`Days::ALL`] holds them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    #[serde(
        default,
        with = "iso_date::option",
        skip_serializing_if = "Option::is_none"
    )]
    from: Option<Date>,
    #[serde(
        default,
        with = "iso_date::option",
        skip_serializing_if = "Option::is_none"
    )]
    to: Option<Date>,
    /// Only rows without a date.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    undated: bool,
}

impl Days {
    /// Every day, and rows without one.
    pub const ALL: Self = Self {
        from: None,
        to: None,
        undated: false,
    };
    /// No day: the rows without one.
    pub const UNDATED: Self = Self {
        undated: true,
        ..Self::ALL
    };
    /// Every day that Belvo's filters know: rows without one are left out.
    pub const DATED: Self = Self {
        from: Some(FIRST_DAY),
        ..Self::ALL
    };

    /// This day and all later ones.
    #[must_use]
    pub fn since(day: Date) -> Self {
        Self {
            from: Some(day),
            ..Self::ALL
        }
    }

    /// This day and all earlier ones.
    #[must_use]
    pub fn until(day: Date) -> Self {
        Self {
            to: Some(day),
            ..Self::ALL
        }
    }

    /// From one day to another, both included.
    #[must_use]
    pub fn between(from: Date, to: Date) -> Self {
        Self {
            from: Some(from),
            to: Some(to),
            ..Self::ALL
        }
    }

    /// Whether it holds every day, and the rows without one.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::ALL
    }

    /// The first day, `YYYY-MM-DD`, if it is bounded.
    #[must_use]
    pub fn first(self) -> Option<String> {
        self.from.map(iso_date::format)
    }

    /// The last day, `YYYY-MM-DD`, if it is bounded.
    #[must_use]
    pub fn last(self) -> Option<String> {
        self.to.map(iso_date::format)
    }

    /// Whether the span holds the rows of a day, `YYYY-MM-DD`. Those without a date are held by an
    /// unbounded span only, as Belvo's date filters leave them out.
    #[must_use]
    pub fn hold(self, day: &str) -> bool {
        match parse_date(day) {
            Some(_) if self.undated => false,
            Some(day) => {
                self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
            }
            None => self == Self::ALL || self.undated,
        }
    }

    /// Whether this span holds every row of the other.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        let starts = self
            .from
            .is_none_or(|from| other.from.is_some_and(|day| from <= day));
        let ends = self
            .to
            .is_none_or(|to| other.to.is_some_and(|day| day <= to));
        starts && ends
    }

    /// The span that holds exactly the days of both, if they overlap or touch.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Option<Self> {
        let apart = |one: &Self, other: &Self| match (one.to, other.from) {
            (Some(end), Some(start)) => end.next_day().is_some_and(|next| next < start),
            _ => false,
        };
        if apart(self, other) || apart(other, self) {
            return None;
        }
        let from = self.from.zip(other.from).map(|(one, other)| one.min(other));
        let to = self.to.zip(other.to).map(|(one, other)| one.max(other));
        Some(Self {
            from,
            to,
            ..Self::ALL
        })
    }

    /// Divides this span of `rows` rows into parts that fit pages of `page` rows where rows are
    /// spread evenly, oldest first, that together hold each of its days once. A start in the year
    /// before today is taken to have its rows by today. Empty if the span cannot be divided: a
    /// single day, or an open end far from the present.
    #[must_use]
    pub fn parts(&self, rows: u64, page: u64, today: Date) -> Vec<Self> {
        match (self.from, self.to) {
            (Some(from), Some(to)) => even_parts(from, to, rows, page),
            (None, Some(to)) if YEARS.contains(&to.year()) => cut(*self, to - YEAR),
            (Some(from), None) if (today - YEAR..=today).contains(&from) => {
                let [past, after] = halves(*self, today);
                let mut parts = even_parts(from, today, rows, page);
                if parts.is_empty() {
                    parts.push(past);
                }
                parts.push(after);
                parts
            }
            (Some(from), None) if YEARS.contains(&from.year()) => cut(*self, from + YEAR),
            (None, None) => {
                let [before, rest] = halves(*self, today - YEAR);
                let [year, after] = halves(rest, today);
                vec![before, year, after]
            }
            _ => Vec::new(),
        }
    }
}

impl From<Window> for Days {
    fn from(window: Window) -> Self {
        Self::between(window.first_day(), window.last_day())
    }
}

fn halves(days: Days, last_of_first: Date) -> [Days; 2] {
    [
        Days {
            to: Some(last_of_first),
            ..days
        },
        Days {
            from: last_of_first.next_day(),
            ..days
        },
    ]
}

fn cut(days: Days, last_of_first: Date) -> Vec<Days> {
    halves(days, last_of_first).to_vec()
}

/// At least two parts of about equal length; none for a single day. They aim at four fifths of a
/// page, because rows are not spread evenly over the days: such parts rarely have to be divided
/// again. Lengths differ by a day; where the longer ones would exceed a page, all are shorter.
fn even_parts(from: Date, to: Date, rows: u64, page: u64) -> Vec<Days> {
    let days = (to - from).whole_days() + 1;
    let aim = rows.div_ceil((page * 4 / 5).max(1)).max(2);
    let parts = i64::try_from(aim).unwrap_or(i64::MAX).min(days);
    if parts < 2 {
        return Vec::new();
    }
    let longest = (days + parts - 1) / parts;
    let exceeds = i128::from(longest) * i128::from(rows) > i128::from(page) * i128::from(days);
    let parts = if exceeds {
        let shorter = days / parts;
        (days + shorter - 1) / shorter
    } else {
        parts
    };
    let start = |part: i64| from + Duration::days(part * days / parts);
    (0..parts)
        .map(|part| Days::between(start(part), start(part + 1) - Duration::DAY))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = date!(2026 - 03 - 01);

    fn year() -> Days {
        Days::between(date!(2025 - 03 - 01), date!(2026 - 02 - 28))
    }

    #[test]
    fn the_parts_of_a_span_hold_each_of_its_days_once() {
        for rows in [1, 10_001, 25_000, 100_000, 130_000, 10_000_000, u64::MAX] {
            let parts = year().parts(rows, 1_000, TODAY);
            assert_eq!(
                (parts[0].from, parts[parts.len() - 1].to),
                (year().from, year().to)
            );
            assert_hold_each_day_once(&parts);
            assert!(parts.iter().all(|part| part.from <= part.to));
        }
        assert_eq!(year().parts(u64::MAX, 1, TODAY).len(), 365);
    }

    fn assert_hold_each_day_once(parts: &[Days]) {
        for pair in parts.windows(2) {
            assert_eq!(pair[0].to.unwrap().next_day(), pair[1].from);
        }
    }

    /// The number of parts, and the days of the longest.
    fn divided(days: Days, rows: u64) -> (usize, i64) {
        let parts = days.parts(rows, 1_000, TODAY);
        let bounded = parts.iter().filter_map(|part| part.from.zip(part.to));
        let longest = bounded.map(|(from, to)| (to - from).whole_days() + 1);
        (parts.len(), longest.max().unwrap())
    }

    #[test]
    fn no_part_is_expected_to_exceed_a_page() {
        // 274 rows a day: three days fit.
        assert_eq!(divided(year(), 100_000), (125, 3));
        // 356 rows a day: three days do not.
        assert_eq!(divided(year(), 130_000), (183, 2));
        // 548 rows a day: two days do not.
        assert_eq!(divided(year(), 200_000), (365, 1));
        assert_eq!(divided(year(), 10_000), (13, 29));
    }

    #[test]
    fn an_open_end_is_cut_at_today() {
        let days = Days::since(TODAY - Duration::days(10));
        // Eleven days of a link with 100,000 and with 200,000 rows a year, and the future.
        assert_eq!(divided(days, 3_014), (4 + 1, 3));
        assert_eq!(divided(days, 6_027), (11 + 1, 1));

        let parts = days.parts(6_027, 1_000, TODAY);
        assert_eq!((parts[0].from, parts[11].to), (days.from, None));
        assert_eq!(parts[11].from, TODAY.next_day());
        assert_hold_each_day_once(&parts);

        let tomorrow = TODAY.next_day().unwrap();
        let today_and_after = vec![Days::between(TODAY, TODAY), Days::since(tomorrow)];
        assert_eq!(
            Days::since(TODAY).parts(2_000, 1_000, TODAY),
            today_and_after
        );
    }

    #[test]
    fn parts_that_just_fit_a_page_are_not_divided_further() {
        let ten_days = Days::between(date!(2026 - 01 - 01), date!(2026 - 01 - 10));
        assert_eq!(divided(ten_days, 5_000), (7, 2));
        assert_eq!(divided(ten_days, 5_001), (10, 1));
    }

    #[test]
    fn all_days_are_divided_into_the_year_before_today_and_what_is_before_and_after() {
        let expected = [
            Days::until(date!(2025 - 02 - 28)),
            Days::between(date!(2025 - 03 - 01), TODAY),
            Days::since(date!(2026 - 03 - 02)),
        ];
        assert_eq!(Days::ALL.parts(9, 1, TODAY), expected);
    }

    #[test]
    fn an_open_end_near_the_present_is_cut_after_a_year() {
        let (end, start) = (date!(2025 - 02 - 28), date!(2026 - 03 - 02));
        let before = date!(2024 - 02 - 28);
        assert_eq!(
            Days::until(end).parts(9, 1, TODAY),
            [
                Days::until(before),
                Days::between(date!(2024 - 02 - 29), end)
            ]
        );
        assert_eq!(
            Days::since(start).parts(9, 1, TODAY),
            [
                Days::between(start, date!(2027 - 03 - 03)),
                Days::since(date!(2027 - 03 - 04))
            ]
        );
        assert_eq!(Days::until(date!(1989 - 12 - 31)).parts(9, 1, TODAY), []);
        assert_eq!(Days::since(date!(2100 - 01 - 01)).parts(9, 1, TODAY), []);
    }

    #[test]
    fn one_day_is_not_divided() {
        assert!(
            Days::between(TODAY, TODAY)
                .parts(1_000_000, 1_000, TODAY)
                .is_empty()
        );
    }

    #[test]
    fn open_ends_are_cut_off_year_by_year_and_not_for_ever() {
        let mut pending = vec![Days::ALL];
        let mut parts = Vec::new();
        while let Some(days) = pending.pop() {
            let divided = if days.from.is_some() && days.to.is_some() {
                Vec::new()
            } else {
                days.parts(9, 1, TODAY)
            };
            if divided.is_empty() {
                parts.push(days);
            } else {
                pending.extend(divided.into_iter().rev());
            }
        }
        assert_eq!((parts[0].from, parts[parts.len() - 1].to), (None, None));
        for pair in parts.windows(2) {
            assert_eq!(pair[0].to.unwrap().next_day(), pair[1].from);
        }
    }

    #[test]
    fn spans_that_overlap_or_touch_are_one() {
        let (january, february) = (
            Days::between(date!(2026 - 01 - 01), date!(2026 - 01 - 31)),
            Days::between(date!(2026 - 02 - 01), date!(2026 - 02 - 28)),
        );
        let both = Days::between(date!(2026 - 01 - 01), date!(2026 - 02 - 28));
        assert_eq!(january.joined(&february), Some(both));
        assert_eq!(february.joined(&january), Some(both));
        assert_eq!(january.joined(&Days::ALL), Some(Days::ALL));
        assert_eq!(
            january.joined(&Days::since(date!(2026 - 01 - 20))),
            Some(Days::since(date!(2026 - 01 - 01)))
        );
        assert_eq!(january.joined(&Days::since(date!(2026 - 02 - 02))), None);
    }

    #[test]
    fn an_open_span_covers_bounded_ones_and_not_the_other_way_round() {
        assert!(Days::ALL.covers(year()) && Days::ALL.covers(Days::ALL));
        assert!(!year().covers(Days::ALL) && !year().covers(Days::since(TODAY)));
        assert!(Days::since(date!(2025 - 01 - 01)).covers(year()));
    }

    #[test]
    fn a_span_holds_its_first_day_and_its_last_and_all_between() {
        let (first, last) = (date!(2026 - 01 - 05), date!(2026 - 02 - 28));
        let days = [
            "2026-01-04",
            "2026-01-05",
            "2026-01-31",
            "2026-02-28",
            "2026-03-01",
        ];
        for (span, held) in [
            (Days::between(first, last), [false, true, true, true, false]),
            (Days::since(first), [false, true, true, true, true]),
            (Days::until(last), [true, true, true, true, false]),
            (Days::DATED, [true; 5]),
            (Days::ALL, [true; 5]),
            (Days::UNDATED, [false; 5]),
        ] {
            assert_eq!(days.map(|day| span.hold(day)), held, "{span:?}");
        }
    }

    #[test]
    fn a_row_without_a_date_is_held_by_all_days_or_by_none() {
        for (span, holds) in [
            (Days::ALL, true),
            (Days::UNDATED, true),
            (Days::DATED, false),
            (Days::until(TODAY), false),
        ] {
            assert_eq!(span.hold(""), holds, "{span:?}");
        }
    }

    #[test]
    fn a_span_names_its_ends_if_it_has_them() {
        let ends = |days: Days| (days.first(), days.last());
        let day = |day: &str| Some(day.to_owned());
        assert_eq!(ends(year()), (day("2025-03-01"), day("2026-02-28")));
        assert_eq!(ends(Days::since(TODAY)), (day("2026-03-01"), None));
        assert_eq!(ends(Days::until(TODAY)), (None, day("2026-03-01")));
    }

    #[test]
    fn only_all_days_are_all() {
        assert!(Days::ALL.is_all());
        assert!(!Days::DATED.is_all() && !Days::UNDATED.is_all());
    }

    #[test]
    fn a_span_survives_json() {
        for (days, json) in [
            (Days::ALL, "{}"),
            (Days::UNDATED, r#"{"undated":true}"#),
            (Days::since(TODAY), r#"{"from":"2026-03-01"}"#),
            (year(), r#"{"from":"2025-03-01","to":"2026-02-28"}"#),
        ] {
            assert_eq!(serde_json::to_string(&days).unwrap(), json);
            assert_eq!(serde_json::from_str::<Days>(json).unwrap(), days);
        }
    }
}
