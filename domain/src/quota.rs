//! Belvo's limits of retrievals per customer and calendar month, by how far back they reach ("OFDA
//! Brazil Data Retrieval Limits", Belvo's documentation). A link's `institution_user_id` says whose
//! it is once it is registered; until then each link is counted alone (docs/decisions/0012).

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::{Date, Duration, Month as CalendarMonth};

use crate::{LinkId, Timestamp, Window, parse_date};

/// A retrieval of fewer days than this from now counts as short.
const SHORT_DAYS: i64 = 6;

/// How long a class stays closed after Belvo's first refusal, and at most, in seconds.
const FIRST_PAUSE_S: i64 = 60 * 60;
const LONGEST_PAUSE_S: i64 = 24 * 60 * 60;
/// How long after ours Belvo's month may begin: no time zone is further behind UTC.
const MONTHS_APART_S: i64 = 12 * 60 * 60;

/// What a retrieval counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RetrievalClass {
    /// It reaches back six days or more.
    Long,
    /// It reaches back less than six days.
    Short,
}

impl RetrievalClass {
    /// Both classes.
    pub const ALL: [Self; 2] = [Self::Long, Self::Short];

    /// The class of a retrieval of these days, requested on `today`.
    #[must_use]
    pub fn of(window: &Window, today: Date) -> Self {
        if window.first_day() > today - Duration::days(SHORT_DAYS) {
            Self::Short
        } else {
            Self::Long
        }
    }

    /// `long` or `short`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Short => "short",
        }
    }
}

/// How many retrievals a month has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of those that reach back six days or more.
    pub long: u32,
    /// Of those that reach back less.
    pub short: u32,
}

impl Limits {
    /// The limit of a class.
    #[must_use]
    pub fn of(self, class: RetrievalClass) -> u32 {
        match class {
            RetrievalClass::Long => self.long,
            RetrievalClass::Short => self.short,
        }
    }
}

const CUSTOMER: &str = "customer:";

/// Whose retrievals are counted together, and for which of its links one is counted. Its text is
/// the middle of a counter's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaHolder {
    text: String,
    link: LinkId,
}

impl QuotaHolder {
    /// All links of a customer at a bank, by Belvo's `institution_user_id`.
    #[must_use]
    pub fn customer(institution_user_id: &str, link: LinkId) -> Self {
        // Hashed, because it outlives the erasure of a link's rows.
        let digest = hex::encode(Sha256::digest(institution_user_id));
        Self {
            text: format!("{CUSTOMER}{digest}"),
            link,
        }
    }

    /// `customer` or `link`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        Self::kind_of(&self.text)
    }

    /// The same of its text.
    #[must_use]
    pub fn kind_of(text: &str) -> &'static str {
        if text.starts_with(CUSTOMER) {
            "customer"
        } else {
            "link"
        }
    }

    /// The link for which a retrieval is counted.
    #[must_use]
    pub fn link(&self) -> &LinkId {
        &self.link
    }
}

impl From<&LinkId> for QuotaHolder {
    fn from(link: &LinkId) -> Self {
        Self {
            text: link.to_string(),
            link: link.clone(),
        }
    }
}

impl fmt::Display for QuotaHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A calendar month in UTC. Belvo does not say in which time zone its months begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaMonth {
    year: i32,
    month: CalendarMonth,
}

impl QuotaMonth {
    /// The month of an instant.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        let day = at.day();
        Self {
            year: day.year(),
            month: day.month(),
        }
    }

    /// Reads `YYYY-MM`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let first = parse_date(&format!("{text}-01"))?;
        Some(Self {
            year: first.year(),
            month: first.month(),
        })
    }

    /// Whether Belvo's month may still be the one before ours at this instant.
    fn may_be_the_one_before(at: Timestamp) -> bool {
        let begins_at = Timestamp::parse(&format!("{}-01T00:00:00Z", Self::of(at).text()));
        begins_at.is_some_and(|begins_at| at < begins_at.plus_seconds(MONTHS_APART_S))
    }

    /// `YYYY-MM`.
    #[must_use]
    pub fn text(self) -> String {
        format!("{:04}-{:02}", self.year, u8::from(self.month))
    }

    /// When the next month begins, with new counters.
    #[must_use]
    pub fn ends_at(self) -> Option<Timestamp> {
        let year = if self.month == CalendarMonth::December {
            self.year + 1
        } else {
            self.year
        };
        Timestamp::parse(&format!(
            "{year:04}-{:02}-01T00:00:00Z",
            u8::from(self.month.next())
        ))
    }
}

/// A class that Belvo has refused, whatever was counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub at: Timestamp,
    /// Until when nothing is sent.
    pub closed_until: Timestamp,
}

impl Refusal {
    /// A refusal at `at`, after an earlier one of the same month. Belvo counts in ways that are not
    /// documented, so the class is not closed for the month: Belvo is asked again after an hour,
    /// and after twice as long each time that it still refuses, up to a day. While its month may
    /// be another one than ours, after an hour each time. What was sent before the class was
    /// closed, and is refused too, says nothing new.
    #[must_use]
    pub fn after(earlier: Option<Self>, at: Timestamp) -> Self {
        let pause_s = match earlier {
            Some(earlier) if at < earlier.closed_until => return earlier,
            Some(earlier) if !QuotaMonth::may_be_the_one_before(at) => earlier.next_pause_s(at),
            _ => FIRST_PAUSE_S,
        };
        Self {
            at,
            closed_until: at.plus_seconds(pause_s),
        }
    }

    fn next_pause_s(self, at: Timestamp) -> i64 {
        let pause_s = self.closed_until.unix_seconds() - self.at.unix_seconds();
        if at < self.closed_until.plus_seconds(pause_s) {
            LONGEST_PAUSE_S.min(2 * pause_s)
        } else {
            FIRST_PAUSE_S
        }
    }
}

/// What is left of a class in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quota {
    pub class: RetrievalClass,
    /// How many there are in a month.
    pub limit: u32,
    /// How many were sent to Belvo.
    pub used: u32,
    /// How many may be sent now; none for a while after Belvo has refused one, whatever was counted
    /// here.
    pub left: u32,
    /// Until when nothing is sent because Belvo has refused one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_until: Option<Timestamp>,
    /// When the full limit is available again.
    pub resets_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_retrieval_of_less_than_six_days_is_short() {
        let today = date!(2026 - 03 - 10);
        let class =
            |from| RetrievalClass::of(&Window::parse(from, "2026-03-10", today).unwrap(), today);
        assert_eq!(class("2026-03-10"), RetrievalClass::Short);
        assert_eq!(class("2026-03-05"), RetrievalClass::Short);
        assert_eq!(class("2026-03-04"), RetrievalClass::Long);
        assert_eq!(class("2025-03-11"), RetrievalClass::Long);
    }

    #[test]
    fn every_class_has_a_name_and_a_limit() {
        let limits = Limits {
            long: 8,
            short: 240,
        };
        let shown = RetrievalClass::ALL.map(|class| (class.name(), limits.of(class)));
        assert_eq!(shown, [("long", 8), ("short", 240)]);
    }

    #[test]
    fn a_customer_is_counted_under_a_digest_and_a_link_under_its_id() {
        let link = LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap();
        let alone = QuotaHolder::from(&link);
        assert_eq!(
            (alone.kind(), alone.to_string()),
            ("link", link.to_string())
        );

        let customer = QuotaHolder::customer("52998224725", link.clone());
        let text = customer.to_string();
        assert_eq!((customer.kind(), customer.link()), ("customer", &link));
        assert_eq!(text.len(), "customer:".len() + 64);
        assert!(!text.contains("52998224725"));
    }

    fn refused(times: &[&str]) -> String {
        let at = |text: &&str| Timestamp::parse(text).unwrap();
        let last = times
            .iter()
            .map(at)
            .fold(None, |earlier, at| Some(Refusal::after(earlier, at)));
        last.unwrap().closed_until.to_string()
    }

    #[test]
    fn belvo_is_asked_again_after_hours_that_double_up_to_a_day() {
        let noon = "2026-03-10T12:00:00Z";
        assert_eq!(refused(&[noon]), "2026-03-10T13:00:00.000Z");
        let again = [noon, "2026-03-10T13:00:00Z", "2026-03-10T15:30:00Z"];
        assert_eq!(refused(&again[..2]), "2026-03-10T15:00:00.000Z");
        assert_eq!(refused(&again), "2026-03-10T19:30:00.000Z");
        assert_eq!(
            refused(&[noon, "2026-03-10T12:00:00Z"]),
            "2026-03-10T13:00:00.000Z",
            "the same refusal, told again"
        );
        assert_eq!(
            refused(&[noon, "2026-03-10T14:00:00Z"]),
            "2026-03-10T15:00:00.000Z",
            "Belvo has accepted some in between"
        );
        assert_eq!(
            refused(&[noon, "2026-03-10T12:00:01Z", "2026-03-10T12:30:00Z"]),
            "2026-03-10T13:00:00.000Z",
            "sent before the class was closed"
        );
        let mut refusal = Refusal::after(None, Timestamp::parse(noon).unwrap());
        for _ in 0..9 {
            refusal = Refusal::after(Some(refusal), refusal.closed_until);
        }
        let pause_s = refusal.closed_until.seconds_since(refusal.at);
        assert_eq!(pause_s, 24 * 60 * 60, "a day at most");
    }

    #[test]
    fn a_refusal_that_may_be_about_the_month_before_closes_this_one_for_an_hour() {
        let first_hours = [
            "2026-03-01T00:10:00Z",
            "2026-03-01T01:20:00Z",
            "2026-03-01T02:30:00Z",
        ];
        assert_eq!(refused(&first_hours), "2026-03-01T03:30:00.000Z");
        let half_a_day_later = ["2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"];
        assert_eq!(refused(&half_a_day_later), "2026-03-01T14:00:00.000Z");
    }

    #[test]
    fn a_month_is_read_as_it_is_written() {
        let month = |text| QuotaMonth::parse(text).map(QuotaMonth::text);
        assert_eq!(month("2026-02").as_deref(), Some("2026-02"));
        for text in [
            "",
            "2026",
            "2026-2",
            "2026-13",
            "2026-02-01",
            "26-02",
            "2026-02\n",
        ] {
            assert_eq!(month(text), None, "{text}");
        }
    }

    #[test]
    fn a_month_ends_with_the_first_instant_of_the_next() {
        let ends = |at: &str| {
            let month = QuotaMonth::of(Timestamp::parse(at).unwrap());
            (month.text(), month.ends_at().unwrap().to_string())
        };
        let expected = ("2026-02".to_owned(), "2026-03-01T00:00:00.000Z".to_owned());
        assert_eq!(ends("2026-02-28T23:59:59.999Z"), expected);
        assert_eq!(ends("2026-12-01T00:00:00Z").1, "2027-01-01T00:00:00.000Z");
    }
}
