//! Why a command failed, and what to do about it.

use std::error::Error;

use serde_json::{Value, json};
use thiserror::Error;

use crate::api::Problem;

/// A failed command.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// The command line asks for what cannot be.
    #[error("{message}")]
    Usage {
        message: String,
        remedy: &'static str,
    },
    /// Nothing has this id.
    #[error("{0}")]
    Missing(String),
    /// The person who was asked did not agree.
    #[error("not confirmed: nothing was done")]
    Declined,
    /// The API refused, and says why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// Something that the command needs could not be used.
    #[error("could not {doing}")]
    Failed {
        doing: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
        remedy: &'static str,
    },
}

impl CliError {
    #[must_use]
    pub(crate) fn usage(message: impl Into<String>, remedy: &'static str) -> Self {
        Self::Usage {
            message: message.into(),
            remedy,
        }
    }

    #[must_use]
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => 2,
            Self::Missing(_) => 4,
            Self::Declined => 5,
            Self::Refused(problem) if problem.status == 404 => 4,
            Self::Refused(_) | Self::Failed { .. } => 1,
        }
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn remedy(&self) -> Option<&str> {
        let remedy = match self {
            Self::Usage { remedy, .. } | Self::Failed { remedy, .. } => Some(*remedy),
            Self::Refused(problem) => problem.remedy(),
            Self::Missing(_) | Self::Declined => None,
        };
        remedy.filter(|remedy| !remedy.is_empty())
    }

    /// The field or parameter to correct, if the API names one.
    #[must_use]
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => problem.field.as_deref(),
            _ => None,
        }
    }

    /// Every cause behind it, from the outermost.
    #[must_use]
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            cause = error.source();
        }
        causes
    }

    /// The same for programs.
    #[must_use]
    pub(crate) fn to_json(&self) -> Value {
        let problem = match self {
            Self::Refused(problem) => json!(problem),
            _ => Value::Null,
        };
        json!({"error": {
            "message": self.to_string(),
            "exit_code": self.exit_code(),
            "field": self.field(),
            "remedy": self.remedy(),
            "causes": self.causes(),
            "problem": problem,
        }})
    }
}

/// Turns the error of a step into that of the command.
pub(crate) trait OrFail<T> {
    /// `doing` is what could not be done, in words that follow "could not"; `remedy` is what to do
    /// about it, or nothing.
    fn or_fail(self, doing: impl Into<String>, remedy: &'static str) -> Result<T, CliError>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_fail(self, doing: impl Into<String>, remedy: &'static str) -> Result<T, CliError> {
        self.map_err(|cause| CliError::Failed {
            doing: doing.into(),
            cause: cause.into(),
            remedy,
        })
    }
}
