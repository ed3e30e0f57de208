//! The state at an instant: at Belvo, in transit, in the queue and in the Requests table.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use domain::{Facts, FetchResult, Intent, Resolution, SweepDecision, Timestamp};
use shared::queue::TaskKind;

/// The seconds at which something may happen: the beginning of every half hour, and one minute
/// later, by when every sending attempt is over.
const HALF_AN_HOUR_S: i64 = 1_800;
pub(crate) const A_MINUTE_S: i64 = 61;

/// An index into [`World::retrievals`], which is what Belvo calls a retrieval.
pub(crate) type Id = usize;

/// One state of the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now_s: i64,
    /// Whether the sweep of this instant has read what is due.
    pub(crate) swept: bool,
    /// What it has decided and not done yet. What it read may change in the meantime.
    pub(crate) sweeping: Vec<(Id, SweepDecision)>,
    /// Whether the link is blocked.
    pub(crate) blocked: bool,
    /// Retrievals counted this month.
    pub(crate) used: u8,
    pub(crate) intent: Option<StoredIntent>,
    pub(crate) records: BTreeMap<Id, Facts>,
    /// The webhooks that answered a request without naming it: the retrieval that each is about, by
    /// the record that it answered.
    pub(crate) answered_by: BTreeMap<Id, Id>,
    /// Retrievals of which rows are stored, and those of which all are.
    pub(crate) stored: BTreeSet<Id>,
    pub(crate) whole: BTreeSet<Id>,
    /// When the link is read as a whole, if it ever is.
    pub(crate) scrub_at_s: Option<i64>,
    pub(crate) callers: Vec<Caller>,
    /// What Belvo has accepted or begun by itself.
    pub(crate) retrievals: Vec<Retrieval>,
    /// Webhooks that Belvo has sent and we have not acknowledged, in no order.
    pub(crate) webhooks: BTreeSet<Webhook>,
    /// Messages of the link's group, in their order.
    pub(crate) queue: Vec<Message>,
    /// Faults that may still happen.
    pub(crate) faults_left: u8,
    /// What has happened so far.
    pub(crate) marks: BTreeSet<Mark>,
    /// Records that had ended.
    pub(crate) ended: BTreeSet<Id>,
}

/// The intent of the retrieval that every caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StoredIntent {
    pub(crate) since_s: i64,
    /// Whether sending it ended without an answer.
    pub(crate) unanswered: bool,
    /// The request that it became, and whether only a webhook says so.
    pub(crate) request: Option<(Id, bool)>,
}

/// How far the request function has come for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    Idle,
    /// The link is not blocked.
    Admitted,
    /// The intent that was read may be replaced, if it is still the same.
    Replacing(StoredIntent),
    /// The intent is ours.
    Intended,
    /// The retrieval is counted.
    Reserved,
    /// Belvo acted, but its answer was lost, which is to be recorded.
    Unanswered,
    /// Belvo definitely did not act; the reservation and the intent are to be released.
    Refused,
    /// The intent is to be withdrawn.
    Withdrawing,
    /// Belvo's 202 came.
    Accepted(Id),
    /// The request is recorded.
    Recorded(Id),
    /// Belvo answered with the data, which is to be collected.
    Ready(Id),
    /// The caller has an answer, or is no longer there to get one.
    Done,
}

/// A retrieval at Belvo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Retrieval {
    pub(crate) asker: Asker,
    pub(crate) at_s: i64,
    pub(crate) phase: Phase,
    /// Whether Belvo answered the POST with the data.
    pub(crate) at_once: bool,
    /// Whether the webhook declares rows that the listing does not have.
    pub(crate) withheld: bool,
    /// Whether a webhook ended what was probably this retrieval, so that an equal one was sent.
    pub(crate) freed: bool,
}

/// Who asked for a retrieval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asker {
    We,
    /// It is Belvo's own refresh.
    Belvo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Working,
    HasRows,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Webhook {
    pub(crate) id: Id,
    pub(crate) failed: bool,
    /// When it was first delivered, if that was not acknowledged.
    pub(crate) first_s: Option<i64>,
}

/// A message of the queue, about one retrieval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    pub(crate) task: TaskKind,
    pub(crate) id: Id,
    /// The request that it answers, if it names none: `None` before its first step, and if it
    /// answers none.
    pub(crate) answers: Option<Id>,
    /// When the webhook came in, Belvo answered, or the request is due again.
    pub(crate) at: Timestamp,
    /// What Belvo said of the retrieval, or of the collection that this continues.
    pub(crate) said: Said,
    /// How often it was received, by SQS's count.
    pub(crate) receives: u8,
    /// How often it was attempted.
    pub(crate) attempts: u8,
    /// Whether its first step is done.
    pub(crate) begun: bool,
    /// Whether it is delivered again only with the next half hour.
    pub(crate) hidden: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Said {
    HasRows,
    Failed,
    Nothing,
}

impl Message {
    pub(crate) fn new(task: TaskKind, id: Id, at: Timestamp) -> Self {
        Self {
            task,
            id,
            answers: None,
            at,
            said: match task {
                TaskKind::CheckOverdue => Said::Nothing,
                _ => Said::HasRows,
            },
            receives: 0,
            attempts: 0,
            begun: false,
            hidden: false,
        }
    }

    /// The request that it ends, if webhooks name theirs or not.
    pub(crate) fn request(&self, named: bool) -> Option<Id> {
        match self.task {
            TaskKind::Webhook | TaskKind::Continue if !named => self.answers,
            _ => Some(self.id),
        }
    }

    /// Whether it asks for rows.
    pub(crate) fn fetches(&self) -> bool {
        self.said != Said::Failed
    }
}

/// What is remembered once it has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// Must never be.
    SentTwice,
    /// Must never be.
    SentWhileBlocked,
    /// Must never be: a fact was removed or overwritten.
    FactChanged,
    /// Must never be: two deliveries of a webhook that names no request answered two requests.
    AnsweredTwice,
    /// Must never be: such a webhook answered one of several requests.
    Guessed,
    /// Must never be: a message went to the dead-letter queue before it had all its attempts.
    GivenUpEarly,
    /// A webhook ended an intent without an answer, and an equal retrieval was sent.
    Freed,
    /// Belvo has refreshed the link on its own.
    Refreshed,
    /// A sweep, or the check that it asked for, was interrupted or late.
    CheckLost,
    /// A message with Belvo's news was dead-lettered.
    NewsLost,
    /// The listing got its last rows when nobody was looking for them any more.
    ListedLate,
}

impl World {
    pub(crate) fn new(callers: usize, faults: u8) -> Self {
        Self {
            now_s: 0,
            swept: false,
            sweeping: Vec::new(),
            blocked: false,
            used: 0,
            intent: None,
            records: BTreeMap::new(),
            answered_by: BTreeMap::new(),
            stored: BTreeSet::new(),
            whole: BTreeSet::new(),
            scrub_at_s: None,
            callers: vec![Caller::Idle; callers],
            retrievals: Vec::new(),
            webhooks: BTreeSet::new(),
            queue: Vec::new(),
            faults_left: faults,
            marks: BTreeSet::new(),
            ended: BTreeSet::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        instant(self.now_s)
    }

    /// The intent as the store would read it.
    pub(crate) fn intent(&self) -> Option<Intent> {
        self.intent.map(|stored| {
            let resolution =
                stored
                    .request
                    .map_or(Resolution::Open, |(id, claimed)| Resolution::Request {
                        status: self.records.get(&id).map(Facts::status),
                        claimed,
                    });
            Intent {
                since: instant(stored.since_s),
                unanswered: stored.unanswered,
                resolution,
            }
        })
    }

    /// What a fetch of the window returns now, for a request.
    pub(crate) fn found(&self, id: Id) -> FetchResult {
        // Only a webhook says that there are more rows than the listing has.
        let is_declared = self.records[&id].notified_at.is_some();
        let rows: Vec<Id> = self.with_rows().collect();
        let changed = rows.iter().filter(|id| !self.stored.contains(id)).count();
        FetchResult {
            rows: rows.len() as u64,
            changed: changed as u64,
            missing: u64::from(is_declared && self.retrievals[id].withheld),
            unstored: 0,
        }
    }

    /// Stores what Belvo lists.
    pub(crate) fn store_listed(&mut self) {
        let rows: Vec<Id> = self.with_rows().collect();
        self.stored.extend(&rows);
        let is_whole = |id: &Id| !self.retrievals[*id].withheld;
        self.whole.extend(rows.into_iter().filter(is_whole));
    }

    pub(crate) fn with_rows(&self) -> impl Iterator<Item = Id> {
        (0..self.retrievals.len()).filter(|id| self.retrievals[*id].phase == Phase::HasRows)
    }

    /// Whether nothing is running: then time passes.
    pub(crate) fn rests(&self) -> bool {
        // A FIFO queue hands out nothing of a group while its first message is hidden.
        let waits = self.queue.first().is_none_or(|message| message.hidden);
        waits && self.sweeping.is_empty() && (self.swept || !self.is_due())
    }

    pub(crate) fn is_due(&self) -> bool {
        let is_scrub_due = self.scrub_at_s.is_some_and(|at_s| at_s <= self.now_s);
        is_scrub_due
            || self
                .records
                .values()
                .any(|facts| facts.due_at.is_some_and(|due_at| due_at <= self.now()))
    }

    /// Advances to the next instant at which something may happen; a function that was running has
    /// ended by then. From `quiet_s` on nothing comes from outside any more, so time advances to
    /// what is due, or to the end.
    pub(crate) fn elapse(&mut self, quiet_s: i64, end_s: i64) {
        let into = self.now_s % HALF_AN_HOUR_S;
        let half_hour =
            |second: i64| second + (HALF_AN_HOUR_S - second % HALF_AN_HOUR_S) % HALF_AN_HOUR_S;
        self.now_s = if self.now_s >= quiet_s && self.queue.is_empty() {
            let due = self
                .records
                .values()
                .filter_map(|facts| facts.due_at)
                .map(seconds)
                .chain(self.scrub_at_s)
                .min();
            due.map_or(end_s, |due_s| half_hour(due_s.max(self.now_s + 1)))
                .min(end_s)
        } else if into == 0 {
            self.now_s + A_MINUTE_S
        } else {
            half_hour(self.now_s)
        };
        self.swept = false;
        // Longer than a minute, so that messages wait for a sweep, too.
        if self.now_s % HALF_AN_HOUR_S == 0 {
            for message in &mut self.queue {
                message.hidden = false;
            }
        }
        for caller in &mut self.callers {
            if *caller != Caller::Idle {
                *caller = Caller::Done;
            }
        }
    }

    /// Notes which records have ended.
    pub(crate) fn note_ended(&mut self) {
        self.ended.extend(
            self.records
                .iter()
                .filter(|(_, facts)| facts.status().is_terminal())
                .map(|(id, _)| *id),
        );
    }
}

/// The inverse of [`instant`].
fn seconds(at: Timestamp) -> i64 {
    at.unix_seconds() - instant(0).unix_seconds()
}

/// The instant this many seconds after the beginning.
pub(crate) fn instant(second: i64) -> Timestamp {
    static BEGINNING: LazyLock<Timestamp> =
        LazyLock::new(|| Timestamp::parse("2026-01-01T00:00:00Z").expect("an instant"));
    BEGINNING.plus_seconds(second)
}
