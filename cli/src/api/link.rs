//! Links as the API shows them.

use std::collections::BTreeMap;

use domain::{
    AskedCollection, Consent, Deletion, LastCollection, LeftOut, LinkEvent, LinkId, Timestamp,
};
use serde::{Deserialize, Serialize};

/// `GET /links/{link}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    #[serde(rename = "link")]
    pub(crate) id: LinkId,
    pub(crate) institution: Option<String>,
    pub(crate) access_mode: Option<String>,
    pub(crate) refresh_rate: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) registered_at: Option<Timestamp>,
    pub(crate) heard_at: Option<Timestamp>,
    pub(crate) expected_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) stale: bool,
    /// By resource.
    #[serde(default)]
    pub(crate) collected: BTreeMap<String, LastCollection>,
    /// By resource.
    #[serde(default)]
    pub(crate) asked: BTreeMap<String, AskedCollection>,
    /// By resource.
    #[serde(default)]
    pub(crate) left_out: BTreeMap<String, Vec<LeftOut>>,
    pub(crate) last_event: Option<LinkEvent>,
    pub(crate) blocked: Option<Blocked>,
    pub(crate) consent: Option<Consent>,
    pub(crate) deletion: Option<Deletion>,
}

/// Why nothing is sent to Belvo for a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blocked {
    pub(crate) reason: String,
    pub(crate) since: Timestamp,
    pub(crate) remedy: String,
}

/// The answer of `POST /links/{link}/collections`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) link: LinkId,
    pub(crate) resource: String,
    pub(crate) asked_at: Timestamp,
}
