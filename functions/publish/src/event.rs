//! An event, as it is on the bus. Its shapes are public: `docs/events` has a schema for each.

use domain::{BlockReason, LastCollection, LinkId, RequestId, Resource, Sequence, Timestamp};
use serde::Serialize;

/// Of the shapes. A field may be added without a new one.
const VERSION: u8 = 1;

/// What happened to a link or a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    version: u8,
    #[serde(rename = "type")]
    pub name: &'static str,
    /// The same at each repetition.
    pub id: String,
    pub at: Timestamp,
    #[serde(flatten)]
    about: About,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum About {
    Link(OfLink),
    Request(OfRequest),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct OfLink {
    pub(crate) link: LinkId,
    /// That of the link's news, which `GET /changes` returns.
    pub(crate) sequence: Sequence,
    #[serde(flatten)]
    pub(crate) change: LinkChange,
}

/// What happened to a link.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum LinkChange {
    Connected {},
    Blocked {
        reason: BlockReason,
        since: Timestamp,
    },
    Unblocked {},
    Erased {},
    ConsentExpires {
        /// In Belvo's words, if they name a day or an instant.
        #[serde(skip_serializing_if = "Option::is_none")]
        due_date: Option<String>,
    },
    RowsChanged {
        resource: Resource,
        counts: Counts,
        cursor: String,
    },
    AccountsChanged {
        cursor: String,
    },
    /// Anything else that its followers can see.
    Changed {
        cursor: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct OfRequest {
    pub(crate) request: RequestId,
    pub(crate) link: LinkId,
    pub(crate) resource: Resource,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verdict: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) counts: Option<Counts>,
    /// Belvo's code of the failure, or `gave_up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
}

/// Rows that a collection found new, different, and gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    added: u64,
    modified: u64,
    removed: u64,
}

impl Event {
    /// Something of a link that has happened once with this sequence.
    pub(crate) fn of_link(about: OfLink, at: Timestamp) -> Self {
        let once = about.sequence.number().to_string();
        Self::of_link_once(about, at, &once)
    }

    /// Something of a link that `once` tells from what happens later.
    pub(crate) fn of_link_once(about: OfLink, at: Timestamp, once: &str) -> Self {
        let name = about.change.name();
        Self {
            version: VERSION,
            name,
            id: format!("{}/{once}/{name}", about.link),
            at,
            about: About::Link(about),
        }
    }

    /// The end of a request; it may end another way later.
    pub(crate) fn of_request(name: &'static str, about: OfRequest, at: Timestamp) -> Self {
        Self {
            version: VERSION,
            name,
            id: format!("{}/{at}/{name}", about.request),
            at,
            about: About::Request(about),
        }
    }
}

impl LinkChange {
    fn name(&self) -> &'static str {
        match self {
            Self::Connected {} => "link.connected",
            Self::Blocked { .. } => "link.blocked",
            Self::Unblocked {} => "link.unblocked",
            Self::Erased {} => "link.erased",
            Self::ConsentExpires { .. } => "consent.expiring",
            Self::RowsChanged { resource, .. } if *resource == Resource::TRANSACTIONS => {
                "transactions.changed"
            }
            Self::RowsChanged { .. } => "resources.changed",
            Self::AccountsChanged { .. } => "accounts.changed",
            Self::Changed { .. } => "link.changed",
        }
    }
}

impl From<&LastCollection> for Counts {
    fn from(collection: &LastCollection) -> Self {
        Self {
            added: collection.added,
            modified: collection.modified,
            removed: collection.removed,
        }
    }
}
