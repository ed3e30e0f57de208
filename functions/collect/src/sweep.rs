//! Finds overdue requests and stale links, and queues a check of each in its link's group, so that
//! it is processed in order with the link's other work.

use domain::{Deadlines, LinkRecord, RequestRecord, SweepDecision, Timestamp};
use lambda_runtime::tracing;
use shared::{
    queue::{Queue, Task},
    store::{Control, Requests},
    telemetry::Event,
};

use crate::{CollectError, ending};

/// How many requests, and how many links, one sweep handles; the next sweep continues.
const AT_ONCE: u16 = 500;

/// Runs one sweep. Safe to repeat.
pub(crate) async fn run(
    control: &Control,
    queue: &Queue,
    deadlines: Deadlines,
) -> Result<(), CollectError> {
    overdue_requests(&control.requests, queue, deadlines).await?;
    stale_links(control, queue).await
}

/// Queues a check of every stale link, which becomes stale again after the same time.
async fn stale_links(control: &Control, queue: &Queue) -> Result<(), CollectError> {
    let now = Timestamp::now();
    let (stale, unreadable) = control.links.stale(now, AT_ONCE).await?;
    if unreadable > 0 {
        tracing::error!(
            event = Event::StaleUnreadable.name(),
            links = unreadable,
            "the records of stale links cannot be read"
        );
    }

    for record in stale {
        tracing::warn!(
            event = Event::LinkStale.name(),
            link.id = record.id.as_str(),
            last_seen_at = record.last_seen_at.map(|at| at.to_string()),
            "link is stale; queueing a check"
        );
        // Queued before it is recorded: a second check does no harm, but a lost one would wait for
        // two more periods.
        let link = record.id.clone();
        queue.send(&Task::CheckLink { link }).await?;
        let checked = |known: LinkRecord| known.checked(now);
        control.links.change(&record.id, checked).await?;
    }
    Ok(())
}

/// Queues a check of every overdue request, and makes it due again later, so that the next sweep
/// handles other requests instead of queuing a second check. Expires requests that are still open
/// long after their time. Safe to repeat: a check that is lost in between is queued when the
/// request is due again.
async fn overdue_requests(
    requests: &Requests,
    queue: &Queue,
    deadlines: Deadlines,
) -> Result<(), CollectError> {
    let now = Timestamp::now();
    let (overdue, unreadable) = requests.overdue(now, AT_ONCE).await?;
    if unreadable > 0 {
        tracing::error!(
            event = Event::OverdueUnreadable.name(),
            requests = unreadable,
            "the records of overdue requests cannot be read"
        );
    }
    log_oldest(&overdue, now, deadlines);

    for record in overdue {
        match record.facts().sweep(now, deadlines) {
            SweepDecision::Check { next } => {
                requests.postpone(&record.id, next).await?;
                queue.send(&check(record, next)).await?;
            }
            SweepDecision::Expire => {
                log_never_checked(&record);
                ending::expire(requests, &record).await?;
            }
            SweepDecision::Forget => requests.no_longer_due(&record.id, now).await?,
        }
    }
    Ok(())
}

/// Logs the line behind the metrics of the oldest unanswered request (template.yaml).
fn log_oldest(overdue: &[RequestRecord], now: Timestamp, deadlines: Deadlines) {
    let issued_at = overdue.iter().filter_map(|record| record.facts().issued_at);
    let oldest_s = issued_at.map(|at| now.seconds_since(at)).max().unwrap_or(0);
    let oldest_percent = oldest_s * 100 / u64::from(deadlines.expires_s.max(1));
    tracing::info!(
        event = Event::OverdueRequests.name(),
        requests = overdue.len(),
        oldest_s,
        oldest_percent,
        "overdue requests"
    );
}

fn log_never_checked(record: &RequestRecord) {
    tracing::error!(
        event = Event::RequestNeverChecked.name(),
        correlation.id = record.id.as_str(),
        link.id = record.retrieval.link.as_str(),
        "overdue request was never checked"
    );
}

fn check(record: RequestRecord, next: Timestamp) -> Task {
    Task::CheckOverdue {
        resource: record.retrieval.resource,
        link: record.retrieval.link,
        request: record.id,
        next,
    }
}
