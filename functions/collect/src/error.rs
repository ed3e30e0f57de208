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
    #[error("a call to Belvo failed")]
    Belvo(#[from] BelvoError),
    #[error("the store could not be used")]
    Store(#[from] StoreError),
    #[error("a message could not be queued")]
    Queue(#[from] QueueError),
    #[error("the message cannot be read")]
    Message(#[from] TaskError),
    /// The invocation ended before the work was done. Stored rows stay; the next invocation fetches
    /// again and writes the rest.
    #[error("the invocation ran out of time")]
    OutOfTime,
    /// Other messages wait, and something was done.
    #[error("other messages wait")]
    TurnOver,
    /// A continuation that must wait this long from now.
    #[error("the collection is to be continued later")]
    TooEarly(Duration),
    /// A bug in this program. The log has the panic's own message before this.
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
            Self::OutOfTime | Self::TurnOver => Advice::Retry(FIRST_RETRY),
            Self::TooEarly(wait) => Advice::Retry(*wait),
            Self::Panicked => Advice::Alarm,
        }
    }

    /// The end of the turn, where that is all that happened: nothing was sent that is unanswered.
    pub(crate) fn of_turn(self) -> Self {
        match self {
            Self::Belvo(BelvoError::Interrupted { was_sent: false }) => Self::TurnOver,
            error => error,
        }
    }

    /// Whether a retry may succeed without an operator.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.advice(), Advice::Retry(_))
    }
}
