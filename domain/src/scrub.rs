//! When each link is read again as a whole, whatever webhooks said of it.

use uuid::Uuid;

use crate::{LinkId, Timestamp};

const DAY_S: i64 = 24 * 60 * 60;

/// How often each link is read as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubPeriod {
    days: u32,
}

impl ScrubPeriod {
    /// Once in this many days; never if 0.
    #[must_use]
    pub const fn of_days(days: u32) -> Self {
        Self { days }
    }

    /// The next time at which a link is to be read as a whole, less than a period after `now`;
    /// `None` if none ever is. Each link has its own time within the period, so that links which
    /// were connected together are not read together.
    #[must_use]
    pub fn next(self, link: &LinkId, now: Timestamp) -> Option<Timestamp> {
        let period_s = i64::from(self.days) * DAY_S;
        if period_s == 0 {
            return None;
        }
        let spread = Uuid::parse_str(link.as_str()).map_or(0, |id| id.as_u128());
        let own_s = i64::try_from(spread % u128::from(period_s.unsigned_abs())).unwrap_or(0);
        let since_s = (now.unix_seconds() - own_s).rem_euclid(period_s);
        Some(now.to_second().plus_seconds(period_s - since_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(id: u128) -> LinkId {
        LinkId::parse(&Uuid::from_u128(id).to_string()).unwrap()
    }

    fn noon() -> Timestamp {
        Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
    }

    #[test]
    fn a_link_is_read_once_in_a_period_at_a_time_of_its_own() {
        let period = ScrubPeriod::of_days(7);
        for id in 0..1_000 {
            let link = link(id * 7_919_000_000_000_007);
            let first = period.next(&link, noon()).unwrap();
            assert!(first > noon() && first <= noon().plus_seconds(7 * DAY_S));
            let just_before = first.plus_seconds(-1);
            assert_eq!(period.next(&link, just_before), Some(first));
            let second = period.next(&link, first).unwrap();
            assert_eq!(second, first.plus_seconds(7 * DAY_S));
        }
    }

    #[test]
    fn a_period_has_days_of_a_whole_day() {
        let week_s = 604_800;
        let first = ScrubPeriod::of_days(7).next(&link(week_s), noon()).unwrap();
        assert_eq!(
            first.unix_seconds() % 604_800,
            0,
            "the first second of the period"
        );
        let later = ScrubPeriod::of_days(7).next(&link(week_s + 5), noon());
        assert_eq!(later, Some(first.plus_seconds(5)));
    }

    #[test]
    fn links_are_spread_over_the_period() {
        let period = ScrubPeriod::of_days(7);
        let mut of_day = [0; 7];
        for _ in 0..7_000 {
            let next = period.next(&link(Uuid::new_v4().as_u128()), noon());
            let day = (next.unwrap().seconds_since(noon()) - 1) / DAY_S.unsigned_abs();
            of_day[usize::try_from(day).unwrap()] += 1;
        }
        assert!(of_day.iter().all(|links| *links > 700), "{of_day:?}");
    }

    #[test]
    fn a_period_of_no_days_switches_it_off() {
        assert_eq!(ScrubPeriod::of_days(0).next(&link(1), noon()), None);
    }
}
