//! Moves messages to the dead-letter queue.

use std::time::Duration;

use domain::{Failure, GAVE_UP, LinkRecord, Timestamp};
use futures::future::join_all;
use lambda_runtime::tracing;
use shared::{
    advice::Advice,
    cause::chain,
    queue::Task,
    telemetry::{Event, traced},
};
use tokio::time::timeout;

use crate::{App, CollectError, ending, link_record::LinkKeeper, received::Received};

/// The longest that moving a message may take.
const TIME_TO_MOVE: Duration = Duration::from_secs(2);

/// Moves messages that can never succeed or have had their last attempt to the dead-letter queue,
/// and returns the others. If a move fails, SQS itself moves the message, without a reason, after
/// the receives that template.yaml allows.
pub(crate) async fn dead_letter_final(
    app: &App,
    messages: Vec<Received>,
    error: &CollectError,
) -> Vec<Received> {
    let is_final = error.advice() == Advice::Stop;
    let outcomes = messages.into_iter().map(async |message| {
        let is_last = is_final || message.receives >= app.retry_policy.attempts;
        let is_moved = is_last && move_in_time(app, &message, error).await;
        (!is_moved).then_some(message)
    });
    join_all(outcomes).await.into_iter().flatten().collect()
}

async fn move_in_time(app: &App, message: &Received, error: &CollectError) -> bool {
    let moved = traced(message.trace.clone(), dead_letter(app, message, error));
    let moved = timeout(TIME_TO_MOVE, moved);
    moved.await.unwrap_or(false)
}

/// Puts a message into the dead-letter queue with its reason, ends its requests as failed, and
/// archives its webhooks. If the message is moved back and its request collected after all, the
/// request counts as collected. Returns whether the queue can delete the message.
async fn dead_letter(app: &App, message: &Received, error: &CollectError) -> bool {
    let reason = chain(error).to_string();
    let put = app
        .dead_letters
        .put(&message.body, &message.group, &reason, message.receives);
    if let Err(error) = put.await {
        tracing::error!(
            event = Event::MessageNotDeadLettered.name(),
            message.id = message.id,
            link.id = message.group,
            cause = %chain(&error),
            "message could not be moved to the dead-letter queue"
        );
        return false;
    }

    tracing::error!(
        event = Event::MessageDeadLettered.name(),
        correlation.id = message.correlation_id(),
        message.id = message.id,
        link.id = message.group,
        task = message.kind(),
        message.receives = message.receives,
        cause = reason,
        "message moved to the dead-letter queue"
    );
    if let Ok(task) = &message.task {
        let failure = Failure {
            code: GAVE_UP.to_owned(),
            message: reason,
        };
        ending::dead_letter(&app.control, task, &failure).await;
        announce_stored(app, task).await;
    }
    true
}

/// Lets the link's followers know of what earlier attempts have stored, and those who asked for it
/// that it has ended. Failing to do so is made up for by the next collection.
async fn announce_stored(app: &App, task: &Task) {
    let Some(link) = task.link() else {
        return;
    };
    let now = Timestamp::now();
    let ended = |known: LinkRecord| match task.asked() {
        Some(asked) => known.asked_ended(asked, now, Some(GAVE_UP)),
        None => known,
    };
    if let Err(error) = LinkKeeper::from(app).announce(link, ended).await {
        tracing::warn!(
            event = Event::NewsNotAnnounced.name(),
            link.id = link.as_str(),
            cause = %chain(&error),
            "what was stored before is announced with the next collection"
        );
    }
}
