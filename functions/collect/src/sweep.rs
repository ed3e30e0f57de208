//! Finds overdue requests and stale links, and queues a check of each in its link's group, so that
//! it is processed in order with the link's other work.

use domain::{
    Deadlines, LinkDue, LinkFilter, LinkRecord, RequestRecord, SweepDecision, Timestamp,
    silence_percent,
};
use lambda_runtime::tracing;
use shared::{
    cause::chain,
    queue::{Queue, Task},
    store::{LinkGroup, Links, Requests, StoreError},
    telemetry::{ALWAYS, Event},
};

use crate::{App, CollectError, ending};

/// How many requests, and how many deletions, one sweep handles; the next sweep continues.
const AT_ONCE: u16 = 500;
/// How many links one sweep lets be read. Each keeps its place in a batch for a turn at most, so
/// that all of them delay other links by less than a minute (docs/decisions/0024).
const READINGS_AT_ONCE: u16 = 20;
/// How many links, the last to be registered, a sweep looks at to tell whether any webhook arrives.
const LATEST_LINKS: u16 = 100;

/// Runs one sweep. Safe to repeat.
pub(crate) async fn run(app: &App) -> Result<(), CollectError> {
    overdue_requests(&app.control.requests, &app.queue, app.deadlines).await?;
    let now = Timestamp::now();
    let unconfirmed = due_links(&app.control.links, LinkDue::Deletion, now, AT_ONCE).await?;
    check_all(app, &unconfirmed, now).await;

    let due = due_links(&app.control.links, LinkDue::Reading, now, READINGS_AT_ONCE).await?;
    log_oldest_reading(&due, now);
    // They wait behind fresh work.
    if !due.is_empty() && app.queue.waiting().await? <= usize::from(READINGS_AT_ONCE) {
        check_all(app, &due, now).await;
    }
    count_links(&app.control.links, now).await;
    Ok(())
}

async fn due_links(
    links: &Links,
    due: LinkDue,
    now: Timestamp,
    limit: u16,
) -> Result<Vec<LinkRecord>, CollectError> {
    let (records, unreadable) = links.due(due, now, limit).await?;
    if unreadable > 0 {
        tracing::error!(
            event = Event::DueUnreadable.name(),
            links = unreadable,
            "the records of links that are due cannot be read"
        );
    }
    Ok(records)
}

/// Queues checks of links. One that fails holds up no other; it stays due.
async fn check_all(app: &App, due: &[LinkRecord], now: Timestamp) {
    for record in due {
        if let Err(error) = check(app, record, now).await {
            tracing::error!(
                event = Event::LinkNotChecked.name(),
                link.id = record.id.as_str(),
                cause = %chain(&error),
                "the check of a link was not queued"
            );
        }
    }
}

/// Queues a check of a link, which is due again after its time. Queued before it is recorded: a
/// second check does no harm, but a lost one would wait for its time.
async fn check(app: &App, record: &LinkRecord, now: Timestamp) -> Result<(), CollectError> {
    if record.stale_at().is_some_and(|stale_at| stale_at <= now) {
        tracing::warn!(
            event = Event::LinkStale.name(),
            link.id = record.id.as_str(),
            last_seen_at = record.last_seen_at.map(|at| at.to_string()),
            "link is stale; queueing a check"
        );
    }
    for resource in record.to_check(now) {
        let link = record.id.clone();
        app.queue.send(&Task::CheckLink { resource, link }).await?;
    }
    let checked = |known: LinkRecord| known.checked(record, now, app.scrubs);
    app.control.links.change(&record.id, checked).await?;
    Ok(())
}

/// Logs the line behind the metric of late readings (template.yaml).
fn log_oldest_reading(due: &[LinkRecord], now: Timestamp) {
    let due_at = due.iter().filter_map(LinkRecord::due).map(|(_, at)| at);
    let oldest_s = due_at.map(|at| now.seconds_since(at)).max().unwrap_or(0);
    tracing::info!(
        target: ALWAYS,
        event = Event::ReadingsDue.name(),
        links = due.len(),
        oldest_s,
        "links to be read"
    );
}

/// Logs the line behind the metrics of links (template.yaml). If they cannot be counted, the next
/// sweep does it.
async fn count_links(links: &Links, now: Timestamp) {
    let counted = async {
        let blocked = links.count(LinkGroup::Blocked).await?;
        let stale = links.count(LinkGroup::Stale).await?;
        let (latest, _) = links
            .registered(&LinkFilter::default(), None, LATEST_LINKS)
            .await?;
        Ok::<_, StoreError>((blocked, stale, silence_percent(&latest, now)))
    };
    match counted.await {
        Ok((blocked, stale, silence_percent)) => tracing::info!(
            target: ALWAYS,
            event = Event::LinksCounted.name(),
            blocked,
            stale,
            silence_percent,
            "links counted"
        ),
        Err(error) => tracing::warn!(
            event = Event::LinksNotCounted.name(),
            cause = %chain(&error),
            "links could not be counted"
        ),
    }
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
                queue.send(&check_overdue(record, next)).await?;
            }
            SweepDecision::Expire => {
                log_never_checked(&record);
                ending::expire(requests, &record).await?;
            }
            SweepDecision::EndIncomplete => {
                log_never_checked(&record);
                requests.stayed_incomplete(&record.id, now).await?;
                ending::log_incomplete(&record);
            }
            SweepDecision::Forget => requests.no_longer_due(&record.id, now).await?,
        }
    }
    Ok(())
}

/// Logs the line behind the metrics of the oldest unanswered request (template.yaml).
fn log_oldest(overdue: &[RequestRecord], now: Timestamp, deadlines: Deadlines) {
    let facts = overdue.iter().map(RequestRecord::facts);
    let unanswered = facts.filter(|facts| facts.announced_at().or(facts.short_at).is_none());
    let issued_at = unanswered.filter_map(|facts| facts.issued_at);
    let oldest_s = issued_at.map(|at| now.seconds_since(at)).max().unwrap_or(0);
    let oldest_percent = oldest_s * 100 / u64::from(deadlines.expires_s.max(1));
    tracing::info!(
        target: ALWAYS,
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

fn check_overdue(record: RequestRecord, next: Timestamp) -> Task {
    Task::CheckOverdue {
        resource: record.retrieval.resource,
        link: record.retrieval.link,
        request: record.id,
        next,
    }
}
