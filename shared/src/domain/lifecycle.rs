//! What follows from the facts of a retrieval: its status, what each step adds to them, whether an
//! equal retrieval may be sent, and what becomes of one that goes unanswered. Pure, and time is an
//! argument, so that a model checker can take exactly these functions through every order of crash,
//! loss and repetition (`tests/tests/lifecycle`).

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The longest that sending a retrieval takes, in seconds: above the 29 of the function that does
/// it.
pub const SENDING_S: i64 = 60;
/// How long it may stay unknown whether Belvo acted, in seconds. Belvo's own limit for a retrieval
/// is five minutes.
pub const UNKNOWN_S: i64 = 1_800;
/// The code of the failure that a request ends with when its message is given up.
pub const GAVE_UP: &str = "gave_up";

/// Where a retrieval stands, derived from its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is being sent; Belvo's answer is not known yet.
    Issuing,
    /// Belvo accepted the retrieval and works on it.
    Issued,
    /// Belvo's webhook came; the rows are being fetched.
    Notified,
    /// Some of its rows are stored; the others are fetched by another invocation.
    Collecting,
    /// The rows are stored.
    Collected,
    /// It ended without rows.
    Failed,
    /// No webhook came, and Belvo never had its rows.
    Expired,
    /// Its sending was cut off, so that nobody here knows whether Belvo acted.
    Unknown,
}

/// The facts of a request that decide where it stands: when each was learned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// When Belvo accepted it.
    pub issued_at: Option<Timestamp>,
    /// When its webhook was taken in.
    pub notified_at: Option<Timestamp>,
    /// When its rows were first left to another invocation.
    pub collecting_at: Option<Timestamp>,
    /// When its rows were stored.
    pub collected_at: Option<Timestamp>,
    /// When it ended without rows.
    pub failed_at: Option<Timestamp>,
    /// Whether it ended so because its message was given up, and not by Belvo's word.
    pub gave_up: bool,
    /// When it was given up because Belvo never had its rows.
    pub expired_at: Option<Timestamp>,
    /// When it is looked after.
    pub due_at: Option<Timestamp>,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Belvo accepted it.
    Issued {
        /// When it is looked after if nothing is heard of it.
        due_at: Timestamp,
    },
    /// Its webhook came in.
    Notified {
        /// When it is looked after if it has not ended.
        due_at: Timestamp,
    },
    /// The rest of its rows is left to another invocation.
    HandedOn,
    /// Its rows are stored.
    Collected,
    /// It ended without rows.
    Failed {
        /// Whether its message was given up.
        gave_up: bool,
    },
    /// It is given up because Belvo never had its rows.
    Expired,
    /// It is looked after at another time, or no more.
    Postponed(Option<Timestamp>),
}

/// A fact that is an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// [`Facts::issued_at`]
    IssuedAt,
    /// [`Facts::notified_at`]
    NotifiedAt,
    /// [`Facts::collecting_at`]
    CollectingAt,
    /// [`Facts::collected_at`]
    CollectedAt,
    /// [`Facts::failed_at`]
    FailedAt,
    /// [`Facts::expired_at`]
    ExpiredAt,
    /// [`Facts::due_at`], the only one that is ever taken back.
    DueAt,
}

/// How a fact is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// By the first who knows it; later writers leave it alone.
    Once(Timestamp),
    /// By everybody; the last word counts.
    Latest(Timestamp),
    /// It is taken away.
    Gone,
}

/// How long a request may go unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Seconds after which it is looked after.
    pub due_s: u32,
    /// Seconds after which it expires if Belvo has no rows for it.
    pub expires_s: u32,
}

/// What a sweep does with a request that is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sweep {
    /// It asks for a fetch. The request is due again at this time, whatever becomes of the message.
    LookAfter(Timestamp),
    /// It ends the request.
    Expire,
    /// The request has ended, and is no longer due.
    Forget,
}

/// What the message of an overdue request is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookAfter {
    /// Its rows are fetched: Belvo may have them, and only its webhook have been lost.
    Fetch,
    /// The request has ended and need not be looked after.
    Forget,
    /// A later message looks after it.
    Superseded,
}

/// What a fetch found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Rows.
    pub rows: u64,
    /// Rows that were not known before, or not like that.
    pub news: u64,
}

/// What a fetch means for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is collected.
    Collected,
    /// Belvo is not done; it is looked after again at this time.
    Wait(Timestamp),
    /// It has waited long enough.
    Expired,
}

/// An intent to send a retrieval: when it was taken, and what is known of Belvo's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Intent {
    /// Since when.
    pub since: Timestamp,
    /// What came of it.
    pub answer: Answer,
}

/// What came of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Nothing is known.
    None,
    /// It became a request.
    Request {
        /// Where that stands; none if there is no record of it.
        status: Option<Status>,
        /// Whether not Belvo's answer said so, but a webhook that named a request which nobody here
        /// knew. It is probably this one, and may be a refresh of Belvo's own.
        claimed: bool,
    },
}

/// What an intent means for an equal retrieval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Its request has not ended, and is the answer.
    InFlight,
    /// It is being sent.
    Sending,
    /// Belvo may be at it until this time.
    Unknown(Timestamp),
    /// It is over; the equal one may take its place.
    Over,
}

impl Status {
    /// Whether nothing more is expected. A webhook may still turn a failed or expired request into
    /// a collected one. An unknown one ends at a time of its own ([`Intent::until`]).
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Collected | Self::Failed | Self::Expired)
    }
}

impl Step {
    /// What a step at this time changes. Every step may be repeated, and no order of them ends in
    /// another status.
    #[must_use]
    pub fn changes(self, at: Timestamp) -> Vec<(Fact, Change)> {
        use Change::{Gone, Latest, Once};
        match self {
            // If it has ended already, it is due nevertheless; then the sweep finds that out.
            Self::Issued { due_at } => {
                vec![(Fact::IssuedAt, Once(at)), (Fact::DueAt, Once(due_at))]
            }
            Self::Notified { due_at } => {
                vec![(Fact::NotifiedAt, Once(at)), (Fact::DueAt, Once(due_at))]
            }
            Self::HandedOn => vec![(Fact::CollectingAt, Once(at))],
            Self::Collected => vec![(Fact::CollectedAt, Once(at)), (Fact::DueAt, Gone)],
            Self::Failed { .. } => vec![(Fact::FailedAt, Once(at)), (Fact::DueAt, Gone)],
            Self::Expired => vec![(Fact::ExpiredAt, Once(at)), (Fact::DueAt, Gone)],
            Self::Postponed(Some(due_at)) => vec![(Fact::DueAt, Latest(due_at))],
            Self::Postponed(None) => vec![(Fact::DueAt, Gone)],
        }
    }
}

impl Facts {
    /// The status that follows. Stored rows outrank a failure: a retrieval that failed once and was
    /// announced again has its data.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.collected_at.is_some() {
            Status::Collected
        } else if self.failed_at.is_some() {
            Status::Failed
        } else if self.expired_at.is_some() {
            Status::Expired
        } else if self.collecting_at.is_some() {
            Status::Collecting
        } else if self.notified_at.is_some() {
            Status::Notified
        } else {
            Status::Issued
        }
    }

    /// Takes a step, as the store does.
    pub fn take(&mut self, step: Step, at: Timestamp) {
        if let Step::Failed { gave_up } = step
            && self.failed_at.is_none()
        {
            self.gave_up = gave_up;
        }
        for (fact, change) in step.changes(at) {
            let value = self.value_mut(fact);
            *value = match change {
                Change::Once(at) => value.or(Some(at)),
                Change::Latest(at) => Some(at),
                Change::Gone => None,
            };
        }
    }

    /// What a sweep does with it once it is due. Its messages may never be worked off, as when each
    /// ends its process: at twice the time it ends without one.
    #[must_use]
    pub fn sweep(&self, now: Timestamp, deadlines: Deadlines) -> Sweep {
        let heard_of_at = self.issued_at.max(self.notified_at);
        if seconds(heard_of_at, now) < 2 * u64::from(deadlines.expires_s) {
            Sweep::LookAfter(now.plus_seconds(deadlines.due_s.into()))
        } else if self.status().is_terminal() {
            Sweep::Forget
        } else {
            Sweep::Expire
        }
    }

    /// What the message of a sweep is good for that made it due again at `next`. One that was given
    /// up is tried again if its message is moved back.
    #[must_use]
    pub fn look_after(&self, next: Timestamp) -> LookAfter {
        let given_up = self.status() == Status::Failed && self.gave_up;
        if self.status().is_terminal() && !given_up {
            LookAfter::Forget
        } else if self.due_at.is_some_and(|due_at| due_at != next) {
            LookAfter::Superseded
        } else {
            LookAfter::Fetch
        }
    }

    /// What a fetch means for it. One that answers a webhook is final. One that answers none says
    /// that Belvo is done only if it brings news ("Making requests before receiving the webhook
    /// (GET or POST) will return empty or incomplete results", `fetch_resources` in Belvo's
    /// OpenAPI); else it is made again, each time after twice as long, until what is there has to
    /// do.
    #[must_use]
    pub fn outcome(
        &self,
        found: Found,
        overdue: bool,
        now: Timestamp,
        deadlines: Deadlines,
    ) -> Outcome {
        if !overdue || self.notified_at.is_some() || found.news > 0 {
            return Outcome::Collected;
        }
        let (age_s, expires_s) = (self.age_s(now), u64::from(deadlines.expires_s));
        if age_s < expires_s {
            let wait_s = age_s.max(deadlines.due_s.into()).min(expires_s - age_s);
            Outcome::Wait(now.plus_seconds(wait_s.try_into().unwrap_or(i64::MAX)))
        } else if found.rows > 0 {
            Outcome::Collected
        } else {
            Outcome::Expired
        }
    }

    /// Seconds since it was issued.
    #[must_use]
    pub fn age_s(&self, now: Timestamp) -> u64 {
        seconds(self.issued_at.or(self.notified_at), now)
    }

    fn value_mut(&mut self, fact: Fact) -> &mut Option<Timestamp> {
        match fact {
            Fact::IssuedAt => &mut self.issued_at,
            Fact::NotifiedAt => &mut self.notified_at,
            Fact::CollectingAt => &mut self.collecting_at,
            Fact::CollectedAt => &mut self.collected_at,
            Fact::FailedAt => &mut self.failed_at,
            Fact::ExpiredAt => &mut self.expired_at,
            Fact::DueAt => &mut self.due_at,
        }
    }
}

fn seconds(since: Option<Timestamp>, now: Timestamp) -> u64 {
    since.map_or(0, |since| now.millis_since(since) / 1_000)
}

impl Change {
    /// The instant that is written, if one is.
    #[must_use]
    pub fn at(self) -> Option<Timestamp> {
        match self {
            Self::Once(at) | Self::Latest(at) => Some(at),
            Self::Gone => None,
        }
    }
}

impl Fact {
    /// Its name, here and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IssuedAt => "issued_at",
            Self::NotifiedAt => "notified_at",
            Self::CollectingAt => "collecting_at",
            Self::CollectedAt => "collected_at",
            Self::FailedAt => "failed_at",
            Self::ExpiredAt => "expired_at",
            Self::DueAt => "due_at",
        }
    }
}

impl Intent {
    /// One of which nothing is known but when it was taken.
    #[must_use]
    pub fn open(since: Timestamp) -> Self {
        Self {
            since,
            answer: Answer::None,
        }
    }

    /// When Belvo is surely no longer at it. An open one stays unknown then, for good.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.since.plus_seconds(UNKNOWN_S)
    }

    /// Where it stands as long as nothing is known of Belvo's answer.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        if self.is_being_sent(now) {
            Status::Issuing
        } else {
            Status::Unknown
        }
    }

    /// What it means for an equal retrieval.
    #[must_use]
    pub fn before(&self, now: Timestamp) -> Before {
        match self.answer {
            Answer::None if self.is_being_sent(now) => Before::Sending,
            Answer::Request {
                status: Some(status),
                ..
            } if !status.is_terminal() => Before::InFlight,
            Answer::Request {
                status: Some(_),
                claimed: false,
            } => Before::Over,
            _ if now >= self.until() => Before::Over,
            Answer::Request { status: None, .. } => Before::InFlight,
            // What a webhook claimed has ended, and may have been another one.
            Answer::None | Answer::Request { .. } => Before::Unknown(self.until()),
        }
    }

    /// Whether a webhook of this time may be the answer that is missing: not while somebody waits
    /// for Belvo's own, nor when Belvo is surely no longer at it.
    #[must_use]
    pub fn may_be_claimed(&self, at: Timestamp) -> bool {
        self.answer == Answer::None && !self.is_being_sent(at) && at < self.until()
    }

    fn is_being_sent(&self, now: Timestamp) -> bool {
        now < self.since.plus_seconds(SENDING_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        due_s: 1_800,
        expires_s: 86_400,
    };
    const NOTHING: Found = Found { rows: 0, news: 0 };

    fn at(second: i64) -> Timestamp {
        Timestamp::parse("2026-03-01T00:00:00Z")
            .unwrap()
            .plus_seconds(second)
    }

    fn after(steps: &[(Step, i64)]) -> Facts {
        let mut facts = Facts::default();
        for (step, second) in steps {
            facts.take(*step, at(*second));
        }
        facts
    }

    fn issued() -> Facts {
        after(&[(Step::Issued { due_at: at(1_800) }, 0)])
    }

    #[test]
    fn the_status_does_not_depend_on_the_order_of_the_steps() {
        let (issued, notified) = (
            Step::Issued { due_at: at(10) },
            Step::Notified { due_at: at(20) },
        );
        let failed = Step::Failed { gave_up: false };
        let cases = [
            (vec![issued], Status::Issued),
            (vec![notified], Status::Notified),
            (vec![issued, notified], Status::Notified),
            (vec![issued, notified, Step::HandedOn], Status::Collecting),
            (
                vec![issued, Step::HandedOn, Step::Collected],
                Status::Collected,
            ),
            (vec![issued, failed], Status::Failed),
            (vec![failed, Step::Collected], Status::Collected),
            (vec![issued, Step::Expired], Status::Expired),
            (vec![issued, Step::Expired, notified], Status::Expired),
            (
                vec![Step::Expired, notified, Step::Collected],
                Status::Collected,
            ),
        ];
        for (steps, status) in cases {
            let steps: Vec<_> = steps.into_iter().zip(0..).collect();
            let backwards: Vec<_> = steps.iter().copied().rev().collect();
            assert_eq!(
                (after(&steps).status(), after(&backwards).status()),
                (status, status),
                "{steps:?}"
            );
        }
    }

    #[test]
    fn a_step_that_is_repeated_changes_nothing() {
        let (notified, failed) = (
            Step::Notified { due_at: at(20) },
            Step::Failed { gave_up: true },
        );
        let twice = after(&[
            (notified, 1),
            (notified, 2),
            (failed, 3),
            (Step::Failed { gave_up: false }, 4),
        ]);
        assert_eq!(twice, after(&[(notified, 1), (failed, 3)]));
    }

    #[test]
    fn a_fetch_without_news_is_made_again_after_twice_as_long_until_the_request_expires() {
        let outcome = |found, second| issued().outcome(found, true, at(second), DEADLINES);
        assert_eq!(outcome(NOTHING, 2_000), Outcome::Wait(at(4_000)));
        assert_eq!(
            outcome(NOTHING, 60_000),
            Outcome::Wait(at(86_400)),
            "not beyond its time"
        );
        assert_eq!(outcome(NOTHING, 86_400), Outcome::Expired);
        let known = Found { rows: 5, news: 0 };
        assert_eq!(
            (outcome(known, 2_000), outcome(known, 86_400)),
            (Outcome::Wait(at(4_000)), Outcome::Collected)
        );
        assert_eq!(
            outcome(Found { rows: 5, news: 1 }, 2_000),
            Outcome::Collected
        );
        assert_eq!(
            issued().outcome(NOTHING, false, at(2_000), DEADLINES),
            Outcome::Collected,
            "it answers a webhook"
        );
    }

    #[test]
    fn a_request_whose_messages_are_never_worked_off_ends_at_twice_its_time() {
        assert_eq!(
            issued().sweep(at(172_799), DEADLINES),
            Sweep::LookAfter(at(174_599))
        );
        assert_eq!(issued().sweep(at(172_800), DEADLINES), Sweep::Expire);
        let mut late = issued();
        late.take(
            Step::Notified {
                due_at: at(102_000),
            },
            at(100_000),
        );
        assert_eq!(
            late.sweep(at(172_800), DEADLINES),
            Sweep::LookAfter(at(174_600)),
            "it was heard of since"
        );
        late.take(Step::Collected, at(172_000));
        assert_eq!(late.sweep(at(272_800), DEADLINES), Sweep::Forget);
    }

    #[test]
    fn a_message_looks_after_a_request_that_has_not_ended_and_has_no_later_one() {
        assert_eq!(issued().look_after(at(1_800)), LookAfter::Fetch);
        assert_eq!(issued().look_after(at(900)), LookAfter::Superseded);
        let mut ended = issued();
        ended.take(Step::Failed { gave_up: true }, at(2_000));
        assert_eq!(
            ended.look_after(at(900)),
            LookAfter::Fetch,
            "it was moved back"
        );
        ended.take(Step::Collected, at(3_000));
        assert_eq!(ended.look_after(at(900)), LookAfter::Forget);
    }

    #[test]
    fn an_equal_retrieval_is_sent_only_when_the_one_before_is_over() {
        let intent = |answer| Intent {
            since: at(0),
            answer,
        };
        let before = |answer, second| intent(answer).before(at(second));
        let unknown = Before::Unknown(at(UNKNOWN_S));
        let request = |status, claimed| Answer::Request { status, claimed };
        let cases = [
            (Answer::None, Before::Sending, unknown, Before::Over),
            (
                request(None, false),
                Before::InFlight,
                Before::InFlight,
                Before::Over,
            ),
            (
                request(Some(Status::Collecting), false),
                Before::InFlight,
                Before::InFlight,
                Before::InFlight,
            ),
            (
                request(Some(Status::Failed), false),
                Before::Over,
                Before::Over,
                Before::Over,
            ),
            (
                request(None, true),
                Before::InFlight,
                Before::InFlight,
                Before::Over,
            ),
            (
                request(Some(Status::Notified), true),
                Before::InFlight,
                Before::InFlight,
                Before::InFlight,
            ),
            (
                request(Some(Status::Collected), true),
                unknown,
                unknown,
                Before::Over,
            ),
        ];
        for (answer, at_once, soon, late) in cases {
            let found = [0, SENDING_S, UNKNOWN_S].map(|second| before(answer, second));
            assert_eq!(found, [at_once, soon, late], "{answer:?}");
        }
    }

    #[test]
    fn a_webhook_claims_an_intent_that_is_unknown_and_no_other() {
        let open = Intent::open(at(0));
        let seconds = [0, SENDING_S - 1, SENDING_S, UNKNOWN_S - 1, UNKNOWN_S];
        assert_eq!(
            seconds.map(|second| open.may_be_claimed(at(second))),
            [false, false, true, true, false]
        );
        assert!(
            !Intent {
                answer: Answer::Request {
                    status: None,
                    claimed: false
                },
                ..open
            }
            .may_be_claimed(at(SENDING_S))
        );
        assert_eq!(
            [0, SENDING_S].map(|second| open.status(at(second))),
            [Status::Issuing, Status::Unknown]
        );
    }
}
