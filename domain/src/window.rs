//! The span of days a retrieval asks for.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Date, macros::format_description};

/// A closed span of days, `from ≤ to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    #[serde(rename = "date_from", with = "iso_date")]
    from: Date,
    #[serde(rename = "date_to", with = "iso_date")]
    to: Date,
}

/// Why two dates are not a window; each reason names the field to correct.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WindowError {
    /// The named field is not a calendar day.
    #[error("{0} must be a calendar day written YYYY-MM-DD")]
    NotADate(&'static str),
    /// The window ends before it starts.
    #[error("date_from must not be after date_to")]
    Reversed,
    /// Belvo refuses a window that ends in the future.
    #[error("date_to must not be in the future (today is {0}, UTC)")]
    InTheFuture(Date),
    /// Belvo refuses a window of more than a year.
    #[error(
        "date_from must be at most {0} days before date_to; ask for a longer time in several \
         requests"
    )]
    TooLong(u16),
}

impl WindowError {
    /// The request field to correct.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::NotADate(field) => field,
            Self::Reversed | Self::TooLong(_) => "date_from",
            Self::InTheFuture(_) => "date_to",
        }
    }
}

impl Window {
    /// A window that Belvo accepts on `today`: both dates valid, in order, and not in the future
    /// (`POST /api/transactions/` in Belvo's OpenAPI).
    pub fn parse(from: &str, to: &str, today: Date) -> Result<Self, WindowError> {
        let from = parse_date(from).ok_or(WindowError::NotADate("date_from"))?;
        let to = parse_date(to).ok_or(WindowError::NotADate("date_to"))?;
        if from > to {
            return Err(WindowError::Reversed);
        }
        if to > today {
            return Err(WindowError::InTheFuture(today));
        }
        Ok(Self { from, to })
    }

    /// The same window, if it is not longer than what a resource is asked for at once.
    pub fn at_most(self, days: Option<u16>) -> Result<Self, WindowError> {
        match days {
            Some(days) if (self.to - self.from).whole_days() > i64::from(days) => {
                Err(WindowError::TooLong(days))
            }
            _ => Ok(self),
        }
    }

    #[must_use]
    pub fn from(self) -> String {
        iso_date::format(self.from)
    }

    #[must_use]
    pub fn to(self) -> String {
        iso_date::format(self.to)
    }

    pub(super) fn first_day(self) -> Date {
        self.from
    }

    pub(super) fn last_day(self) -> Date {
        self.to
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from(), self.to())
    }
}

/// Reads `YYYY-MM-DD`, and nothing else.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    // The format would also take a signed year.
    let plain = text.len() == "YYYY-MM-DD".len();
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .ok()
        .filter(|_| plain)
}

/// The day of a date or a timestamp, as `YYYY-MM-DD`. Belvo has sent both, and its dates may have
/// months and days of one digit (the pattern of `value_date` in Belvo's OpenAPI).
#[must_use]
pub fn day_of(text: &str) -> Option<String> {
    let date = text.split(['T', ' ']).next()?;
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let day = format!("{year}-{month:0>2}-{day:0>2}");
    parse_date(&day).map(|_| day)
}

/// Dates as `YYYY-MM-DD` in JSON and in the store. Not by `time::serde::format_description!`, which
/// would also read a year with a sign.
pub(super) mod iso_date {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use time::Date;

    pub(crate) fn format(date: Date) -> String {
        format!(
            "{:04}-{:02}-{:02}",
            date.year(),
            u8::from(date.month()),
            date.day()
        )
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's `with` calls it so"
    )]
    pub(super) fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*date))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Date, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_date(&text).ok_or_else(|| D::Error::custom("not a YYYY-MM-DD date"))
    }

    /// The same for a date that may be absent.
    pub(crate) mod option {
        use super::{Date, Deserializer, Serializer, deserialize as date, serialize as text};

        #[expect(
            clippy::ref_option,
            clippy::trivially_copy_pass_by_ref,
            reason = "serde's `with` calls it so"
        )]
        pub(crate) fn serialize<S: Serializer>(
            date: &Option<Date>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match date {
                Some(date) => text(date, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Date>, D::Error> {
            date(deserializer).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 03 - 01);

    #[test]
    fn a_window_may_end_today_and_span_one_day() {
        let window = Window::parse("2026-03-01", "2026-03-01", TODAY).unwrap();
        assert_eq!(window.to_string(), "2026-03-01..2026-03-01");
    }

    #[test]
    fn a_window_that_belvo_would_refuse_is_refused_by_field() {
        let field = |from, to| Window::parse(from, to, TODAY).unwrap_err().field();
        assert_eq!(field("2026-02-30", "2026-03-01"), "date_from");
        assert_eq!(field("2026-02-01", "01/03/2026"), "date_to");
        assert_eq!(field("2026-02-02", "2026-02-01"), "date_from");
        assert_eq!(field("2026-02-01", "2026-03-02"), "date_to");
        assert_eq!(field("-2026-02-01", "2026-03-01"), "date_from");
        assert_eq!(field("+2026-02-01", "2026-03-01"), "date_from");
    }

    #[test]
    fn a_window_has_its_two_days() {
        let window = Window::parse("2026-01-05", "2026-03-01", TODAY).unwrap();
        assert_eq!(
            (window.from(), window.to()),
            ("2026-01-05".to_owned(), "2026-03-01".to_owned())
        );
        assert_eq!(
            (window.first_day(), window.last_day()),
            (date!(2026 - 01 - 05), TODAY)
        );
    }

    #[test]
    fn a_window_of_more_days_than_belvo_allows_is_refused() {
        let window = Window::parse("2026-02-20", "2026-03-01", TODAY).unwrap();
        for allowed in [None, Some(9), Some(10)] {
            assert_eq!(window.at_most(allowed), Ok(window));
        }
        let refused = window.at_most(Some(8)).unwrap_err();
        assert_eq!(refused, WindowError::TooLong(8));
        assert_eq!(refused.field(), "date_from");
    }

    #[test]
    fn the_day_of_a_date_or_a_timestamp_has_two_digits_for_month_and_day() {
        for (text, day) in [
            ("2026-03-01", Some("2026-03-01")),
            ("2026-3-1", Some("2026-03-01")),
            ("2026-03-01T23:59:59-03:00", Some("2026-03-01")),
            ("2026-03-01 23:59:59", Some("2026-03-01")),
            ("2026-02-30", None),
            ("2026-003-01", None),
            ("2026-03-", None),
            ("2026-03-+1", None),
            ("26-03-01", None),
            ("2026-03", None),
            ("", None),
        ] {
            assert_eq!(day_of(text).as_deref(), day, "{text}");
        }
    }

    #[test]
    fn a_window_survives_json() {
        let window = Window::parse("2025-03-01", "2026-03-01", TODAY).unwrap();
        let signed = r#"{"date_from":"+2025-03-01","date_to":"2026-03-01"}"#;
        assert!(serde_json::from_str::<Window>(signed).is_err());
        let json = serde_json::to_string(&window).unwrap();
        assert_eq!(json, r#"{"date_from":"2025-03-01","date_to":"2026-03-01"}"#);
        assert_eq!(serde_json::from_str::<Window>(&json).unwrap(), window);
    }
}
