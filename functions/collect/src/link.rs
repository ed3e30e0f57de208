//! The messages of one link: what each asks for, then the fetches, then what comes back or is given up.

use std::{panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::sqs::SqsMessage;
use futures::{FutureExt, StreamExt, future::join_all, stream};
use lambda_runtime::tracing;
use shared::{
    cause::chain,
    domain::{Failure, Timestamp},
    queue::Delivery,
};
use tokio::time::{Instant, timeout_at};

use crate::{
    Collect, CollectError,
    failure::Next,
    job::{self, Job},
};

/// Between the time at which a fetch hands its rest on and the time at which the work is broken off.
const TIME_TO_HAND_ON: Duration = Duration::from_secs(5);
/// The failure that a request ends with when its message is given up.
const GAVE_UP: &str = "gave_up";

/// A job and the messages that asked for it.
struct Work {
    job: Job,
    messages: Vec<SqsMessage>,
}

/// Works the messages of one link off and returns those that have to come back. After one that has to be tried again, the
/// later ones come back with it: a FIFO queue keeps their order only so ("Implementing partial batch responses", AWS
/// Lambda developer guide), and hands out nothing of the link while one of them is still hidden. One that can never
/// succeed holds nobody up.
pub(crate) async fn work_off(collect: &Collect, messages: Vec<SqsMessage>, deadline: Instant) -> Vec<SqsMessage> {
    let mut come_back = Vec::new();
    let mut works: Vec<Work> = Vec::new();
    let mut messages = messages.into_iter();
    while let Some(message) = messages.next() {
        match contained(prepare(collect, &message), deadline).await {
            Ok(None) => {}
            Ok(Some(job)) => add(&mut works, job, message),
            Err(error) if error.next() == Next::GiveUp => {
                come_back.extend(hand_back(collect, vec![message], &error).await);
            }
            Err(error) => {
                let begun = works.into_iter().flat_map(|work| work.messages);
                let all = begun.chain([message]).chain(messages).collect();
                come_back.extend(hand_back(collect, all, &error).await);
                return come_back;
            }
        }
    }
    let mut works = works.into_iter();
    while let Some(Work { job, messages }) = works.next() {
        if let Err(error) = contained(job.run(collect, deadline), deadline + TIME_TO_HAND_ON).await {
            let all = messages.into_iter().chain(works.by_ref().flat_map(|work| work.messages)).collect();
            come_back.extend(hand_back(collect, all, &error).await);
        }
    }
    come_back
}

async fn prepare(collect: &Collect, message: &SqsMessage) -> Result<Option<Job>, CollectError> {
    let delivery = Delivery::parse(message.body.as_deref().unwrap_or_default())?;
    job::prepare(collect, delivery, receives(message) > 1).await
}

/// Lets a job share the fetch of an earlier one, if one fetch serves both.
fn add(works: &mut Vec<Work>, job: Job, message: SqsMessage) {
    for work in works.iter_mut() {
        if work.job.takes(&job) {
            work.job.absorb(job);
            work.messages.push(message);
            return;
        }
    }
    works.push(Work { job, messages: vec![message] });
}

/// Ends work that takes longer than the invocation has, and turns a panic into an error of this one message.
async fn contained<T>(
    work: impl Future<Output = Result<T, CollectError>>,
    deadline: Instant,
) -> Result<T, CollectError> {
    match timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Err(CollectError::Panicked),
        Err(_elapsed) => Err(CollectError::OutOfTime),
    }
}

/// Lets messages come back, all at the same time; those whose last attempt this was are given up. Returns the ones that
/// the queue has to keep.
async fn hand_back(collect: &Collect, messages: Vec<SqsMessage>, error: &CollectError) -> Vec<SqsMessage> {
    let Some(first) = messages.first() else { return Vec::new() };
    let wait = collect.patience.wait(error.next(), receives(first));
    let handed: Vec<Option<SqsMessage>> = stream::iter(messages)
        .then(async |message| {
            let last = error.next() == Next::GiveUp || receives(&message) >= collect.patience.attempts;
            let gone = last && give_up(collect, &message, error).await;
            (!gone).then_some(message)
        })
        .collect()
        .await;
    let kept: Vec<_> = handed.into_iter().flatten().collect();
    if let Some(first) = kept.first() {
        log_failure(first, kept.len(), error, wait);
    }
    join_all(kept.iter().map(|message| hide(collect, message, wait))).await;
    kept
}

/// Puts a message into the dead-letter queue with its reason, and ends its requests as failed. A request that is collected
/// after all, because somebody moves the message back, counts as collected. Says whether the queue can forget the message;
/// if not, SQS gives it up by itself after the receives that template.yaml allows, without a reason.
async fn give_up(collect: &Collect, message: &SqsMessage, error: &CollectError) -> bool {
    let reason = chain(error).to_string();
    let body = message.body.as_deref().unwrap_or_default();
    let (id, link) = (message.message_id.as_deref(), group(message));
    if let Err(error) = collect.dead_letters.put(body, link.unwrap_or("none"), &reason, receives(message)).await {
        tracing::error!(message.id = id, link.id = link, cause = %chain(&error), "message not given up");
        return false;
    }
    let delivery = Delivery::parse(body).ok();
    let correlation_id = delivery.as_ref().map_or("none", |delivery| delivery.correlation_id.as_str());
    tracing::error!(
        correlation.id = correlation_id,
        message.id = id,
        link.id = link,
        message.receives = receives(message),
        cause = reason,
        "message given up"
    );
    let failure = Failure { code: GAVE_UP.to_owned(), message: reason };
    for request in delivery.into_iter().flat_map(job::requests_of) {
        if let Err(error) = collect.requests.failed(&request, &failure, Timestamp::now()).await {
            tracing::error!(correlation.id = request.as_str(), cause = %chain(&error), "request not ended");
        }
    }
    true
}

/// Says why messages come back and when. Their group is their link; the first one's request is named.
fn log_failure(message: &SqsMessage, messages: usize, error: &CollectError, wait: Duration) {
    let delivery = message.body.as_deref().and_then(|body| Delivery::parse(body).ok());
    let correlation_id = delivery.map_or_else(|| "none".to_owned(), |delivery| delivery.correlation_id);
    let (id, receives, wait_s) = (message.message_id.as_deref(), receives(message), wait.as_secs());
    let (link, cause) = (group(message), chain(error));
    if matches!(error.next(), Next::Retry(_)) {
        tracing::warn!(
            correlation.id = correlation_id, link.id = link, message.id = id, message.receives = receives, messages,
            wait_s, cause = %cause, "message comes back"
        );
    } else {
        tracing::error!(
            correlation.id = correlation_id, link.id = link, message.id = id, message.receives = receives, messages,
            wait_s, cause = %cause, "message needs an operator"
        );
    }
}

/// Sets when a message comes back. If that fails, it comes back by the queue's visibility timeout.
async fn hide(collect: &Collect, message: &SqsMessage, wait: Duration) {
    let receipt = message.receipt_handle.as_deref().unwrap_or_default();
    if let Err(error) = collect.queue.retry_after(receipt, wait).await {
        let id = message.message_id.as_deref();
        tracing::warn!(message.id = id, cause = %chain(&error), "message waits for its visibility timeout");
    }
}

pub(crate) fn group(message: &SqsMessage) -> Option<&str> {
    message.attributes.get("MessageGroupId").map(String::as_str)
}

fn receives(message: &SqsMessage) -> u32 {
    message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_message() {
        let work = async { panic!("on purpose") };
        let outcome: Result<(), _> = contained(work, Instant::now() + Duration::from_secs(1)).await;
        assert!(matches!(outcome, Err(CollectError::Panicked)));
    }

    #[tokio::test(start_paused = true)]
    async fn work_without_end_ends_with_the_invocation() {
        let deadline = Instant::now() + Duration::from_mins(5);
        let outcome: Result<(), _> = contained(std::future::pending(), deadline).await;
        assert!(matches!(outcome, Err(CollectError::OutOfTime)));
        assert!(Instant::now() < deadline + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_works_of_a_link_share_the_time_of_the_invocation() {
        let deadline = Instant::now() + Duration::from_mins(5);
        let work = async || {
            sleep(Duration::from_mins(4)).await;
            Ok(())
        };
        assert!(contained(work(), deadline).await.is_ok());
        assert!(matches!(contained(work(), deadline).await, Err(CollectError::OutOfTime)));
    }
}
