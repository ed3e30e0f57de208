//! What was counted and measured, as it is kept for the record.

use std::{collections::BTreeMap, process::Command, time::Duration};

use serde::{Deserialize, Serialize};

/// What became of one load of webhooks.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Load {
    pub(crate) run: Run,
    pub(crate) links: usize,
    pub(crate) webhooks: u64,
    pub(crate) at_once: usize,
    /// Deliveries that were not acknowledged, and so made again.
    pub(crate) redelivered: u64,
    /// Acknowledged webhooks that were delivered once more all the same.
    pub(crate) repeated: u64,
    /// From a delivery to its acknowledgement.
    pub(crate) acknowledgement: Times,
    /// From the first delivery of a webhook to its acknowledgement, redeliveries included.
    pub(crate) with_redeliveries: Times,
    /// Webhooks of which the end was looked for, those of the fake Belvo's own included.
    pub(crate) accounted_for: usize,
    /// Transactions that were compared with Belvo's.
    pub(crate) rows: usize,
    /// Changes at the bank that a webhook announced.
    pub(crate) changes: u64,
    /// Dead letters that were processed again.
    pub(crate) redriven: usize,
    /// How often the consumer was stopped midway.
    pub(crate) interrupted: u32,
    /// How often a function was killed.
    pub(crate) kills: u64,
    /// What went wrong besides; nothing where another Lambda ran the functions.
    pub(crate) troubles: Troubles,
    pub(crate) sent_in_s: u64,
    /// Until nothing was in the queue any more.
    pub(crate) processed_in_s: u64,
    pub(crate) checked_in_s: u64,
}

/// Where and when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) processors: usize,
    /// The day, as in RFC 3339.
    pub(crate) day: String,
    /// Of the checkout.
    pub(crate) commit: String,
}

/// The distribution of times, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// What went wrong on purpose, and what the functions made of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Troubles {
    /// By function.
    pub(crate) functions: BTreeMap<String, Invocations>,
    pub(crate) queue: QueueFailures,
}

/// What Lambda did with a function.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invocations {
    pub(crate) events: u64,
    pub(crate) cold_starts: u64,
    /// The most environments at once.
    pub(crate) environments: u64,
    /// Kills that left an invocation without an answer.
    pub(crate) killed_midway: u64,
    /// Kills just after an answer.
    pub(crate) killed_after: u64,
    pub(crate) timed_out: u64,
    /// Ended by itself, did not start, or answered with an error: never, in a good run.
    pub(crate) failed: u64,
}

/// How often the queue failed a message.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueFailures {
    pub(crate) refused: u64,
    /// Stored, and answered with an error all the same.
    pub(crate) stored: u64,
}

/// One environment that was given many events, one after the other.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment {
    pub(crate) function: String,
    pub(crate) invocations: u64,
    /// After how many of them it was first looked at.
    pub(crate) warm_up: u64,
    pub(crate) warm_kib: u64,
    /// The most memory afterwards.
    pub(crate) most_kib: u64,
    pub(crate) last_kib: u64,
    pub(crate) warm_files: usize,
    /// The most file descriptors afterwards.
    pub(crate) most_files: usize,
    pub(crate) took_s: u64,
}

impl Run {
    /// One that begins now.
    pub(crate) fn now(seed: u64) -> Self {
        Self {
            seed,
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            day: time::OffsetDateTime::now_utc().date().to_string(),
            commit: commit().unwrap_or_default(),
        }
    }
}

/// What is checked out; `None` where there is no git.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    let head = git.args(["rev-parse", "--short", "HEAD"]).output().ok()?;
    Some(String::from_utf8(head.stdout).ok()?.trim().to_owned())
}

impl Troubles {
    /// How often a function was killed.
    pub(crate) fn kills(&self) -> u64 {
        let all = self.functions.values();
        all.map(|one| one.killed_midway + one.killed_after).sum()
    }
}

impl Times {
    /// Of all these; zero if there are none.
    pub(crate) fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let at = |per_cent: usize| {
            let rank = (all.len() * per_cent).div_ceil(100).max(1);
            all.get(rank - 1)
                .map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self {
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

impl Environment {
    /// By how much its memory has grown at most, in KiB.
    pub(crate) fn growth_kib(&self) -> u64 {
        self.most_kib.saturating_sub(self.warm_kib)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = Times::of((1..=200).rev().map(Duration::from_millis).collect());
        let expected = Times {
            p50: 100.0,
            p99: 198.0,
            max: 200.0,
        };
        assert_eq!(times, expected);
        assert_eq!(Times::of(vec![]), Times::default());
    }
}
