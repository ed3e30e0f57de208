//! Answers of AWS that are errors.

use dynoxide::errors::DynoxideError;

/// An error answer.
pub struct Refusal {
    pub status: u16,
    pub body: String,
    /// Whether a partition had no units for the operation.
    pub is_of_throughput: bool,
}

impl Refusal {
    /// The answer to something that no function asks for.
    #[must_use]
    pub fn unsupported(operation: &str) -> Self {
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
