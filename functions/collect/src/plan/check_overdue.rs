//! A request whose webhook has not arrived in time.

use domain::{LinkId, OverdueCheck, RequestId, Timestamp};
use shared::{queue::Trigger, store::Requests};

use super::days::DaysToFetch;
use crate::{CollectError, job::Job, waiter::Waiter};

/// Fetches its rows, unless it has ended in the meantime or a later check is due.
pub(super) async fn plan(
    requests: &Requests,
    link: &LinkId,
    request: &RequestId,
    next: Timestamp,
) -> Result<Option<Job>, CollectError> {
    let Some(record) = requests.get(request).await? else {
        return Ok(None);
    };
    match record.facts().overdue_check(next) {
        OverdueCheck::Fetch if record.retrieval.link == *link => {}
        OverdueCheck::Fetch | OverdueCheck::Superseded => return Ok(None),
        OverdueCheck::Forget => {
            requests.no_longer_due(request, Timestamp::now()).await?;
            return Ok(None);
        }
    }

    let retrieval = record.retrieval.clone();
    let days = DaysToFetch::certain(retrieval.rows().days);
    let waiter = Waiter::new(Trigger::Check, request.as_str(), Some(record));
    Ok(Some(Job::new(retrieval, days, waiter)))
}
