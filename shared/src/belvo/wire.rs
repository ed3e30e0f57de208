//! The JSON that Belvo sends, before it is interpreted.

use std::fmt;

use domain::{Direction, SentRows};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The 202 body of an asynchronous POST.
#[derive(Debug, Deserialize)]
pub(super) struct Accepted {
    pub(super) request_id: String,
}

/// A row of the array with which Belvo answers a POST at once, of which only the shape is of
/// interest: an object.
#[derive(Debug, Deserialize)]
pub(super) struct AnyRow {}

/// The body of `POST /api/transactions/` and of the similar ones. `save_data` is left at its
/// default, true: without it there would be nothing to GET.
#[derive(Debug, Serialize)]
pub(super) struct RetrievalBody<'a> {
    pub(super) link: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) direction: Option<Direction>,
}

/// One entry of the array in Belvo's error body. Any field may be missing, null or not text.
#[derive(Clone, Default, Deserialize)]
pub(super) struct ErrorEntry {
    pub(super) code: Option<Value>,
    pub(super) message: Option<Value>,
    pub(super) field: Option<Value>,
    pub(super) request_id: Option<Value>,
}

/// One page of a listing.
pub struct Page {
    /// How many rows, or accounts, the whole listing holds, by Belvo's count.
    pub count: u64,
    /// The rows of this page, not yet parsed.
    pub rows: SentRows,
    /// The next page; absent on the last one.
    pub next: Option<NextPage>,
}

/// Shows how many rows it has only: they are a person's.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("count", &self.count)
            .field("rows", &self.rows.len())
            .field("has_next", &self.next.is_some())
            .finish()
    }
}

/// The address of a further page, on the host and path of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextPage {
    pub(super) url: url::Url,
    /// Whether the page before had as many rows as the address asks for: only then is it known
    /// where smaller pages begin.
    pub(super) is_divisible: bool,
}
