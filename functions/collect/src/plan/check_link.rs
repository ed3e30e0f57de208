//! A link whose rows are to be read whatever webhooks said, or whose deletion was not confirmed.

use domain::{Days, LinkId, Resource, Retrieval};
use shared::queue::Trigger;

use super::DaysToFetch;
use crate::{CollectError, job::Job, link_record::LinkKeeper, waiter::Waiter};

/// Plans a reading of the link as a whole.
pub(super) async fn plan(
    links: LinkKeeper<'_>,
    link: &LinkId,
    resource: Resource,
) -> Result<Option<Job>, CollectError> {
    fetch(links, link, (resource, Days::ALL), Trigger::Check).await
}

/// Asks Belvo about the link, if it is registered, and fetches its rows of these days, unless it is
/// being deleted.
pub(super) async fn fetch(
    links: LinkKeeper<'_>,
    link: &LinkId,
    (resource, days): (Resource, Days),
    trigger: Trigger,
) -> Result<Option<Job>, CollectError> {
    let Some(known) = links.check(link).await? else {
        return Ok(None);
    };
    if known.deletion.is_some() {
        links.delete_again(link).await?;
        return Ok(None);
    }

    let days = DaysToFetch::certain(days);
    let retrieval = Retrieval::of(link.clone(), resource);
    let waiter = Waiter::new(trigger, link.as_str(), None);
    Ok(Some(Job::new(retrieval, days, waiter)))
}
