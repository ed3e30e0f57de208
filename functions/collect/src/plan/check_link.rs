//! A link without a webhook for two of its refresh periods, or whose deletion was not confirmed.

use domain::{LinkId, Resource, Retrieval};
use shared::{queue::Trigger, store::Rows};

use super::days;
use crate::{CollectError, job::Job, link_record::LinkKeeper, waiter::Waiter};

/// Asks Belvo about the link and fetches its latest transactions, unless it is being deleted.
pub(super) async fn plan(
    links: LinkKeeper<'_>,
    transactions: &Rows,
    link: &LinkId,
) -> Result<Option<Job>, CollectError> {
    let Some(known) = links.refresh(link).await? else {
        return Ok(None);
    };
    if known.deletion.is_some() {
        links.delete_again(link).await?;
        return Ok(None);
    }

    let days = days::latest(transactions, link).await?;
    let retrieval = Retrieval::of(link.clone(), Resource::TRANSACTIONS);
    let waiter = Waiter::new(Trigger::Check, link.as_str(), None);
    Ok(Some(Job::new(retrieval, days, waiter)))
}
