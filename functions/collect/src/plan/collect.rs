//! Rows that somebody asks for.

use domain::{AskedCollection, Days, LinkId, LinkRecord, Resource, Timestamp};
use shared::{belvo::LINK_DELETED, queue::Trigger};

use super::check_link;
use crate::{CollectError, job::Job, link_record::LinkKeeper};

/// Fetches them as those of a link that is checked. If Belvo no longer has the link, that is the
/// end of it.
pub(super) async fn plan(
    links: LinkKeeper<'_>,
    link: &LinkId,
    (resource, days): (Resource, Days),
    asked_at: Timestamp,
) -> Result<Option<Job>, CollectError> {
    let trigger = Trigger::Asked { at: asked_at };
    let job = check_link::fetch(links, link, (resource, days), trigger).await?;
    if job.is_none() {
        let asked = AskedCollection {
            asked_at,
            ended_at: Timestamp::now(),
            failure: Some(LINK_DELETED.to_owned()),
        };
        let ended = |known: LinkRecord| known.asked_ended(resource, asked.clone());
        links.announce(link, ended).await?;
    }
    Ok(job)
}
