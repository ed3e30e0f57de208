//! A request that is unknown here may be one whose answer from Belvo was lost.

use domain::{LinkRecord, RequestRecord, Timestamp};

use crate::{App, CollectError};

/// Lets a request settle the open intent that it probably belongs to. Its link is then known: its
/// rows were requested here.
pub(super) async fn claim(
    app: &App,
    record: &RequestRecord,
    at: Timestamp,
) -> Result<(), CollectError> {
    if record.facts().issued_at.is_some() {
        return Ok(());
    }
    let (control, retrieval) = (&app.control, &record.retrieval);
    let claimed = control
        .intents
        .claim(&retrieval.link, retrieval.resource, &record.id, at);
    if claimed.await? {
        let requested = |known: LinkRecord| known.requested(at, app.deadlines.due_s);
        control.links.change(&retrieval.link, requested).await?;
        control.requests.keep(&record.id).await?;
    }
    Ok(())
}
