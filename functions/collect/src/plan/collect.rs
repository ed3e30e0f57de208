//! Rows that somebody asks for.

use domain::{Days, LinkId, LinkRecord, Resource, Timestamp};
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
        let (asked, now) = ((resource, asked_at), Timestamp::now());
        let ended = |known: LinkRecord| known.asked_ended(asked, now, Some(LINK_DELETED));
        links.announce(link, ended).await?;
    }
    Ok(job)
}
