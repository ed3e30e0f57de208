//! The facts of a retrieval, each learned once, and the status that follows from them. No fact
//! undoes another, so a webhook before the 202, a duplicate and a reordered message all end in the
//! same record. The functions are pure and take the time as an argument, so that a model checker
//! can run exactly these through every order of crashes, losses and repetitions
//! (`tests/models/tests/lifecycle`).

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Where a retrieval stands, derived from its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is being sent; Belvo's answer is not known yet.
    Issuing,
    /// Belvo accepted the retrieval and works on it.
    Issued,
    /// Belvo has the rows, and they are being fetched.
    Notified,
    /// Some of its rows are stored; another invocation fetches the others.
    Collecting,
    /// The rows are stored.
    Collected,
    /// Fewer rows are stored than Belvo says there are, and they are fetched again.
    Short,
    /// They stayed fewer.
    Incomplete,
    /// It ended without rows.
    Failed,
    /// No webhook arrived, and Belvo never had its rows.
    Expired,
    /// Belvo's answer was lost, so it is not known whether Belvo acted.
    Unknown,
}

/// When each fact of a retrieval was learned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// When Belvo accepted the retrieval; absent if we did not request it, or do not yet know that
    /// we did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// When Belvo's webhook for it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
    /// When Belvo answered the retrieval with its data at once, so that no webhook follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// When its collection was first continued in another invocation. A collection that one
    /// invocation finishes has no such time: it would cost a write and no reader would see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collecting_at: Option<Timestamp>,
    /// When its rows were stored for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected_at: Option<Timestamp>,
    /// When the first fetch since Belvo's latest announcement returned fewer rows than it says
    /// there are; absent once one has returned them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_at: Option<Timestamp>,
    /// When no further fetch was expected to return the others; absent once one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_at: Option<Timestamp>,
    /// When it ended without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// Whether it failed because its message was dead-lettered, not because Belvo said so. Stored
    /// as the code of the failure.
    #[serde(skip)]
    pub gave_up: bool,
    /// When it expired because Belvo never had its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<Timestamp>,
    /// When it is checked if no webhook has arrived by then; absent once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Belvo accepted it. It is checked at `due_at` if no webhook has arrived.
    Issued { due_at: Timestamp },
    /// Its webhook was received. It is checked at `due_at` if it has not ended.
    Notified { due_at: Timestamp },
    /// Belvo answered it with its data. It is checked at `due_at` if it has not ended.
    Ready { due_at: Timestamp },
    /// Its collection is continued in another invocation.
    Continued,
    /// Its rows are stored.
    Collected,
    /// Fewer rows are stored than Belvo says there are. They are fetched again at `due_at`;
    /// `is_first` says that this was not so before.
    Short { due_at: Timestamp, is_first: bool },
    /// They stayed fewer.
    Incomplete,
    /// It ended without rows; `gave_up` says that its message was dead-lettered.
    Failed { gave_up: bool },
    /// Belvo never had its rows.
    Expired,
    /// It is checked at another time.
    Postponed { due_at: Timestamp },
    /// It has ended and is no longer checked.
    NoLongerDue,
}

/// A fact that is a time, under the name it is stored and shown by (docs/decisions/0016).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    IssuedAt,
    NotifiedAt,
    ReadyAt,
    CollectingAt,
    CollectedAt,
    /// Removed once all rows are there.
    ShortAt,
    /// Removed once all rows are there.
    IncompleteAt,
    FailedAt,
    ExpiredAt,
    /// Removed once it has ended.
    DueAt,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write<T> {
    /// The first writer sets it; later ones leave it alone.
    Once(T),
    /// Every writer sets it; the last one wins.
    Latest(T),
    /// It is removed.
    Remove,
}

impl Status {
    /// The name under which it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Issuing => "issuing",
            Self::Issued => "issued",
            Self::Notified => "notified",
            Self::Collecting => "collecting",
            Self::Collected => "collected",
            Self::Short => "short",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it has ended. What Belvo announces afterwards may still turn one end into another,
    /// such as a failed or incomplete request into a collected one. An unknown one ends at a time
    /// of its own ([`crate::Intent::until`]).
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Collected | Self::Incomplete | Self::Failed | Self::Expired
        )
    }

    /// Whether Belvo accepted it, and neither was a row found missing nor has it ended.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Issued | Self::Notified | Self::Collecting)
    }

    /// Whether Belvo works on the retrieval, or its rows are on their way here: an identical one
    /// would be a second one of the same rows.
    #[must_use]
    pub fn is_in_flight(self) -> bool {
        !self.is_terminal() && self != Self::Short
    }
}

impl Step {
    /// What a step at this time writes. Every step may be repeated, and every order of steps ends
    /// in the same status.
    #[must_use]
    pub fn writes(self, at: Timestamp) -> Vec<(Fact, Write<Timestamp>)> {
        use Write::{Latest, Once, Remove};

        match self {
            // A request that has already ended becomes due all the same; the sweep corrects that.
            Self::Issued { due_at } => {
                vec![(Fact::IssuedAt, Once(at)), (Fact::DueAt, Once(due_at))]
            }
            Self::Notified { due_at } => {
                vec![(Fact::NotifiedAt, Once(at)), (Fact::DueAt, Once(due_at))]
            }
            Self::Ready { due_at } => {
                vec![(Fact::ReadyAt, Once(at)), (Fact::DueAt, Once(due_at))]
            }
            Self::Continued => vec![(Fact::CollectingAt, Once(at))],
            Self::Collected => vec![
                (Fact::CollectedAt, Once(at)),
                (Fact::ShortAt, Remove),
                (Fact::IncompleteAt, Remove),
                (Fact::DueAt, Remove),
            ],
            Self::Short { due_at, is_first } => {
                let short_at = if is_first { Latest(at) } else { Once(at) };
                vec![(Fact::ShortAt, short_at), (Fact::DueAt, Latest(due_at))]
            }
            Self::Incomplete => vec![
                (Fact::ShortAt, Once(at)),
                (Fact::IncompleteAt, Latest(at)),
                (Fact::DueAt, Remove),
            ],
            Self::Failed { .. } => vec![(Fact::FailedAt, Once(at)), (Fact::DueAt, Remove)],
            Self::Expired => vec![(Fact::ExpiredAt, Once(at)), (Fact::DueAt, Remove)],
            Self::Postponed { due_at } => vec![(Fact::DueAt, Latest(due_at))],
            Self::NoLongerDue => vec![(Fact::DueAt, Remove)],
        }
    }
}

impl Facts {
    /// The status that follows. Stored rows outrank a failure: a retrieval that failed once and was
    /// announced again has its data. One that was collected and of which Belvo then says that there
    /// are more rows is incomplete until they are there.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.incomplete_at.is_some() || self.collected_at.and(self.short_at).is_some() {
            Status::Incomplete
        } else if self.collected_at.is_some() {
            Status::Collected
        } else if self.failed_at.is_some() {
            Status::Failed
        } else if self.expired_at.is_some() {
            Status::Expired
        } else if self.short_at.is_some() {
            Status::Short
        } else if self.collecting_at.is_some() {
            Status::Collecting
        } else if self.announced_at().is_some() {
            Status::Notified
        } else {
            Status::Issued
        }
    }

    /// Applies a step, as the store does.
    pub fn take(&mut self, step: Step, at: Timestamp) {
        if let Step::Failed { gave_up } = step
            && self.failed_at.is_none()
        {
            self.gave_up = gave_up;
        }

        for (fact, write) in step.writes(at) {
            let value = self.value_mut(fact);
            *value = match write {
                Write::Once(at) => value.or(Some(at)),
                Write::Latest(at) => Some(at),
                Write::Remove => None,
            };
        }
    }

    /// When Belvo announced its rows, by a webhook or in its answer to the POST.
    #[must_use]
    pub fn announced_at(&self) -> Option<Timestamp> {
        self.notified_at.or(self.ready_at)
    }

    /// Whether fewer rows are stored than Belvo says there are, and they are fetched again.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.short_at > self.incomplete_at
    }

    fn value_mut(&mut self, fact: Fact) -> &mut Option<Timestamp> {
        match fact {
            Fact::IssuedAt => &mut self.issued_at,
            Fact::NotifiedAt => &mut self.notified_at,
            Fact::ReadyAt => &mut self.ready_at,
            Fact::CollectingAt => &mut self.collecting_at,
            Fact::CollectedAt => &mut self.collected_at,
            Fact::ShortAt => &mut self.short_at,
            Fact::IncompleteAt => &mut self.incomplete_at,
            Fact::FailedAt => &mut self.failed_at,
            Fact::ExpiredAt => &mut self.expired_at,
            Fact::DueAt => &mut self.due_at,
        }
    }
}

impl Fact {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IssuedAt => "issued_at",
            Self::NotifiedAt => "notified_at",
            Self::ReadyAt => "ready_at",
            Self::CollectingAt => "collecting_at",
            Self::CollectedAt => "collected_at",
            Self::ShortAt => "short_at",
            Self::IncompleteAt => "incomplete_at",
            Self::FailedAt => "failed_at",
            Self::ExpiredAt => "expired_at",
            Self::DueAt => "due_at",
        }
    }
}

impl<T> Write<T> {
    /// The same write of another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Write<U> {
        match self {
            Self::Once(value) => Write::Once(change(value)),
            Self::Latest(value) => Write::Latest(change(value)),
            Self::Remove => Write::Remove,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::at;

    fn after(steps: &[(Step, i64)]) -> Facts {
        let mut facts = Facts::default();
        for (step, second) in steps {
            facts.take(*step, at(*second));
        }
        facts
    }

    #[test]
    fn a_status_is_shown_by_its_name() {
        for status in [
            Status::Issuing,
            Status::Issued,
            Status::Notified,
            Status::Collecting,
            Status::Collected,
            Status::Short,
            Status::Incomplete,
            Status::Failed,
            Status::Expired,
            Status::Unknown,
        ] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }

    #[test]
    fn a_request_is_open_until_rows_are_missing_or_it_has_ended() {
        for (status, is_open, is_in_flight) in [
            (Status::Issuing, false, true),
            (Status::Issued, true, true),
            (Status::Notified, true, true),
            (Status::Collecting, true, true),
            (Status::Short, false, false),
            (Status::Collected, false, false),
            (Status::Incomplete, false, false),
            (Status::Failed, false, false),
            (Status::Expired, false, false),
            (Status::Unknown, false, true),
        ] {
            let found = (status.is_open(), status.is_in_flight());
            assert_eq!(found, (is_open, is_in_flight), "{status:?}");
        }
    }

    #[test]
    fn another_value_is_written_in_the_same_way() {
        let text = |write: Write<i32>| write.map(|number| number.to_string());
        assert_eq!(text(Write::Once(1)), Write::Once("1".to_owned()));
        assert_eq!(text(Write::Latest(2)), Write::Latest("2".to_owned()));
        assert_eq!(text(Write::Remove), Write::Remove);
    }

    #[test]
    fn the_status_does_not_depend_on_the_order_of_the_steps() {
        let issued = Step::Issued { due_at: at(10) };
        let notified = Step::Notified { due_at: at(20) };
        let failed = Step::Failed { gave_up: false };
        let ready = Step::Ready { due_at: at(20) };
        let short = Step::Short {
            due_at: at(20),
            is_first: true,
        };
        let cases = [
            (vec![issued], Status::Issued),
            (vec![issued, ready], Status::Notified),
            (vec![ready, Step::Collected], Status::Collected),
            (vec![notified], Status::Notified),
            (vec![issued, notified], Status::Notified),
            (vec![issued, notified, Step::Continued], Status::Collecting),
            (
                vec![issued, Step::Continued, Step::Collected],
                Status::Collected,
            ),
            (vec![notified, short], Status::Short),
            (vec![notified, Step::Continued, short], Status::Short),
            (vec![notified, short, Step::Incomplete], Status::Incomplete),
            (vec![notified, Step::Incomplete], Status::Incomplete),
            (vec![failed, short], Status::Failed),
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
            let found = (after(&steps).status(), after(&backwards).status());
            assert_eq!(found, (status, status), "{steps:?}");
        }
    }

    #[test]
    fn the_latest_fetch_says_whether_rows_are_missing() {
        let short = Step::Short {
            due_at: at(9),
            is_first: true,
        };
        let status = |steps: &[Step]| {
            let steps: Vec<_> = steps.iter().copied().zip(0..).collect();
            let facts = after(&steps);
            (facts.status(), facts.is_short())
        };
        assert_eq!(
            status(&[Step::Collected, short]),
            (Status::Incomplete, true),
            "an ended request stays ended, and is not called collected"
        );
        assert_eq!(
            status(&[Step::Collected, short, Step::Collected]),
            (Status::Collected, false)
        );
        assert_eq!(
            status(&[short, Step::Incomplete, Step::Collected]),
            (Status::Collected, false)
        );
        assert_eq!(
            status(&[short, Step::Incomplete, short]),
            (Status::Incomplete, true),
            "announced again"
        );
    }

    #[test]
    fn a_repeated_step_changes_nothing() {
        let notified = Step::Notified { due_at: at(20) };
        let failed = |gave_up| Step::Failed { gave_up };
        let twice = after(&[
            (notified, 1),
            (notified, 2),
            (failed(true), 3),
            (failed(false), 4),
        ]);
        assert_eq!(twice, after(&[(notified, 1), (failed(true), 3)]));
    }

    #[test]
    fn each_fact_is_stored_under_the_name_of_its_field() {
        let all = after(&[
            (Step::Issued { due_at: at(10) }, 0),
            (Step::Notified { due_at: at(10) }, 1),
            (Step::Ready { due_at: at(10) }, 2),
            (Step::Continued, 2),
            (Step::Collected, 3),
            (Step::Incomplete, 3),
            (Step::Failed { gave_up: false }, 4),
            (Step::Expired, 5),
            (Step::Postponed { due_at: at(10) }, 6),
        ]);
        let written = [
            Fact::IssuedAt,
            Fact::NotifiedAt,
            Fact::ReadyAt,
            Fact::CollectingAt,
            Fact::CollectedAt,
            Fact::ShortAt,
            Fact::IncompleteAt,
            Fact::FailedAt,
            Fact::ExpiredAt,
            Fact::DueAt,
        ];
        let json = serde_json::to_value(all).unwrap();
        let fields = json.as_object().unwrap();
        assert_eq!(fields.len(), written.len());
        assert!(
            written.iter().all(|fact| fields.contains_key(fact.name())),
            "{json}"
        );
    }
}
