//! Collects what webhooks announce: one SQS message, one link, one fetch. Messages of one link are worked off in order;
//! links do not wait for each other, and no message's failure, not even a panic, touches another link's.

mod collection;
mod failure;

use std::{panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use failure::{Next, wait_before_retry};
use futures::{FutureExt, future::join_all};
use lambda_runtime::tracing;
use shared::{
    belvo::Client,
    cause::chain,
    queue::{Delivery, Queue},
    store::{Requests, Transactions},
};

pub use failure::CollectError;

/// Kept back from the time of an invocation, to hand unfinished messages back in order.
const TIME_TO_HAND_BACK: Duration = Duration::from_secs(3);

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
    let time = time_left.saturating_sub(TIME_TO_HAND_BACK);
    let groups = by_group(event.records);
    let failed = join_all(groups.into_iter().map(|messages| work_off(collect, messages, time))).await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed.into_iter().flatten().map(failure_of).collect();
    response
}

/// Works the messages of one link off in order. After one that has to come back, the later ones come back too: a FIFO
/// queue keeps their order only so ("Implementing partial batch responses", AWS Lambda developer guide).
async fn work_off(collect: &Collect, messages: Vec<SqsMessage>, time: Duration) -> Vec<String> {
    let mut messages = messages.into_iter();
    for message in messages.by_ref() {
        if let Err(error) = work(collect, &message, time).await {
            let left = messages.map(|later| later.message_id.unwrap_or_default());
            let failed = message.message_id.clone().unwrap_or_default();
            hand_back(collect, &message, &error).await;
            return std::iter::once(failed).chain(left).collect();
        }
    }
    Vec::new()
}

/// Works one message off.
async fn work(collect: &Collect, message: &SqsMessage, time: Duration) -> Result<(), CollectError> {
    let (delivery, notification) = Delivery::parse(message.body.as_deref().unwrap_or_default())?;
    contained(collection::run(collect, &delivery, &notification), time).await
}

/// Ends work that takes longer than the invocation has, and turns a panic into an error of this one message.
async fn contained(work: impl Future<Output = Result<(), CollectError>>, time: Duration) -> Result<(), CollectError> {
    match tokio::time::timeout(time, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Err(CollectError::Panicked),
        Err(_elapsed) => Err(CollectError::OutOfTime),
    }
}

/// Logs why a message has to come back, and sets when.
async fn hand_back(collect: &Collect, message: &SqsMessage, error: &CollectError) {
    let receives = receive_count(message);
    let next = error.next();
    let wait = wait_before_retry(next, receives);
    let cause = chain(error).to_string();
    let (id, wait_s) = (message.message_id.as_deref(), wait.as_secs());
    if matches!(next, Next::Retry(_)) {
        tracing::warn!(message.id = id, message.receives = receives, wait_s, cause, "message comes back");
    } else {
        tracing::error!(message.id = id, message.receives = receives, wait_s, cause, "message needs an operator");
    }
    let receipt = message.receipt_handle.as_deref().unwrap_or_default();
    if let Err(error) = collect.queue.retry_after(receipt, wait).await {
        tracing::warn!(message.id = id, cause = %chain(&error), "message waits for its time-out");
    }
}

/// The messages of each group, in their order.
fn by_group(messages: Vec<SqsMessage>) -> Vec<Vec<SqsMessage>> {
    let mut groups: Vec<(Option<String>, Vec<SqsMessage>)> = Vec::new();
    for message in messages {
        let group = message.attributes.get("MessageGroupId").cloned();
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, messages)) => messages.push(message),
            None => groups.push((group, vec![message])),
        }
    }
    groups.into_iter().map(|(_, messages)| messages).collect()
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
    use super::*;

    fn message(id: &str, group: &str) -> SqsMessage {
        let mut message = SqsMessage::default();
        message.message_id = Some(id.to_owned());
        message.attributes.insert("MessageGroupId".to_owned(), group.to_owned());
        message
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_message() {
        let outcome = contained(async { panic!("on purpose") }, Duration::from_secs(1)).await;
        assert!(matches!(outcome, Err(CollectError::Panicked)));
    }

    #[tokio::test(start_paused = true)]
    async fn work_without_end_ends_with_the_invocation() {
        let outcome = contained(std::future::pending(), Duration::from_mins(5)).await;
        assert!(matches!(outcome, Err(CollectError::OutOfTime)));
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
