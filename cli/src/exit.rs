//! How a command ended, for the shell.

use std::process::ExitCode;

/// How a command ended that did what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Nothing needs a person.
    Fine,
    /// Something was found that does.
    NeedsAttention,
}

/// The exit codes, as the help of the command shows them.
pub(crate) const EXIT_CODES: [(u8, &str); 6] = [
    (0, "fine"),
    (1, "failed: the error says why, and what to do"),
    (2, "the command line is not right"),
    (3, "something was found that needs attention"),
    (4, "nothing has this id"),
    (5, "not confirmed, so that nothing was done"),
];

impl Outcome {
    /// `NeedsAttention` if something was found.
    #[must_use]
    pub(crate) fn attention_if(found: bool) -> Self {
        if found {
            Self::NeedsAttention
        } else {
            Self::Fine
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Fine => Self::from(0),
            Outcome::NeedsAttention => Self::from(3),
        }
    }
}
