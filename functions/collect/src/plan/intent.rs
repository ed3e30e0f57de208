//! A request that is unknown here may be one whose answer from Belvo was lost.

use domain::{RequestRecord, Timestamp};
use shared::store::Intents;

use crate::CollectError;

/// Lets a request settle the open intent that it probably belongs to.
pub(super) async fn claim(
    intents: &Intents,
    record: &RequestRecord,
    at: Timestamp,
) -> Result<(), CollectError> {
    if record.facts().issued_at.is_some() {
        return Ok(());
    }
    let retrieval = &record.retrieval;
    let claim = intents.claim(&retrieval.link, retrieval.resource, &record.id, at);
    Ok(claim.await?)
}
