//! A caller's request for a retrieval.

use domain::{Retrieval, RetrievalClass, Timestamp};

pub(crate) struct RetrievalRequest {
    pub(crate) retrieval: Retrieval,
    /// When it was received: the time of its intent, and of its place in a month's quota.
    pub(crate) at: Timestamp,
}

impl RetrievalRequest {
    /// How it counts against the month's limits, if it does.
    pub(crate) fn class(&self) -> Option<RetrievalClass> {
        let is_metered = self.retrieval.resource.is_metered();
        let window = self.retrieval.window.filter(|_| is_metered)?;
        Some(RetrievalClass::of(&window, self.at.day()))
    }
}
