//! When and by which retrieval something was seen at Belvo.

use crate::{
    domain::{RequestId, Timestamp},
    store::item::{Item, text},
};

#[derive(Debug, Clone)]
pub struct Observation {
    /// The time of the fetch.
    pub at: Timestamp,
    /// The retrieval that it belongs to; absent where Belvo names none.
    pub request: Option<RequestId>,
}

impl Observation {
    pub(super) fn attributes(&self) -> Item {
        let mut attributes = Item::from([("_stored_at".to_owned(), text(self.at.to_string()))]);
        if let Some(request) = &self.request {
            attributes.insert("_request".to_owned(), text(request.as_str()));
        }
        attributes
    }
}
