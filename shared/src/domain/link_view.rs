//! A link as the API shows it.

use serde::Serialize;

use super::{BlockView, Consent, Deletion, LinkEvent, LinkId, LinkRecord, Timestamp};

/// A link as the API shows it: not who the user is at the bank.
#[derive(Debug, Serialize)]
pub struct LinkView<'a> {
    link: &'a LinkId,
    institution: &'a Option<String>,
    access_mode: &'a Option<String>,
    refresh_rate: &'a Option<String>,
    status: &'a Option<String>,
    external_id: &'a Option<String>,
    created_at: Option<Timestamp>,
    registered_at: Option<Timestamp>,
    heard_at: Option<Timestamp>,
    last_event: &'a Option<LinkEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<BlockView>,
    #[serde(skip_serializing_if = "Consent::is_unknown")]
    consent: &'a Consent,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion: &'a Option<Deletion>,
}

impl<'a> From<&'a LinkRecord> for LinkView<'a> {
    fn from(record: &'a LinkRecord) -> Self {
        let connection = &record.connection;
        Self {
            link: &record.id,
            institution: &connection.institution,
            access_mode: &connection.access_mode,
            refresh_rate: &connection.refresh_rate,
            status: &connection.status,
            external_id: &connection.external_id,
            created_at: connection.created_at,
            registered_at: record.registered_at,
            heard_at: record.heard_at,
            last_event: &record.last_event,
            blocked: record.block().map(BlockView::from),
            consent: &record.consent,
            deletion: &record.deletion,
        }
    }
}
