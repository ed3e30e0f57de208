//! Collects what webhooks announce. The messages of one link are worked off in order, those that
//! ask for the same rows by one fetch; links do not wait for each other, and no message's failure,
//! not even a panic, touches another link's.

#[cfg(panic = "abort")]
compile_error!("collect catches the panic of a message: build it with `panic = \"unwind\"`");

mod accounts;
mod announcement;
mod failure;
mod fetch;
mod job;
mod link;
mod links;
mod same_as;
mod sweep;

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{StreamExt, stream};
use shared::{
    belvo::Client,
    queue::{DeadLetters, Queue},
    store::{Requests, Transactions},
};
use tokio::time::Instant;

pub use failure::{CollectError, Patience};
pub use shared::domain::Deadlines;

/// Kept back from the time of an invocation, to hand unfinished work on and messages back.
pub const TIME_TO_HAND_BACK: Duration = Duration::from_secs(10);
/// Links worked on at the same time in one invocation. They share the pace at which pages are read,
/// and each holds two pages and the fingerprints of a part in memory.
const LINKS_AT_ONCE: usize = 4;

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
    /// Where messages go that are given up.
    pub dead_letters: DeadLetters,
    /// A listing of more rows is fetched in parts of fewer days. What is held in memory is two
    /// pages, and a fingerprint of each row of a part.
    pub rows_per_part: u64,
    /// How long a message is tried.
    pub patience: Patience,
    /// How long a request may go unanswered.
    pub deadlines: Deadlines,
}

/// Works a batch off and names the messages that have to come back. The others are done: stored,
/// recorded, handed on as a continuation, or given up into the dead-letter queue.
pub async fn handle(collect: &Collect, event: SqsEvent, time_left: Duration) -> SqsBatchResponse {
    let deadline = Instant::now() + time_left.saturating_sub(TIME_TO_HAND_BACK);
    let links = by_group(event.records)
        .into_iter()
        .map(|messages| link::work_off(collect, messages, deadline));
    let failed: Vec<Vec<SqsMessage>> = stream::iter(links)
        .buffer_unordered(LINKS_AT_ONCE)
        .collect()
        .await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed
        .into_iter()
        .flatten()
        .filter_map(failure_of)
        .collect();
    response
}

/// The messages of each group, in their order.
fn by_group(messages: Vec<SqsMessage>) -> Vec<Vec<SqsMessage>> {
    let mut groups: Vec<(Option<String>, Vec<SqsMessage>)> = Vec::new();
    for message in messages {
        let group = link::group(&message).map(str::to_owned);
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, messages)) => messages.push(message),
            None => groups.push((group, vec![message])),
        }
    }
    groups.into_iter().map(|(_, messages)| messages).collect()
}

fn failure_of(message: SqsMessage) -> Option<BatchItemFailure> {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message.message_id?;
    Some(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, group: &str) -> SqsMessage {
        let mut message = SqsMessage::default();
        message.message_id = Some(id.to_owned());
        message
            .attributes
            .insert("MessageGroupId".to_owned(), group.to_owned());
        message
    }

    #[test]
    fn messages_of_a_link_stay_together_and_in_order() {
        let batch = vec![message("1", "a"), message("2", "b"), message("3", "a")];
        let ids: Vec<Vec<_>> = by_group(batch)
            .into_iter()
            .map(|group| {
                group
                    .into_iter()
                    .map(|message| message.message_id.unwrap())
                    .collect()
            })
            .collect();
        assert_eq!(ids, [vec!["1", "3"], vec!["2"]]);
    }
}
