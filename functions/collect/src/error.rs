//! Why a message could not be processed.

use std::time::Duration;

use shared::{
    advice::{Advice, FIRST_RETRY},
    belvo::BelvoError,
    queue::{QueueError, TaskError},
    store::StoreError,
};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum CollectError {
    #[error("the rows could not be fetched")]
    Belvo(#[from] BelvoError),
    #[error("the store could not be used")]
    Store(#[from] StoreError),
    #[error("the rest of the collection could not be queued")]
    Queue(#[from] QueueError),
    #[error("the message cannot be read")]
    Message(#[from] TaskError),
    /// The invocation ended before the work. What was stored stays; the next one fetches again and
    /// writes the rest.
    #[error("the time of the invocation is over")]
    OutOfTime,
    /// A continuation that is to wait, for so long from now on.
    #[error("the collection is to be continued later")]
    TooEarly(Duration),
    /// A defect of this program. The panic's own message is in the log before this.
    #[error("the work panicked")]
    Panicked,
}

impl CollectError {
    /// What happens to the message: it is retried, dead-lettered at once ([`Advice::Stop`]), or
    /// retried late while an alarm goes off.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Belvo(error) => error.advice(),
            Self::Store(error) => error.advice(),
            Self::Queue(error) => error.advice(),
            Self::Message(_) => Advice::Stop,
            Self::OutOfTime => Advice::Retry(FIRST_RETRY),
            Self::TooEarly(wait) => Advice::Retry(*wait),
            Self::Panicked => Advice::Alarm,
        }
    }

    /// Whether trying again may succeed without an operator.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.advice(), Advice::Retry(_))
    }
}
