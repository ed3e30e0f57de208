//! What is wrong, and what to do about it: a pure function over the facts.

use serde::Serialize;

use super::facts::{Facts, LastHour};
use crate::output::age;

/// How late reading links as a whole may be before an alarm rings (`LateReadingsAlarm` in
/// template.yaml).
const LATE_READINGS_S: u64 = 86_400;

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) what: String,
    /// The command that comes next, or what to do.
    pub(crate) next: String,
}

impl Finding {
    fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            next: next.into(),
        }
    }
}

/// Everything that is wrong, worst first.
#[must_use]
pub(crate) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(hour) = &facts.last_hour {
        findings.extend(webhooks(hour));
        findings.extend(belvo(hour));
    }
    findings.extend(dead_letters(facts));
    findings.extend(queue(facts));
    findings.extend(stuck(facts));
    findings.extend(stale(facts));
    findings.extend(spent(facts));
    findings.extend(facts.last_hour.as_ref().and_then(late_readings));
    let unread = facts.unread.iter().map(|unread| {
        let what = format!("{} could not be read: {}", unread.what, unread.why);
        Finding::new(what, "use credentials that may read it")
    });
    findings.extend(unread);
    findings
}

fn webhooks(hour: &LastHour) -> Vec<Finding> {
    let mut findings: Vec<_> = hour
        .webhooks_refused
        .iter()
        .map(|(problem, count)| {
            let what = format!("webhooks refused in the last hour: {count} {problem}");
            Finding::new(what, next_for_refused(problem))
        })
        .collect();
    let collections = |by: &str| hour.collections.get(by).copied().unwrap_or(0);
    let found = collections("sweep") + collections("scrub");
    if found > 0 && hour.webhooks_accepted == 0 {
        let what =
            format!("no webhook was accepted in the last hour; collections without one: {found}");
        findings.push(Finding::new(what, "belvo-ingest secrets check"));
    }
    findings
}

fn next_for_refused(problem: &str) -> &'static str {
    match problem {
        "unauthorized" => "belvo-ingest secrets check",
        "forbidden-address" => "compare AllowedSourceIps with the addresses that Belvo publishes",
        "unavailable" => "belvo-ingest secrets check; Belvo delivers these again",
        _ => "look in the log of webhook for the event webhook_refused; is it Belvo that calls?",
    }
}

/// Belvo or a bank is down where at least half of the answers say so.
fn belvo(hour: &LastHour) -> Vec<Finding> {
    let down = hour
        .belvo
        .iter()
        .filter(|(_, answers)| answers.outages() > 0 && answers.outages() * 2 >= answers.all());
    let mut findings: Vec<_> = down
        .map(|(institution, answers)| {
            let what = format!(
                "Belvo did not answer, or with a server error, {} of {} calls about {institution}",
                answers.outages(),
                answers.all()
            );
            Finding::new(
                what,
                "nothing: every call is repeated by itself; see Belvo's status page",
            )
        })
        .collect();
    let limited: u64 = hour
        .belvo
        .values()
        .map(|answers| answers.rate_limited)
        .sum();
    if limited > 0 {
        let what = format!("Belvo refused {limited} calls because there were too many");
        let next =
            "lower CollectCallsPer30Seconds, or does another program call from this address?";
        findings.push(Finding::new(what, next));
    }
    findings
}

fn dead_letters(facts: &Facts) -> Option<Finding> {
    let count = facts.dead_letters.filter(|count| *count > 0)?;
    let what = format!("dead letters: {count}");
    Some(Finding::new(what, "belvo-ingest dead-letters list"))
}

fn queue(facts: &Facts) -> Option<Finding> {
    let queue = facts.queue?;
    let oldest_s = queue.oldest_s.filter(|age| *age > queue.alarm_s)?;
    let what = format!(
        "the oldest message has waited for {}; {} wait",
        age(oldest_s),
        queue.waiting
    );
    Some(Finding::new(
        what,
        "raise CollectConcurrency, unless Belvo is slow, or messages are retried",
    ))
}

fn stuck(facts: &Facts) -> Option<Finding> {
    let count = facts.stuck.len();
    let what = format!("requests that have not moved for longer than they should: {count}");
    (count > 0).then(|| Finding::new(what, "belvo-ingest stuck"))
}

fn stale(facts: &Facts) -> Option<Finding> {
    let count = facts.links.stale.len();
    let what = format!("links without a webhook for two refreshes: {count}");
    (count > 0).then(|| Finding::new(what, "belvo-ingest collect --stale --wait"))
}

fn spent(facts: &Facts) -> Option<Finding> {
    let count = facts.spent.exhausted;
    let what = format!("customers without a retrieval of a class left this month: {count}");
    (count > 0).then(|| Finding::new(what, "belvo-ingest spend"))
}

fn late_readings(hour: &LastHour) -> Option<Finding> {
    let late = hour.late_readings_s;
    let what = format!(
        "links that were to be read as a whole are {} late",
        age(late)
    );
    let next = "raise CollectConcurrency or ScrubDays, once the queue is short";
    (late > LATE_READINGS_S).then(|| Finding::new(what, next))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use domain::Timestamp;
    use serde_json::json;

    use super::{
        super::facts::{Answers, Links, Queue, Spent, Unread},
        *,
    };
    use crate::commands::request::tests::request;

    /// A stack of which nothing is wrong.
    pub(in super::super) fn healthy() -> Facts {
        Facts {
            stack: "belvo-ingest".to_owned(),
            at: Timestamp::parse("2026-03-01T00:00:00Z").unwrap(),
            queue: Some(Queue {
                alarm_s: 3_600,
                ..Queue::default()
            }),
            dead_letters: Some(0),
            links: Links::default(),
            stuck: Vec::new(),
            spent: Spent::default(),
            last_hour: Some(LastHour {
                webhooks_accepted: 5,
                ..LastHour::default()
            }),
            unread: Vec::new(),
        }
    }

    fn only(facts: &Facts) -> Finding {
        let mut found = findings(facts);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    fn in_the_hour(change: impl FnOnce(&mut LastHour)) -> Facts {
        let mut facts = healthy();
        change(facts.last_hour.as_mut().unwrap());
        facts
    }

    #[test]
    fn nothing_is_found_where_nothing_is_wrong() {
        assert_eq!(findings(&healthy()), []);
    }

    #[test]
    fn refused_webhooks_are_found_by_reason() {
        let refused = |problem: &str| {
            in_the_hour(|hour| {
                hour.webhooks_refused = BTreeMap::from([(problem.to_owned(), 7)]);
            })
        };
        let finding = only(&refused("unauthorized"));
        assert_eq!(
            finding.what,
            "webhooks refused in the last hour: 7 unauthorized"
        );
        assert_eq!(finding.next, "belvo-ingest secrets check");
        assert!(
            only(&refused("forbidden-address"))
                .next
                .contains("AllowedSourceIps")
        );
    }

    #[test]
    fn webhooks_that_do_not_arrive_are_found_by_what_the_sweep_finds() {
        let facts = in_the_hour(|hour| {
            hour.webhooks_accepted = 0;
            hour.collections = BTreeMap::from([("sweep".to_owned(), 3)]);
        });
        assert!(only(&facts).what.contains("collections without one: 3"));
        let arriving = in_the_hour(|hour| {
            hour.collections = BTreeMap::from([("sweep".to_owned(), 3)]);
        });
        assert_eq!(findings(&arriving), []);
    }

    #[test]
    fn a_bank_is_down_where_half_of_the_answers_say_so() {
        let answered = |ok, server_errors| {
            in_the_hour(|hour| {
                let answers = Answers {
                    ok,
                    server_errors,
                    ..Answers::default()
                };
                hour.belvo = BTreeMap::from([("bank".to_owned(), answers)]);
            })
        };
        assert!(
            only(&answered(3, 3))
                .what
                .ends_with("3 of 6 calls about bank")
        );
        assert_eq!(findings(&answered(4, 3)), []);
        assert_eq!(findings(&answered(0, 0)), []);
    }

    #[test]
    fn calls_that_belvo_limits_are_found() {
        let facts = in_the_hour(|hour| {
            let answers = Answers {
                ok: 9,
                rate_limited: 1,
                ..Answers::default()
            };
            hour.belvo = BTreeMap::from([("bank".to_owned(), answers)]);
        });
        assert!(only(&facts).next.contains("CollectCallsPer30Seconds"));
    }

    #[test]
    fn what_waits_too_long_is_found() {
        let queue = Queue {
            waiting: 9,
            oldest_s: Some(7_300),
            alarm_s: 3_600,
            in_flight: 1,
        };
        let facts = Facts {
            queue: Some(queue),
            ..healthy()
        };
        assert_eq!(
            only(&facts).what,
            "the oldest message has waited for 2 h; 9 wait"
        );
        let facts = Facts {
            dead_letters: Some(2),
            ..healthy()
        };
        assert_eq!(only(&facts).next, "belvo-ingest dead-letters list");
        let facts = Facts {
            stuck: vec![request(&json!({}))],
            ..healthy()
        };
        assert_eq!(only(&facts).next, "belvo-ingest stuck");
        let links = Links {
            stale: vec!["l".to_owned()],
            ..Links::default()
        };
        let facts = Facts { links, ..healthy() };
        assert_eq!(only(&facts).next, "belvo-ingest collect --stale --wait");
        let spent = Spent {
            exhausted: 2,
            ..Spent::default()
        };
        let facts = Facts { spent, ..healthy() };
        assert_eq!(only(&facts).next, "belvo-ingest spend");
        let facts = in_the_hour(|hour| hour.late_readings_s = 90_000);
        assert!(only(&facts).what.contains("25 h late"));
    }

    #[test]
    fn blocked_links_wait_for_their_users_and_not_for_an_operator() {
        let blocked = BTreeMap::from([("token_required".to_owned(), 4)]);
        let links = Links {
            blocked,
            ..Links::default()
        };
        assert_eq!(findings(&Facts { links, ..healthy() }), []);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_fine() {
        let unread = vec![Unread {
            what: "the logs",
            why: "denied".to_owned(),
        }];
        let facts = Facts {
            unread,
            ..healthy()
        };
        assert_eq!(only(&facts).what, "the logs could not be read: denied");
    }
}
