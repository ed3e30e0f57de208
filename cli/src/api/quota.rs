//! How many retrievals a link has left.

use domain::Timestamp;
use serde::{Deserialize, Serialize};

/// `GET /links/{link}/quota`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quota {
    pub(crate) month: String,
    pub(crate) counted_for: String,
    /// The long ones, and the short ones.
    pub(crate) retrievals: Vec<ClassQuota>,
}

/// What is left of one class of retrievals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClassQuota {
    pub(crate) class: String,
    pub(crate) limit: u32,
    pub(crate) used: u32,
    pub(crate) left: u32,
    pub(crate) closed_until: Option<Timestamp>,
    pub(crate) resets_at: Option<Timestamp>,
}

impl Quota {
    /// What is left of `long` or `short` retrievals.
    #[must_use]
    pub(crate) fn left(&self, class: &str) -> u32 {
        let of_class = self.retrievals.iter().find(|quota| quota.class == class);
        of_class.map_or(0, |quota| quota.left)
    }
}
