//! Looks for requests whose webhook has not come, and sends each to its link's group, so that it is looked after in order with
//! the link's other work.

use lambda_runtime::tracing;
use shared::{cause::chain, domain::Timestamp, queue::Delivery};

use crate::{Collect, CollectError};

/// Requests that one sweep looks at; the next one goes on.
const AT_ONCE: i32 = 500;

/// Sends a message for every overdue request, and makes it due again later, so that the next sweep does not send another
/// and comes to the others. May be repeated. What fails in between is looked after when it is due again.
pub(crate) async fn run(collect: &Collect) -> Result<(), CollectError> {
    let now = Timestamp::now();
    let next = now.plus_seconds(collect.deadlines.due_s.into());
    let (overdue, unreadable) = collect.requests.overdue(now, AT_ONCE).await?;
    if unreadable > 0 {
        tracing::error!(requests = unreadable, "overdue requests cannot be read");
    }
    let oldest_s = overdue.iter().filter_map(|record| record.issued_at).map(|at| now.millis_since(at) / 1_000).max();
    // The metric of the oldest unanswered request is made of this line (template.yaml).
    tracing::info!(requests = overdue.len(), oldest_s = oldest_s.unwrap_or(0), "overdue requests");
    for record in overdue {
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
