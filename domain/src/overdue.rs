//! What happens to a retrieval without a webhook, or with fewer rows than Belvo says there are:
//! when it is checked, what a fetch means, and when it ends.

use crate::{Facts, Status, Timestamp};

/// When a short fetch is repeated, in seconds after the first one that was short; once more when a
/// request without a webhook would expire. The first repetition is sooner
/// ([`Outcome::Short`]).
const REPEATED_AFTER_S: [u64; 2] = [5 * 60, 60 * 60];

/// How long a request may go unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Seconds after which it is checked.
    pub due_s: u32,
    /// Seconds after which it expires if Belvo has no rows for it, or is incomplete if Belvo has
    /// fewer than it says there are.
    pub expires_s: u32,
}

/// What a sweep does with a request that is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SweepDecision {
    /// It queues a check. The request is due again at `next`, whatever happens to the message.
    Check { next: Timestamp },
    /// It expires the request.
    Expire,
    /// It ends the request as incomplete.
    EndIncomplete,
    /// The request has ended, and is no longer due.
    Forget,
}

/// What to do with the check of an overdue request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverdueCheck {
    /// Fetch its rows: Belvo may have them, and only the webhook may be lost.
    Fetch,
    /// Do nothing, now or later: the request has ended.
    Forget,
    /// Do nothing: a later check is due.
    Superseded,
}

/// What a fetch found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchResult {
    pub rows: u64,
    /// Rows that were new or had changed.
    pub changed: u64,
    /// Rows that Belvo says there are and that are not stored.
    pub missing: u64,
    /// Of them, those that cannot be stored.
    pub unstored: u64,
}

/// What a fetch means for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is collected.
    Collected,
    /// Belvo is not done; it is checked again at `next`.
    Wait { next: Timestamp },
    /// Fewer rows are stored than Belvo says there are. They are fetched again at `next`; the first
    /// time (`is_first`) also within seconds, since a webhook may be ahead of the listing.
    Short { next: Timestamp, is_first: bool },
    /// They have stayed fewer for long enough, or are rows that cannot be stored.
    Incomplete,
    /// It has waited long enough.
    Expired,
}

impl Facts {
    /// What a sweep does with a request once it is due. Its checks may never be processed, as when
    /// each one crashes the function: after twice `expires_s` the request ends without a check.
    #[must_use]
    pub fn sweep(&self, now: Timestamp, deadlines: Deadlines) -> SweepDecision {
        let last_seen_at = self.issued_at.max(self.announced_at()).max(self.short_at);
        let age_s = last_seen_at.map_or(0, |at| now.seconds_since(at));

        if age_s < 2 * u64::from(deadlines.expires_s) {
            SweepDecision::Check {
                next: now.plus_seconds(deadlines.due_s.into()),
            }
        } else if self.is_short() {
            SweepDecision::EndIncomplete
        } else if self.status().is_terminal() {
            SweepDecision::Forget
        } else {
            SweepDecision::Expire
        }
    }

    /// What to do with the check whose sweep made the request due again at `next`. A request whose
    /// message was dead-lettered is retried when the message is moved back.
    #[must_use]
    pub fn overdue_check(&self, next: Timestamp) -> OverdueCheck {
        let dead_lettered = self.status() == Status::Failed && self.gave_up;

        if self.status().is_terminal() && !dead_lettered && !self.is_short() {
            OverdueCheck::Forget
        } else if self.due_at.is_some_and(|due_at| due_at != next) {
            OverdueCheck::Superseded
        } else {
            OverdueCheck::Fetch
        }
    }

    /// What a fetch means for a request. Once Belvo has announced the rows, the fetch is final,
    /// unless it is short.
    ///
    /// Until then (`unannounced`) a fetch shows that Belvo is done only if it returns something new
    /// ("Making requests before receiving the webhook (GET or POST) will return empty or incomplete
    /// results", `fetch_resources` in Belvo's OpenAPI). Otherwise it is repeated, each time after
    /// twice as long, until the request would expire; then rows that were already stored count as
    /// its rows.
    #[must_use]
    pub fn outcome(
        &self,
        result: FetchResult,
        unannounced: bool,
        now: Timestamp,
        deadlines: Deadlines,
    ) -> Outcome {
        let is_announced = !unannounced || self.announced_at().or(self.short_at).is_some();
        if is_announced || result.changed > 0 {
            return self.end(result, now, deadlines);
        }

        let (age_s, expires_s) = (self.age_s(now), u64::from(deadlines.expires_s));
        if age_s < expires_s {
            let wait_s = age_s.max(deadlines.due_s.into()).min(expires_s - age_s);
            Outcome::Wait {
                next: later(now, wait_s),
            }
        } else if result.rows > 0 {
            self.end(result, now, deadlines)
        } else {
            Outcome::Expired
        }
    }

    /// What a fetch means once Belvo has the rows.
    fn end(&self, result: FetchResult, now: Timestamp, deadlines: Deadlines) -> Outcome {
        if result.missing == 0 {
            return Outcome::Collected;
        }
        if result.missing <= result.unstored {
            return Outcome::Incomplete;
        }
        // What Belvo announces after it ended as incomplete is fetched as often as before.
        let is_first = !self.is_short();
        let since = self.short_at.filter(|_| !is_first).unwrap_or(now);
        let (short_s, most_s) = (now.seconds_since(since), u64::from(deadlines.expires_s));
        let earlier = REPEATED_AFTER_S.into_iter().filter(|s| *s < most_s);
        match earlier.chain([most_s]).find(|after_s| short_s < *after_s) {
            Some(after_s) => Outcome::Short {
                next: later(since, after_s),
                is_first,
            },
            None => Outcome::Incomplete,
        }
    }

    /// Seconds since it was issued.
    #[must_use]
    pub fn age_s(&self, now: Timestamp) -> u64 {
        let since = self.issued_at.or(self.announced_at());
        since.map_or(0, |since| now.seconds_since(since))
    }
}

fn later(at: Timestamp, seconds: u64) -> Timestamp {
    at.plus_seconds(seconds.try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;
    use crate::timestamp::at;

    const DEADLINES: Deadlines = Deadlines {
        due_s: 1_800,
        expires_s: 86_400,
    };
    const NOTHING: FetchResult = FetchResult {
        rows: 0,
        changed: 0,
        missing: 0,
        unstored: 0,
    };

    fn issued() -> Facts {
        let mut facts = Facts::default();
        facts.take(Step::Issued { due_at: at(1_800) }, at(0));
        facts
    }

    fn check(second: i64) -> SweepDecision {
        SweepDecision::Check { next: at(second) }
    }

    fn wait(second: i64) -> Outcome {
        Outcome::Wait { next: at(second) }
    }

    #[test]
    fn a_fetch_without_news_is_repeated_after_twice_as_long_until_the_request_expires() {
        let outcome = |result, second| issued().outcome(result, true, at(second), DEADLINES);
        assert_eq!(outcome(NOTHING, 2_000), wait(4_000));
        assert_eq!(
            outcome(NOTHING, 60_000),
            wait(86_400),
            "not beyond its time"
        );
        assert_eq!(outcome(NOTHING, 86_400), Outcome::Expired);

        let known = FetchResult { rows: 5, ..NOTHING };
        assert_eq!(outcome(known, 2_000), wait(4_000));
        assert_eq!(outcome(known, 86_400), Outcome::Collected);

        let new = FetchResult {
            rows: 5,
            changed: 1,
            ..NOTHING
        };
        assert_eq!(outcome(new, 2_000), Outcome::Collected);
        let announced = issued().outcome(NOTHING, false, at(2_000), DEADLINES);
        assert_eq!(announced, Outcome::Collected, "it answers a webhook");
    }

    #[test]
    fn a_short_fetch_is_repeated_after_minutes_an_hour_and_a_day_and_then_incomplete() {
        let mut facts = issued();
        facts.take(Step::Notified { due_at: at(1_860) }, at(60));
        let short = FetchResult {
            rows: 5,
            missing: 2,
            ..NOTHING
        };
        let outcome = |facts: &Facts, second| facts.outcome(short, false, at(second), DEADLINES);
        let again = |second, is_first| Outcome::Short {
            next: at(second),
            is_first,
        };
        assert_eq!(outcome(&facts, 100), again(400, true));
        facts.take(
            Step::Short {
                due_at: at(400),
                is_first: true,
            },
            at(100),
        );
        assert_eq!(outcome(&facts, 115), again(400, false));
        assert_eq!(outcome(&facts, 400), again(3_700, false));
        assert_eq!(outcome(&facts, 4_000), again(86_500, false));
        assert_eq!(outcome(&facts, 86_500), Outcome::Incomplete);
        facts.take(Step::Incomplete, at(86_500));
        assert_eq!(
            outcome(&facts, 90_000),
            again(90_300, true),
            "announced again, after it ended"
        );
        assert_eq!(
            facts.outcome(NOTHING, true, at(400), DEADLINES),
            Outcome::Collected,
            "a check that finds nothing missing"
        );
    }

    #[test]
    fn rows_that_cannot_be_stored_do_not_come_later() {
        let left_out = |missing| FetchResult {
            rows: 5,
            missing,
            unstored: 1,
            ..NOTHING
        };
        let outcome = |missing| issued().outcome(left_out(missing), false, at(60), DEADLINES);
        assert_eq!(outcome(1), Outcome::Incomplete);
        assert!(matches!(outcome(2), Outcome::Short { .. }));
    }

    #[test]
    fn a_short_request_is_checked_even_if_it_had_ended_and_ends_although_no_check_is_processed() {
        let mut facts = issued();
        facts.take(Step::Collected, at(100));
        facts.take(
            Step::Short {
                due_at: at(500),
                is_first: true,
            },
            at(200),
        );
        assert_eq!(facts.overdue_check(at(500)), OverdueCheck::Fetch);
        assert_eq!(facts.sweep(at(172_999), DEADLINES), check(174_799));
        let end = facts.sweep(at(173_000), DEADLINES);
        assert_eq!(end, SweepDecision::EndIncomplete);
        facts.take(Step::Incomplete, at(173_000));
        assert_eq!(facts.overdue_check(at(500)), OverdueCheck::Forget);
    }

    #[test]
    fn a_request_whose_checks_are_never_processed_ends_at_twice_its_time() {
        assert_eq!(issued().sweep(at(172_799), DEADLINES), check(174_599));
        assert_eq!(
            issued().sweep(at(172_800), DEADLINES),
            SweepDecision::Expire
        );

        let mut late = issued();
        late.take(
            Step::Notified {
                due_at: at(102_000),
            },
            at(100_000),
        );
        assert_eq!(
            late.sweep(at(172_800), DEADLINES),
            check(174_600),
            "its webhook has arrived since"
        );
        late.take(Step::Collected, at(172_000));
        assert_eq!(late.sweep(at(272_800), DEADLINES), SweepDecision::Forget);
    }

    #[test]
    fn only_the_latest_check_of_a_request_that_has_not_ended_fetches() {
        assert_eq!(issued().overdue_check(at(1_800)), OverdueCheck::Fetch);
        assert_eq!(issued().overdue_check(at(900)), OverdueCheck::Superseded);

        let mut ended = issued();
        ended.take(Step::Failed { gave_up: true }, at(2_000));
        let moved_back = ended.overdue_check(at(900));
        assert_eq!(
            moved_back,
            OverdueCheck::Fetch,
            "from the dead-letter queue"
        );
        ended.take(Step::Collected, at(3_000));
        assert_eq!(ended.overdue_check(at(900)), OverdueCheck::Forget);
    }
}
