//! Continues a collection, once it may be, with what is known about its requests.

use std::time::Duration;

use domain::{RowQuery, Timestamp};
use shared::{
    queue::{Continuation, Delivery, Trigger},
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

    Ok(Job {
        query: RowQuery {
            resource: continuation.resource,
            link: continuation.link.clone(),
            days: continuation.progress.days(),
            account: continuation.account.clone(),
        },
        coverage: continuation.coverage,
        progress: Some(continuation.progress.clone()),
        waiters: waiters(requests, continuation).await?,
    })
}

/// The requests that it ends, each with the webhook that names it, and the webhooks that name none
/// of them.
async fn waiters(
    requests: &Requests,
    continuation: &Continuation,
) -> Result<Vec<Waiter>, CollectError> {
    let (trigger, correlation_id) = (&continuation.trigger, continuation.correlation_id());
    let of_webhook = |delivery: &Delivery| Trigger::Webhook(Box::new(delivery.clone()));
    let mut waiters = Vec::with_capacity(continuation.requests.len());
    for id in &continuation.requests {
        let record = requests.get(id).await?;
        let names_it = |one: &&Delivery| one.webhook.request_id.as_ref() == Some(id);
        let named = continuation.deliveries().find(names_it).map(of_webhook);
        let trigger = named.unwrap_or_else(|| trigger.clone());
        waiters.push(Waiter::new(trigger, correlation_id, record));
    }

    let is_waiting = |delivery: &Delivery| {
        let request = delivery.webhook.request_id.as_ref();
        request.is_some_and(|id| continuation.requests.contains(id))
    };
    let others = continuation.deliveries().filter(|one| !is_waiting(one));
    waiters.extend(others.map(|one| Waiter::new(of_webhook(one), correlation_id, None)));
    if waiters.is_empty() {
        waiters.push(Waiter::new(trigger.clone(), correlation_id, None));
    }
    Ok(waiters)
}
