//! A link as the API shows it.

use std::collections::BTreeMap;

use domain::{
    AskedCollection, LastCollection, LeftOut, LinkEvent, LinkId, LinkRecord, LinkState, Sequence,
    Timestamp,
};
use serde::Serialize;

use super::BlockView;

/// What those who follow a link are told of it.
#[derive(Debug, Serialize)]
pub struct LinkStateView<'a> {
    link: &'a LinkId,
    #[serde(flatten)]
    state: LinkState<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<BlockView>,
}

/// Leaves out who the user is at the bank.
#[derive(Debug, Serialize)]
pub struct LinkView<'a> {
    #[serde(flatten)]
    state: LinkStateView<'a>,
    institution: &'a Option<String>,
    access_mode: &'a Option<String>,
    refresh_rate: &'a Option<String>,
    created_at: Option<Timestamp>,
    heard_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_at: Option<Timestamp>,
    stale: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    collected: &'a BTreeMap<String, LastCollection>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    asked: &'a BTreeMap<String, AskedCollection>,
    sequence: Sequence,
    last_event: &'a Option<LinkEvent>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    left_out: &'a BTreeMap<String, Vec<LeftOut>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    scrub_at: &'a BTreeMap<String, Timestamp>,
}

impl<'a> From<&'a LinkRecord> for LinkStateView<'a> {
    fn from(record: &'a LinkRecord) -> Self {
        Self {
            link: &record.id,
            state: record.state(),
            blocked: record.block().map(BlockView::from),
        }
    }
}

impl<'a> From<&'a LinkRecord> for LinkView<'a> {
    fn from(record: &'a LinkRecord) -> Self {
        let connection = &record.connection;
        Self {
            state: record.into(),
            institution: &connection.institution,
            access_mode: &connection.access_mode,
            refresh_rate: &connection.refresh_rate,
            created_at: connection.created_at,
            heard_at: record.last_seen_at,
            expected_at: record.expected_at(),
            stale: record.is_stale(),
            collected: &record.collected,
            asked: &record.asked,
            sequence: record.sequence,
            last_event: &record.last_event,
            left_out: &record.left_out,
            scrub_at: &record.scrub_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_view_does_not_identify_the_user() {
        let record = serde_json::json!({
            "id": "bcca0da9-a4c6-4830-9676-1d54682851d9",
            "customer": "user",
            "shut_out": {"reason": "token_required", "since": "2026-03-01T00:00:00.000Z"}
        });
        let record: LinkRecord = serde_json::from_value(record).unwrap();
        let view = serde_json::to_value(LinkView::from(&record)).unwrap();

        assert_eq!(view["blocked"]["reason"], "token_required");
        let remedy = view["blocked"]["remedy"].as_str().unwrap();
        assert!(remedy.contains("update mode"), "{remedy}");
        assert!(!view.to_string().contains("user\""), "{view}");
    }
}
