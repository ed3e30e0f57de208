//! Answers of AWS that are errors.

use dynoxide::errors::DynoxideError;

/// An error answer.
pub(crate) struct Refusal {
    pub(super) status: u16,
    pub(super) body: String,
    /// Whether a partition had no units for the operation.
    pub(super) is_of_throughput: bool,
}

impl Refusal {
    /// The answer to something that no measured function asks for.
    pub(super) fn unsupported(operation: &str) -> Self {
        Self {
            status: 400,
            body: format!("{operation} is not supported"),
            is_of_throughput: false,
        }
    }
}

impl From<DynoxideError> for Refusal {
    fn from(error: DynoxideError) -> Self {
        Self {
            status: error.status_code(),
            body: error.to_json(),
            is_of_throughput: matches!(
                error,
                DynoxideError::ProvisionedThroughputExceededException(_)
            ),
        }
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self {
            status: 400,
            body: error.to_string(),
            is_of_throughput: false,
        }
    }
}
