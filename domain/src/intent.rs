//! Whether an identical retrieval may be sent: Belvo's POST has no idempotency key, and each
//! retrieval counts against the month's limit.

use serde::{Deserialize, Serialize};

use crate::{Resource, Retrieval, Status, Timestamp};

/// The longest that sending a retrieval takes, in seconds: more than the 29 of the function that
/// sends it.
pub const SENDING_S: i64 = 30;
/// How long it may stay unknown whether Belvo acted, in seconds. Belvo's own limit for a retrieval
/// is five minutes.
const UNKNOWN_S: i64 = 1_800;

/// The intent to send a retrieval, recorded before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Intent {
    pub since: Timestamp,
    /// Whether sending it ended without an answer of Belvo, as after a timeout.
    pub unanswered: bool,
    pub resolution: Resolution,
}

/// What is known about Belvo's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// Nothing yet.
    Open,
    /// It became a request.
    Request {
        /// The status of that request; `None` without a record of it.
        status: Option<Status>,
        /// Whether only a webhook says so: it named a request unknown here, which is probably this
        /// one but may be a refresh that Belvo started by itself.
        claimed: bool,
    },
}

/// What an intent means for an identical retrieval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// None: it is over, and the identical one may replace it.
    None,
    /// Its request is in flight and is the answer.
    InFlight,
    /// It is being sent.
    Sending,
    /// Belvo may be working on it.
    Unknown { until: Timestamp },
}

impl Intent {
    /// An intent that was sent at this time, and of which nothing more is known.
    #[must_use]
    pub fn open(since: Timestamp) -> Self {
        Self {
            since,
            unanswered: false,
            resolution: Resolution::Open,
        }
    }

    /// When Belvo can no longer be working on it. An open intent stays unresolved after that.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.since.plus_seconds(UNKNOWN_S)
    }

    /// The status of an open intent.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        if self.is_being_sent(now) {
            Status::Issuing
        } else {
            Status::Unknown
        }
    }

    /// What it means for an identical retrieval.
    #[must_use]
    pub fn conflict(&self, now: Timestamp) -> Conflict {
        let is_over = now >= self.until();

        match self.resolution {
            // Belvo's answer may yet name another request than a webhook did.
            Resolution::Open | Resolution::Request { claimed: true, .. }
                if self.is_being_sent(now) =>
            {
                Conflict::Sending
            }
            Resolution::Request {
                status: Some(status),
                ..
            } if status.is_in_flight() => Conflict::InFlight,
            Resolution::Request {
                status: Some(_), ..
            } => Conflict::None,
            _ if is_over => Conflict::None,
            Resolution::Request { status: None, .. } => Conflict::InFlight,
            Resolution::Open => Conflict::Unknown {
                until: self.until(),
            },
        }
    }

    /// Whether a webhook received at this time may be the missing answer: not one that came before
    /// the retrieval was sent, nor when Belvo can no longer be working on it.
    #[must_use]
    pub fn may_be_claimed(&self, at: Timestamp) -> bool {
        self.resolution == Resolution::Open && self.since <= at && at < self.until()
    }

    fn is_being_sent(&self, now: Timestamp) -> bool {
        !self.unanswered && now < self.since.plus_seconds(SENDING_S)
    }
}

/// A retrieval that Belvo may or may not have accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unconfirmed {
    #[serde(flatten)]
    pub retrieval: Retrieval,
    /// When its sending began.
    pub since: Timestamp,
    /// When its sending ended without an answer of Belvo; absent while it is being sent, and where
    /// that was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered_at: Option<Timestamp>,
}

impl Unconfirmed {
    /// Whether a webhook received at this time may be its answer.
    #[must_use]
    pub fn may_be_answered(&self, resource: Resource, at: Timestamp) -> bool {
        self.retrieval.resource == resource && self.intent().may_be_claimed(at)
    }

    #[must_use]
    pub fn intent(&self) -> Intent {
        Intent {
            unanswered: self.unanswered_at.is_some(),
            ..Intent::open(self.since)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::at;

    fn request(status: Option<Status>, claimed: bool) -> Resolution {
        Resolution::Request { status, claimed }
    }

    #[test]
    fn an_identical_retrieval_is_sent_only_when_the_previous_one_is_over() {
        let unknown = Conflict::Unknown {
            until: at(UNKNOWN_S),
        };
        let (in_flight, none, sending) = (Conflict::InFlight, Conflict::None, Conflict::Sending);
        let collecting = Some(Status::Collecting);
        let cases = [
            (Resolution::Open, [sending, unknown, unknown, none]),
            (
                request(None, false),
                [in_flight, in_flight, in_flight, none],
            ),
            (request(collecting, false), [in_flight; 4]),
            (request(Some(Status::Failed), false), [none; 4]),
            (request(Some(Status::Short), false), [none; 4]),
            (request(None, true), [sending, in_flight, in_flight, none]),
            (
                request(collecting, true),
                [sending, in_flight, in_flight, in_flight],
            ),
            (
                request(Some(Status::Collected), true),
                [sending, none, none, none],
            ),
        ];
        for (resolution, expected) in cases {
            let conflict = |unanswered, second| {
                let intent = Intent {
                    since: at(0),
                    unanswered,
                    resolution,
                };
                intent.conflict(at(second))
            };
            let found = [
                conflict(false, 0),
                conflict(true, 0),
                conflict(false, SENDING_S),
                conflict(true, UNKNOWN_S),
            ];
            assert_eq!(found, expected, "{resolution:?}");
        }
    }

    #[test]
    fn a_webhook_claims_only_an_intent_that_was_sent_before_and_has_no_answer() {
        let open = Intent::open(at(0));
        let seconds = [-1, 0, SENDING_S, UNKNOWN_S - 1, UNKNOWN_S];
        let claimable = seconds.map(|second| open.may_be_claimed(at(second)));
        assert_eq!(claimable, [false, true, true, true, false]);

        let resolved = Intent {
            resolution: request(None, false),
            ..open
        };
        assert!(!resolved.may_be_claimed(at(SENDING_S)));
    }

    #[test]
    fn a_webhook_may_answer_an_unconfirmed_retrieval_of_its_own_resource() {
        let link = crate::LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap();
        let unconfirmed = Unconfirmed {
            retrieval: Retrieval::of(link, Resource::TRANSACTIONS),
            since: at(0),
            unanswered_at: Some(at(9)),
        };
        let invoices = Resource::by_name("invoices").unwrap();
        assert!(unconfirmed.may_be_answered(Resource::TRANSACTIONS, at(10)));
        assert!(!unconfirmed.may_be_answered(invoices, at(10)));
        assert!(!unconfirmed.may_be_answered(Resource::TRANSACTIONS, at(-1)));
        assert!(unconfirmed.intent().unanswered);
        let sending = Unconfirmed {
            unanswered_at: None,
            ..unconfirmed
        };
        assert_eq!(sending.intent(), Intent::open(at(0)));
    }

    #[test]
    fn an_intent_is_unknown_once_its_sending_has_ended_without_an_answer() {
        let open = Intent::open(at(0));
        let statuses = [0, SENDING_S].map(|second| open.status(at(second)));
        assert_eq!(statuses, [Status::Issuing, Status::Unknown]);
        let unanswered = Intent {
            unanswered: true,
            ..open
        };
        assert_eq!(unanswered.status(at(0)), Status::Unknown);
    }
}
