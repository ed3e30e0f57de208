//! Looks for requests whose webhook has not come, and sends each to its link's group, so that it is looked after in order with
//! the link's other work.

use lambda_runtime::tracing;
use shared::{cause::chain, domain::Timestamp, queue::Delivery};

use crate::{Collect, CollectError};

/// Requests that one sweep looks at; the next one goes on.
const AT_ONCE: i32 = 200;

/// Sends a message for every overdue request. May be repeated: SQS drops a message about the same request and deadline, and
/// looking twice after a request is as harmless as a second webhook.
pub(crate) async fn run(collect: &Collect) -> Result<(), CollectError> {
    let now = Timestamp::now();
    let overdue = collect.requests.overdue(now, AT_ONCE).await?;
    let oldest_s = overdue.iter().filter_map(|record| record.issued_at).map(|at| now.millis_since(at) / 1_000).max();
    // The metric of the oldest unanswered request is made of this line (template.yaml).
    tracing::info!(requests = overdue.len(), oldest_s = oldest_s.unwrap_or(0), "overdue requests");
    for record in overdue {
        match Delivery::of_overdue_request(&record) {
            Ok(delivery) => collect.queue.send(&delivery).await?,
            Err(error) => {
                tracing::error!(correlation.id = record.id.as_str(), cause = %chain(&error), "request not looked after");
            }
        }
    }
    Ok(())
}
