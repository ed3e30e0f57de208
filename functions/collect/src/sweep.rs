//! Looks for requests whose webhook has not come, and for links of which nothing was heard, and
//! sends each to its link's group, so that it is looked after in order with the link's other work.

use lambda_runtime::tracing;
use shared::{
    cause::chain,
    domain::{Sweep, Timestamp},
    queue::Delivery,
};

use crate::{Collect, CollectError};

/// Requests, and links, that one sweep looks at; the next one goes on.
const AT_ONCE: i32 = 500;

/// Looks for both. May be repeated.
pub(crate) async fn run(collect: &Collect) -> Result<(), CollectError> {
    overdue_requests(collect).await?;
    silent_links(collect).await
}

/// Sends a message for every silent link, which is silent again after as long.
async fn silent_links(collect: &Collect) -> Result<(), CollectError> {
    let now = Timestamp::now();
    let (silent, unreadable) = collect.requests.silent_links(now, AT_ONCE).await?;
    if unreadable > 0 {
        tracing::error!(links = unreadable, "silent links cannot be read");
    }
    for record in silent {
        let next = record.clone().looked_after(now).silent_at().unwrap_or(now);
        tracing::warn!(
            link.id = record.id.as_str(),
            heard_at = record.heard_at.map(|at| at.to_string()),
            "silent link"
        );
        // Sent before it is written down: twice does no harm, and not at all would wait for two
        // more periods.
        match Delivery::of_silent_link(&record.id, next) {
            Ok(delivery) => collect.queue.send(&delivery).await?,
            Err(error) => {
                tracing::error!(link.id = record.id.as_str(), cause = %chain(&error), "link not looked after");
            }
        }
        collect
            .requests
            .change_link(&record.id, |known| Some(known.looked_after(now)))
            .await?;
    }
    Ok(())
}

/// Sends a message for every overdue request, and makes it due again later, so that the next sweep
/// does not send another and comes to the others. What is still there long after its time ends
/// here. May be repeated. What fails in between is looked after when it is due again.
async fn overdue_requests(collect: &Collect) -> Result<(), CollectError> {
    let now = Timestamp::now();
    let (overdue, unreadable) = collect.requests.overdue(now, AT_ONCE).await?;
    if unreadable > 0 {
        tracing::error!(requests = unreadable, "overdue requests cannot be read");
    }
    let ages_s = overdue
        .iter()
        .filter_map(|record| record.issued_at)
        .map(|at| now.millis_since(at) / 1_000);
    let oldest_s = ages_s.max().unwrap_or(0);
    let oldest_percent = oldest_s * 100 / u64::from(collect.deadlines.expires_s.max(1));
    // The metrics of the oldest unanswered request are made of this line (template.yaml).
    tracing::info!(
        requests = overdue.len(),
        oldest_s,
        oldest_percent,
        "overdue requests"
    );
    for record in overdue {
        let next = match record.facts().sweep(now, collect.deadlines) {
            Sweep::LookAfter(next) => next,
            Sweep::Expire => {
                tracing::error!(
                    correlation.id = record.id.as_str(),
                    link.id = record.link.as_str(),
                    expired = true,
                    "request never looked after"
                );
                collect.requests.expired(&record.id, now).await?;
                continue;
            }
            Sweep::Forget => {
                collect.requests.postpone(&record.id, None).await?;
                continue;
            }
        };
        collect.requests.postpone(&record.id, Some(next)).await?;
        match Delivery::of_overdue_request(&record, next) {
            Ok(delivery) => collect.queue.send(&delivery).await?,
            Err(error) => {
                tracing::error!(correlation.id = record.id.as_str(), cause = %chain(&error), "request not looked after");
            }
        }
    }
    Ok(())
}
