//! Why a message could not be worked off, and what happens to it then.

use std::time::Duration;

use shared::{
    belvo::{Advice, BelvoError},
    queue::{DeliveryError, QueueError},
    store::StoreError,
};
use thiserror::Error;

/// The first wait of the exponential back-off that Belvo recommends ("base interval of three
/// seconds with a factor of two", Belvo's OpenAPI).
const FIRST_WAIT: Duration = Duration::from_secs(3);

/// How long a message is tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Receives after which it is given up.
    pub attempts: u32,
    /// The longest wait before it is tried again.
    pub longest_wait: Duration,
}

/// Why a message has to come back.
#[derive(Debug, Error)]
pub enum CollectError {
    /// Belvo did not deliver.
    #[error("the rows could not be fetched")]
    Belvo(#[from] BelvoError),
    /// The store did not take or give.
    #[error("the store could not be used")]
    Store(#[from] StoreError),
    /// The queue did not take a continuation.
    #[error("the rest of the collection could not be handed on")]
    Queue(#[from] QueueError),
    /// The message is not one of ours.
    #[error("the message cannot be read")]
    Message(#[from] DeliveryError),
    /// The invocation ended before the work. What was stored stays; the next one fetches again and
    /// writes the rest.
    #[error("the time of the invocation is over")]
    OutOfTime,
    /// The rest of a collection is not to go on before this wait is over.
    #[error("the collection goes on later")]
    TooEarly(Duration),
    /// A defect of this program. The panic's own message is in the log before this.
    #[error("the work panicked")]
    Panicked,
}

/// What happens to a message that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It comes back after at least this wait.
    Retry(Duration),
    /// It would fail again for ever: it goes to the dead-letter queue at once and does not hold its
    /// link up.
    GiveUp,
    /// It comes back late, and an error is logged, at which an alarm goes off.
    Alarm,
}

impl CollectError {
    /// Whether trying again may succeed without anybody's help.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.next(), Next::Retry(_))
    }

    /// What happens to the message.
    pub(crate) fn next(&self) -> Next {
        match self {
            Self::Belvo(error) => match error.advice() {
                Advice::Retry(after) => Next::Retry(after),
                // The request has been recorded as failed; an error that still comes here has no
                // request to record.
                Advice::Stop => Next::GiveUp,
                Advice::Alarm => Next::Alarm,
            },
            Self::Store(StoreError::Corrupt(_) | StoreError::Refused(..)) | Self::Panicked => {
                Next::Alarm
            }
            Self::Store(_) | Self::Queue(_) | Self::OutOfTime => Next::Retry(FIRST_WAIT),
            Self::Message(_) => Next::GiveUp,
            Self::TooEarly(wait) => Next::Retry(*wait),
        }
    }
}

impl Patience {
    /// How long a message stays hidden: the wait it was told, or the back-off of its `receives`-th
    /// failure if that is longer, up to half as long again at random, so that links which failed
    /// together do not return together.
    pub(crate) fn wait(&self, next: Next, receives: u32) -> Duration {
        let backoff = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(receives.saturating_sub(1)));
        let wait = match next {
            Next::GiveUp => return Duration::ZERO,
            Next::Retry(after) => after.max(backoff).min(self.longest_wait),
            Next::Alarm => self.longest_wait,
        };
        let jitter = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
        wait.mul_f64(1.0 + jitter / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        attempts: 30,
        longest_wait: Duration::from_mins(15),
    };

    #[test]
    fn waits_grow_with_each_failure_up_to_a_limit() {
        let wait = |receives| {
            PATIENCE
                .wait(Next::Retry(Duration::from_secs(3)), receives)
                .as_secs_f64()
        };
        for (receives, base) in [(1, 3.0), (2, 6.0), (5, 48.0), (50, 900.0)] {
            assert!((base..=base * 1.5).contains(&wait(receives)), "{receives}");
        }
    }

    #[test]
    fn a_wait_that_belvo_asks_for_is_kept() {
        assert!(PATIENCE.wait(Next::Retry(Duration::from_mins(2)), 1) >= Duration::from_mins(2));
    }

    #[test]
    fn a_wait_of_nothing_does_not_switch_the_back_off_off() {
        assert!(PATIENCE.wait(Next::Retry(Duration::ZERO), 4) >= Duration::from_secs(24));
    }

    #[test]
    fn what_can_never_succeed_does_not_hold_its_link_up() {
        assert_eq!(PATIENCE.wait(Next::GiveUp, 3), Duration::ZERO);
    }
}
