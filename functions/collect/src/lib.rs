//! Collects what webhooks announce: one SQS message, one link, one fetch. Messages of one link are worked off in order;
//! links do not wait for each other, and no message's failure, not even a panic, touches another link's.

#[cfg(panic = "abort")]
compile_error!("collect catches the panic of a message: build it with `panic = \"unwind\"`");

mod collection;
mod failure;

use std::{panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use failure::{Next, wait_before_retry};
use futures::{FutureExt, StreamExt, future::join_all, stream};
use lambda_runtime::tracing;
use shared::{
    belvo::Client,
    cause::chain,
    queue::{Delivery, Queue},
    store::{Requests, Transactions},
};
use tokio::time::{Instant, timeout_at};

pub use failure::CollectError;

/// Kept back from the time of an invocation, to hand unfinished messages back in order.
const TIME_TO_HAND_BACK: Duration = Duration::from_secs(10);
/// Links worked on at the same time in one invocation. They share the pace at which pages are read.
const LINKS_AT_ONCE: usize = 2;

/// What the function needs to do its work.
pub struct Collect {
    /// Belvo's API.
    pub belvo: Client,
    /// Where retrievals are recorded.
    pub requests: Requests,
    /// Where rows are stored.
    pub transactions: Transactions,
    /// Where messages come from.
    pub queue: Queue,
}

/// Works a batch off and names the messages that have to come back. The others are done: stored, recorded, or recorded
/// as failed. A message that keeps failing ends in the dead-letter queue after the receives that template.yaml allows.
pub async fn handle(collect: &Collect, event: SqsEvent, time_left: Duration) -> SqsBatchResponse {
    let deadline = Instant::now() + time_left.saturating_sub(TIME_TO_HAND_BACK);
    let links = by_group(event.records).into_iter().map(|messages| work_off(collect, messages, deadline));
    let failed: Vec<Vec<String>> = stream::iter(links).buffer_unordered(LINKS_AT_ONCE).collect().await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed.into_iter().flatten().map(failure_of).collect();
    response
}

/// Works the messages of one link off in order. After one that has to be tried again, the later ones come back with it: a
/// FIFO queue keeps their order only so ("Implementing partial batch responses", AWS Lambda developer guide), and hands
/// out nothing of the link while one of them is still hidden. One that can never succeed holds nobody up.
async fn work_off(collect: &Collect, messages: Vec<SqsMessage>, deadline: Instant) -> Vec<String> {
    let mut failed = Vec::new();
    let mut messages = messages.into_iter();
    while let Some(message) = messages.next() {
        let Err(error) = work(collect, &message, deadline).await else { continue };
        let wait = wait_before_retry(error.next(), receive_count(&message));
        log_failure(&message, &error, wait);
        let mut come_back = vec![message];
        if error.next() != Next::GiveUp {
            come_back.extend(messages.by_ref());
        }
        join_all(come_back.iter().map(|message| hide(collect, message, wait))).await;
        failed.extend(come_back.into_iter().filter_map(|message| message.message_id));
    }
    failed
}

/// Works one message off.
async fn work(collect: &Collect, message: &SqsMessage, deadline: Instant) -> Result<(), CollectError> {
    let delivery = Delivery::parse(message.body.as_deref().unwrap_or_default())?;
    contained(collection::run(collect, &delivery), deadline).await
}

/// Ends work that takes longer than the invocation has, and turns a panic into an error of this one message.
async fn contained(
    work: impl Future<Output = Result<(), CollectError>>,
    deadline: Instant,
) -> Result<(), CollectError> {
    match timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Err(CollectError::Panicked),
        Err(_elapsed) => Err(CollectError::OutOfTime),
    }
}

/// Says why a message comes back and when. Its group is its link; its request is named in the message alone.
fn log_failure(message: &SqsMessage, error: &CollectError, wait: Duration) {
    let delivery = message.body.as_deref().and_then(|body| Delivery::parse(body).ok());
    let correlation_id = delivery.map_or_else(|| "none".to_owned(), |delivery| delivery.correlation_id);
    let (id, receives, wait_s) = (message.message_id.as_deref(), receive_count(message), wait.as_secs());
    let (link, cause) = (group(message), chain(error));
    if matches!(error.next(), Next::Retry(_)) {
        tracing::warn!(
            correlation.id = correlation_id, link.id = link, message.id = id, message.receives = receives, wait_s,
            cause = %cause, "message comes back"
        );
    } else {
        tracing::error!(
            correlation.id = correlation_id, link.id = link, message.id = id, message.receives = receives, wait_s,
            cause = %cause, "message needs an operator"
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

/// The messages of each group, in their order.
fn by_group(messages: Vec<SqsMessage>) -> Vec<Vec<SqsMessage>> {
    let mut groups: Vec<(Option<String>, Vec<SqsMessage>)> = Vec::new();
    for message in messages {
        let group = group(&message).map(str::to_owned);
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, messages)) => messages.push(message),
            None => groups.push((group, vec![message])),
        }
    }
    groups.into_iter().map(|(_, messages)| messages).collect()
}

fn group(message: &SqsMessage) -> Option<&str> {
    message.attributes.get("MessageGroupId").map(String::as_str)
}

fn receive_count(message: &SqsMessage) -> u32 {
    message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn failure_of(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    fn message(id: &str, group: &str) -> SqsMessage {
        let mut message = SqsMessage::default();
        message.message_id = Some(id.to_owned());
        message.attributes.insert("MessageGroupId".to_owned(), group.to_owned());
        message
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_message() {
        let outcome = contained(async { panic!("on purpose") }, Instant::now() + Duration::from_secs(1)).await;
        assert!(matches!(outcome, Err(CollectError::Panicked)));
    }

    #[tokio::test(start_paused = true)]
    async fn work_without_end_ends_with_the_invocation() {
        let deadline = Instant::now() + Duration::from_mins(5);
        assert!(matches!(contained(std::future::pending(), deadline).await, Err(CollectError::OutOfTime)));
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

    #[test]
    fn messages_of_a_link_stay_together_and_in_order() {
        let batch = vec![message("1", "a"), message("2", "b"), message("3", "a")];
        let ids: Vec<Vec<_>> = by_group(batch)
            .into_iter()
            .map(|group| group.into_iter().map(|message| message.message_id.unwrap()).collect())
            .collect();
        assert_eq!(ids, [vec!["1", "3"], vec!["2"]]);
    }
}
