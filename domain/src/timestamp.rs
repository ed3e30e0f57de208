//! Instants, in a spelling that sorts as text.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// An instant in UTC with milliseconds, written `2026-03-01T12:34:56.789Z`: fixed width, so that
/// text order is time order in a sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The present, to the millisecond.
    #[must_use]
    pub fn now() -> Self {
        Self::from_utc(OffsetDateTime::now_utc())
    }

    /// Reads RFC 3339 with any number of fraction digits and any offset: Belvo writes three to six
    /// digits, and `Z` as well as `+00:00` ("Non-breaking changes" in its integration checklist).
    /// An instant that is in another year than 0 to 9999 in UTC cannot be written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()?
            .checked_to_offset(UtcOffset::UTC)
            .filter(|instant| instant.year() >= 0)
            .map(Self::from_utc)
    }

    /// The calendar day in UTC.
    #[must_use]
    pub fn day(self) -> Date {
        self.0.date()
    }

    /// This instant moved by `seconds`.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(Duration::seconds(seconds)))
    }

    /// The beginning of its second.
    #[must_use]
    pub fn to_second(self) -> Self {
        Self(self.0.truncate_to_second())
    }

    /// Whole seconds since 1970, the unit of a DynamoDB time-to-live attribute.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        self.0.unix_timestamp() * 1_000 + i64::from(self.0.millisecond())
    }

    /// The instant so many milliseconds after 1970; `None` outside the years that have four digits.
    #[must_use]
    pub fn of_unix_millis(millis: i64) -> Option<Self> {
        let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
        instant.ok().map(Self)
    }

    /// Milliseconds from `earlier` to this instant; zero if the clock went backwards.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from((self.0 - earlier.0).whole_milliseconds()).unwrap_or(0)
    }

    /// Whole seconds from `earlier` to this instant; zero if the clock went backwards.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> u64 {
        self.millis_since(earlier) / 1_000
    }

    fn from_utc(instant: OffsetDateTime) -> Self {
        Self(
            instant
                .replace_millisecond(instant.millisecond())
                .unwrap_or(instant),
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.0;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.millisecond()
        )
    }
}

impl TryFrom<String> for Timestamp {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an RFC 3339 timestamp")
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

/// This many seconds after the instant at which unit tests begin.
#[cfg(test)]
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::parse("2026-03-01T00:00:00Z")
        .unwrap()
        .plus_seconds(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn belvos_spellings_of_an_instant_are_one_instant() {
        let dashed = Timestamp::parse("2022-02-09T08:45:50.406032Z").unwrap();
        let offset = Timestamp::parse("2022-02-09T05:45:50.406-03:00").unwrap();
        assert_eq!(dashed, offset);
        assert_eq!(dashed.to_string(), "2022-02-09T08:45:50.406Z");
    }

    #[test]
    fn an_instant_beyond_the_years_that_can_be_written_is_none() {
        assert!(Timestamp::parse("9999-12-31T23:59:59Z").is_some());
        assert_eq!(Timestamp::parse("9999-12-31T23:59:59-01:00"), None);
        assert!(Timestamp::parse("0000-01-01T00:00:00Z").is_some());
        assert_eq!(Timestamp::parse("0000-01-01T00:00:00+01:00"), None);
    }

    fn instant(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_present_is_now_to_the_millisecond() {
        let (before, now) = (OffsetDateTime::now_utc(), Timestamp::now());
        assert!((now.0 - before).abs() < Duration::MINUTE);
        assert_eq!(now.0.nanosecond() % 1_000_000, 0);
    }

    #[test]
    fn an_instant_has_a_day_and_a_second() {
        let late = instant("2026-02-28T23:59:59.999Z");
        assert_eq!(late.day(), time::macros::date!(2026 - 02 - 28));
        assert_eq!(late.to_second(), instant("2026-02-28T23:59:59Z"));
        assert_eq!(late.plus_seconds(1), instant("2026-03-01T00:00:00.999Z"));
    }

    #[test]
    fn an_instant_is_counted_from_1970() {
        let at = instant("1970-01-02T00:00:00.250Z");
        assert_eq!((at.unix_seconds(), at.unix_millis()), (86_400, 86_400_250));
        assert_eq!(Timestamp::of_unix_millis(86_400_250), Some(at));
        assert_eq!(Timestamp::of_unix_millis(i64::MAX), None);
    }

    #[test]
    fn the_time_between_two_instants_is_never_negative() {
        let (early, late) = (
            instant("2026-03-01T00:00:00Z"),
            instant("2026-03-01T00:00:02.900Z"),
        );
        assert_eq!(
            (late.millis_since(early), late.seconds_since(early)),
            (2_900, 2)
        );
        assert_eq!(
            (early.millis_since(late), early.seconds_since(late)),
            (0, 0)
        );
    }

    #[test]
    fn an_instant_is_read_from_json_as_it_is_written() {
        let json = "\"2026-03-01T00:00:00.000Z\"";
        let at: Timestamp = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&at).unwrap(), json);
        assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
    }

    #[test]
    fn the_text_has_a_fixed_width() {
        assert_eq!(
            Timestamp::parse("2022-02-09T08:45:50Z")
                .unwrap()
                .to_string(),
            "2022-02-09T08:45:50.000Z"
        );
    }
}
