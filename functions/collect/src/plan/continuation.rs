//! Continues a collection, once it may be, with what is known about its requests.

use std::time::Duration;

use domain::{RowQuery, Timestamp};
use shared::{
    queue::{Continuation, Delivery},
    store::Requests,
};

use crate::{CollectError, job::Job, waiter::Waiter};

pub(super) async fn plan(
    requests: &Requests,
    continuation: &Continuation,
) -> Result<Job, CollectError> {
    if let Some(not_before) = continuation.not_before {
        let wait_ms = not_before.millis_since(Timestamp::now());
        if wait_ms > 0 {
            return Err(CollectError::TooEarly(Duration::from_millis(wait_ms)));
        }
    }

    let (trigger, correlation_id) = (&continuation.trigger, continuation.correlation_id());
    let mut waiters = Vec::with_capacity(continuation.requests.len());
    for id in &continuation.requests {
        let record = requests.get(id).await?;
        waiters.push(Waiter::new(trigger.clone(), correlation_id, record));
    }
    let is_unnamed = |delivery: &Delivery| delivery.webhook.request_id.is_none();
    if waiters.is_empty() || trigger.delivery().is_some_and(is_unnamed) {
        waiters.push(Waiter::new(trigger.clone(), correlation_id, None));
    }

    Ok(Job {
        query: RowQuery {
            resource: continuation.resource,
            link: continuation.link.clone(),
            days: continuation.progress.days(),
            account: continuation.account.clone(),
        },
        coverage: continuation.coverage,
        progress: Some(continuation.progress.clone()),
        waiters,
    })
}
