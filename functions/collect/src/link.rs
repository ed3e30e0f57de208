//! The messages of one link: what each asks for, then the fetches, then what comes back or is given
//! up.

use std::{panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::sqs::SqsMessage;
use futures::{FutureExt, future::join_all};
use lambda_runtime::tracing;
use shared::{
    cause::chain,
    domain::{Failure, GAVE_UP},
    queue::{Delivery, is_sweep},
};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    Collect, CollectError,
    announcement::{self, requests_of},
    failure::Next,
    job::Job,
    sweep,
};

/// Between the time at which a fetch hands its rest on and the time at which the work is broken
/// off.
const TIME_TO_HAND_ON: Duration = Duration::from_secs(5);
/// The longest that giving a message up, or hiding it, may take: together they fit into what is
/// kept back of the invocation.
const TIME_TO_GIVE_UP: Duration = Duration::from_secs(2);
const TIME_TO_HIDE: Duration = Duration::from_secs(2);

/// A job and the messages that asked for it.
struct Work {
    job: Job,
    messages: Vec<SqsMessage>,
}

/// Works the messages of one link off and returns those that have to come back. After one that has
/// to be tried again, the later ones come back with it: a FIFO queue keeps their order only so
/// ("Implementing partial batch responses", AWS Lambda developer guide), and hands out nothing of
/// the link while one of them is still hidden. One that is given up holds nobody up.
pub(crate) async fn work_off(
    collect: &Collect,
    messages: Vec<SqsMessage>,
    deadline: Instant,
) -> Vec<SqsMessage> {
    let mut works: Vec<Work> = Vec::new();
    let mut messages = messages.into_iter();
    let mut failed = None;
    for message in messages.by_ref() {
        match contained(prepare(collect, &message), deadline).await {
            Ok(None) => {}
            Ok(Some(job)) => add(&mut works, job, message),
            Err(error) if give_up_if_last(collect, &message, &error).await => {}
            Err(error) => {
                failed = Some((message, error));
                break;
            }
        }
    }
    let mut works = works.into_iter();
    for Work {
        job,
        messages: asked,
    } in works.by_ref()
    {
        let Err(error) = contained(job.run(collect, deadline), deadline + TIME_TO_HAND_ON).await
        else {
            continue;
        };
        let kept = give_up_last(collect, asked, &error).await;
        if !kept.is_empty() {
            let later = works
                .flat_map(|work| work.messages)
                .chain(failed.map(|(message, _)| message))
                .chain(messages);
            return hand_back(collect, kept.into_iter().chain(later).collect(), &error).await;
        }
    }
    match failed {
        Some((message, error)) => {
            hand_back(
                collect,
                std::iter::once(message).chain(messages).collect(),
                &error,
            )
            .await
        }
        None => Vec::new(),
    }
}

async fn prepare(collect: &Collect, message: &SqsMessage) -> Result<Option<Job>, CollectError> {
    if is_sweep(message.body.as_deref().unwrap_or_default()) {
        return sweep::run(collect).await.map(|()| None);
    }
    let delivery = Delivery::parse(message.body.as_deref().unwrap_or_default())?;
    announcement::prepare(collect, delivery).await
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
    works.push(Work {
        job,
        messages: vec![message],
    });
}

/// Ends work that takes longer than the invocation has, and turns a panic into an error of this one
/// message.
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

/// Gives those of these messages up whose last attempt this was, and returns the others.
async fn give_up_last(
    collect: &Collect,
    messages: Vec<SqsMessage>,
    error: &CollectError,
) -> Vec<SqsMessage> {
    let outcomes = messages.into_iter().map(async |message| {
        let gone = give_up_if_last(collect, &message, error).await;
        (!gone).then_some(message)
    });
    join_all(outcomes).await.into_iter().flatten().collect()
}

/// Gives a message up if it can never succeed or this was its last attempt, and says whether the
/// queue can forget it.
async fn give_up_if_last(collect: &Collect, message: &SqsMessage, error: &CollectError) -> bool {
    let last = error.next() == Next::GiveUp || receives(message) >= collect.patience.attempts;
    last && timeout(TIME_TO_GIVE_UP, give_up(collect, message, error))
        .await
        .unwrap_or(false)
}

/// Lets messages come back, all at the same time, and returns them.
async fn hand_back(
    collect: &Collect,
    messages: Vec<SqsMessage>,
    error: &CollectError,
) -> Vec<SqsMessage> {
    let Some(first) = messages.first() else {
        return messages;
    };
    let wait = collect.patience.wait(error.next(), receives(first));
    log_failure(first, messages.len(), error, wait);
    join_all(messages.iter().map(|message| hide(collect, message, wait))).await;
    messages
}

/// Puts a message into the dead-letter queue with its reason, and ends its requests as failed. A
/// request that is collected after all, because somebody moves the message back, counts as
/// collected. Says whether the queue can forget the message; if not, SQS gives it up by itself
/// after the receives that template.yaml allows, without a reason.
async fn give_up(collect: &Collect, message: &SqsMessage, error: &CollectError) -> bool {
    let reason = chain(error).to_string();
    let body = message.body.as_deref().unwrap_or_default();
    let (id, link) = (message.message_id.as_deref(), group(message));
    if let Err(error) = collect
        .dead_letters
        .put(body, link.unwrap_or("none"), &reason, receives(message))
        .await
    {
        tracing::error!(message.id = id, link.id = link, cause = %chain(&error), "message not given up");
        return false;
    }
    let delivery = Delivery::parse(body).ok();
    let correlation_id = delivery
        .as_ref()
        .map_or("none", |delivery| delivery.correlation_id.as_str());
    tracing::error!(
        correlation.id = correlation_id,
        message.id = id,
        link.id = link,
        message.receives = receives(message),
        cause = reason,
        "message given up"
    );
    let Some(delivery) = delivery else {
        return true;
    };
    let failure = Failure {
        code: GAVE_UP.to_owned(),
        message: reason,
    };
    for request in requests_of(&delivery) {
        if let Err(error) = announcement::end(collect, &delivery, Some(&request), &failure).await {
            tracing::error!(correlation.id = request.as_str(), cause = %chain(&error), "request not ended");
        }
    }
    true
}

/// Says why messages come back and when. Their group is their link; the first one's request is
/// named.
fn log_failure(message: &SqsMessage, messages: usize, error: &CollectError, wait: Duration) {
    let delivery = message
        .body
        .as_deref()
        .and_then(|body| Delivery::parse(body).ok());
    let correlation_id =
        delivery.map_or_else(|| "none".to_owned(), |delivery| delivery.correlation_id);
    let (id, receives, wait_s) = (
        message.message_id.as_deref(),
        receives(message),
        wait.as_secs(),
    );
    let (link, cause) = (group(message), chain(error));
    if error.may_pass() {
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
    let id = message.message_id.as_deref();
    match timeout(TIME_TO_HIDE, collect.queue.retry_after(receipt, wait)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(message.id = id, cause = %chain(&error), "message waits for its visibility timeout");
        }
        Err(_elapsed) => {
            tracing::warn!(message.id = id, "message waits for its visibility timeout");
        }
    }
}

pub(crate) fn group(message: &SqsMessage) -> Option<&str> {
    message.attributes.get("MessageGroupId").map(String::as_str)
}

fn receives(message: &SqsMessage) -> u32 {
    message
        .attributes
        .get("ApproximateReceiveCount")
        .and_then(|count| count.parse().ok())
        .unwrap_or(1)
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
        assert!(matches!(
            contained(work(), deadline).await,
            Err(CollectError::OutOfTime)
        ));
    }
}
