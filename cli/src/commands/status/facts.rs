//! What `status` knows: the facts of now, and what the functions logged in the last hour.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde::Serialize;

use crate::{
    api::{Link, Request},
    commands::spend::SpendReport,
    logs::Line,
};

/// The events that are counted.
pub(crate) const EVENTS: [&str; 5] = [
    "webhook_queued",
    "webhook_refused",
    "belvo_answers",
    "rows_collected",
    "readings_due",
];

/// The facts of a stack.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Facts {
    pub(crate) stack: String,
    pub(crate) at: Timestamp,
    pub(crate) queue: Option<Queue>,
    pub(crate) dead_letters: Option<u64>,
    pub(crate) links: Links,
    /// Requests that have not moved for longer than they should.
    pub(crate) stuck: Vec<Request>,
    pub(crate) spent: Spent,
    pub(crate) last_hour: Option<LastHour>,
    /// What could not be read, and why.
    pub(crate) unread: Vec<Unread>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Unread {
    pub(crate) what: &'static str,
    pub(crate) why: String,
}

/// The messages that wait to be processed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Queue {
    pub(crate) waiting: u64,
    pub(crate) in_flight: u64,
    /// Age of the oldest, as CloudWatch last saw it.
    pub(crate) oldest_s: Option<u64>,
    /// The age that raises an alarm.
    pub(crate) alarm_s: u64,
}

/// Links that are not as they should be.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Links {
    /// How many are blocked, by reason.
    pub(crate) blocked: BTreeMap<String, usize>,
    /// Those without a webhook for two refreshes.
    pub(crate) stale: Vec<String>,
}

/// What was spent of this month's retrievals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Spent {
    pub(crate) month: String,
    pub(crate) long: u32,
    pub(crate) short: u32,
    pub(crate) customers: usize,
    /// Customers that have none of a class left.
    pub(crate) exhausted: usize,
}

/// What the functions logged in the last hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct LastHour {
    pub(crate) webhooks_accepted: u64,
    /// By problem, such as `unauthorized`.
    pub(crate) webhooks_refused: BTreeMap<String, u64>,
    /// Collections, by what led to them.
    pub(crate) collections: BTreeMap<String, u64>,
    /// From a webhook to its rows, stored.
    pub(crate) stored_after_ms: Option<Delay>,
    /// Belvo's answers, by institution.
    pub(crate) belvo: BTreeMap<String, Answers>,
    /// How late the latest of the links is that should have been read as a whole.
    pub(crate) late_readings_s: u64,
}

/// In milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Delay {
    pub(crate) median: u64,
    pub(crate) p95: u64,
    pub(crate) longest: u64,
}

/// How Belvo answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Answers {
    pub(crate) ok: u64,
    pub(crate) refused: u64,
    pub(crate) rate_limited: u64,
    pub(crate) server_errors: u64,
    pub(crate) unanswered: u64,
}

impl Answers {
    /// Those that say that Belvo, or the bank, cannot answer now.
    #[must_use]
    pub(crate) fn outages(self) -> u64 {
        self.server_errors + self.unanswered
    }

    #[must_use]
    pub(crate) fn all(self) -> u64 {
        self.ok + self.refused + self.rate_limited + self.outages()
    }

    fn add(&mut self, line: &Line) {
        self.ok += line.number("ok");
        self.refused += line.number("refused");
        self.rate_limited += line.number("rate_limited");
        self.server_errors += line.number("server_errors");
        self.unanswered += line.number("unanswered");
    }
}

impl Links {
    pub(crate) fn of(blocked: &[Link], stale: &[Link]) -> Self {
        let mut counts = BTreeMap::new();
        for block in blocked.iter().filter_map(|link| link.blocked.as_ref()) {
            *counts.entry(block.reason.clone()).or_default() += 1;
        }
        Self {
            blocked: counts,
            stale: stale.iter().map(|link| link.id.to_string()).collect(),
        }
    }
}

impl From<SpendReport> for Spent {
    fn from(report: SpendReport) -> Self {
        Self {
            exhausted: report.exhausted(),
            month: report.month,
            long: report.long,
            short: report.short,
            customers: report.customers.len(),
        }
    }
}

impl LastHour {
    /// What these lines, in the order of time, say.
    #[must_use]
    pub(crate) fn of(lines: &[Line]) -> Self {
        let mut hour = Self::default();
        let mut delays = Vec::new();
        for line in lines {
            match line.event.as_str() {
                "webhook_queued" => hour.webhooks_accepted += 1,
                "webhook_refused" => {
                    let problem = line.text("problem").unwrap_or("unknown").to_owned();
                    *hour.webhooks_refused.entry(problem).or_default() += 1;
                }
                "belvo_answers" => {
                    let institution = line.text("institution").unwrap_or("unknown");
                    let answers = hour.belvo.entry(institution.to_owned());
                    answers.or_default().add(line);
                }
                "rows_collected" => {
                    let by = line.text("answered_by").unwrap_or("unknown").to_owned();
                    *hour.collections.entry(by).or_default() += 1;
                    delays.extend(
                        line.fields
                            .get("since_webhook_ms")
                            .and_then(serde_json::Value::as_u64),
                    );
                }
                "readings_due" => hour.late_readings_s = line.number("oldest_s"),
                _ => {}
            }
        }
        hour.stored_after_ms = Delay::of(delays);
        hour
    }
}

impl Delay {
    fn of(mut delays: Vec<u64>) -> Option<Self> {
        delays.sort_unstable();
        // The nearest rank.
        let at = |percent: usize| {
            let rank = (delays.len() * percent).div_ceil(100).max(1);
            delays.get(rank - 1).copied()
        };
        let longest = *delays.last()?;
        Some(Self {
            median: at(50)?,
            p95: at(95)?,
            longest,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::logs::tests::line;

    #[test]
    fn an_hour_of_lines_is_counted() {
        let at = "2026-03-01T00:00:00Z";
        let collected = |ms: u64, by: &str| {
            let fields =
                json!({"event": "rows_collected", "since_webhook_ms": ms, "answered_by": by});
            line(at, "collect", &fields)
        };
        let refused = json!({"event": "webhook_refused", "http.status": 401,
            "problem": "unauthorized"});
        let answers = json!({"event": "belvo_answers", "institution": "bank", "ok": 3,
            "server_errors": 2, "unanswered": 1});
        let hour = LastHour::of(&[
            line(at, "webhook", &json!({"event": "webhook_queued"})),
            line(at, "webhook", &refused),
            line(at, "webhook", &refused),
            line(at, "collect", &answers),
            line(at, "request", &answers),
            collected(100, "webhook"),
            collected(300, "webhook"),
            line(
                at,
                "collect",
                &json!({"event": "rows_collected", "answered_by": "sweep"}),
            ),
            line(
                at,
                "collect",
                &json!({"event": "readings_due", "oldest_s": 12}),
            ),
        ]);
        assert_eq!(hour.webhooks_accepted, 1);
        assert_eq!(hour.webhooks_refused["unauthorized"], 2);
        assert_eq!(
            (hour.collections["webhook"], hour.collections["sweep"]),
            (2, 1)
        );
        let bank = hour.belvo["bank"];
        assert_eq!((bank.ok, bank.outages(), bank.all()), (6, 6, 12));
        let delay = hour.stored_after_ms.unwrap();
        assert_eq!((delay.median, delay.longest), (100, 300));
        assert_eq!(hour.late_readings_s, 12);
    }

    #[test]
    fn an_hour_without_a_line_has_no_delay() {
        assert_eq!(LastHour::of(&[]), LastHour::default());
    }
}
