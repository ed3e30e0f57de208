//! Collects what Belvo announces. Messages of one link are processed in order; those that need the
//! same rows share a fetch. Links do not wait for each other, and a failed message, even a panic,
//! never affects another link.

#[cfg(panic = "abort")]
compile_error!("collect catches the panic of a message: build it with `panic = \"unwind\"`");

mod account_listing;
mod accounts;
mod archive;
mod config;
mod dead_letter;
mod duplicates;
mod ending;
mod error;
mod fetch;
mod field_changes;
mod group;
mod job;
mod link_record;
mod missing;
mod part;
mod plan;
mod received;
mod retry;
mod sweep;
mod turn;
mod waiter;

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use domain::{Deadlines, ScrubPeriod, UnknownLinks};
use futures::{StreamExt, stream};
use shared::{
    aws::{SdkConfig, warm_up},
    belvo::{BelvoError, Client, ClientBuilder, Haste, Pace},
    queue::{DeadLetters, Queue},
    secret::CachedSecret,
    store::{Control, TransactionsTable},
};
use tokio::time::Instant;

pub use config::Config;
pub use error::CollectError;
pub use field_changes::KnownByResource;
pub use retry::RetryPolicy;

use crate::received::Received;

/// The time reserved at the end of an invocation to queue continuations and to release messages.
pub const TIME_TO_RELEASE: Duration = Duration::from_secs(10);
/// How long an invocation goes on while messages wait, but for what it has begun; and how long a
/// scrub does before it goes on behind other messages of its link.
pub const TURN: Duration = Duration::from_secs(10);
/// The first calls of Belvo by a collection, which go before those of longer ones: what a small one
/// needs.
const HEAD_START: u32 = 4;

/// Links processed at the same time in one invocation: all of a batch.
const LINKS_AT_ONCE: usize = 10;

/// What the function needs to do its work.
#[derive(Clone)]
pub struct App {
    pub belvo: Client,
    pub control: Control,
    pub transactions: TransactionsTable,
    /// Holds continuations, and messages that wait to be retried.
    pub queue: Queue,
    pub dead_letters: DeadLetters,
    pub retry_policy: RetryPolicy,
    pub deadlines: Deadlines,
    pub scrubs: ScrubPeriod,
    /// How long an invocation may keep messages waiting, and a scrub the others of its link: after
    /// that, what is left goes on behind them.
    pub turn: Duration,
    pub unknown_links: UnknownLinks,
    /// The fields that rows are known to have.
    pub known_fields: KnownByResource,
}

impl App {
    /// Wires the function; `belvo` configures the connections to Belvo.
    pub fn new(config: Config, aws: &SdkConfig, belvo: ClientBuilder) -> Result<Self, BelvoError> {
        let keys = CachedSecret::new(aws, config.belvo_secret_arn);
        Ok(Self {
            belvo: Client::over(belvo, config.belvo_base_url, keys)?
                .with_pace(Pace::in_process(config.belvo_calls_per_30_s)),
            control: Control::open(aws, config.requests_table)
                .keeping_webhooks_for(config.webhook_retention_days)
                .keeping_erased_requests_for(config.request_retention_days),
            transactions: TransactionsTable::open(aws, config.transactions_table)
                .keeping_changes_for(config.changes_days),
            queue: Queue::new(aws, config.queue_url),
            dead_letters: DeadLetters::new(aws, config.dead_letter_queue_url),
            retry_policy: RetryPolicy {
                attempts: config.attempts,
                longest_wait: Duration::from_secs(config.longest_retry_s.into()),
            },
            deadlines: config.deadlines,
            scrubs: config.scrubs,
            turn: TURN,
            unknown_links: config.unknown_links,
            known_fields: KnownByResource::default(),
        })
    }

    /// Opens a connection to AWS and reads the keys, so that the first message finds them.
    pub async fn warm_up(&self) {
        warm_up(async { tokio::join!(self.belvo.warm_up(), self.control.warm_up()) }).await;
    }

    /// The same for one collection, so many of whose calls of Belvo go before those of others.
    fn for_collection(&self, head_start: u32, haste: Option<Haste>) -> Self {
        Self {
            belvo: self.belvo.for_collection(head_start, haste),
            ..self.clone()
        }
    }
}

/// Processes a batch and returns the messages to retry. The others are done: stored, recorded,
/// continued in a message of their own, or moved to the dead-letter queue. All links of a batch are
/// processed at the same time. They share the pace of calls to Belvo, and each holds two pages, or
/// three while one is read again, and the digests of a part in memory. The client bounds the bytes
/// of a page.
pub async fn handle(app: &App, event: SqsEvent, time_left: Duration) -> SqsBatchResponse {
    let deadline = Instant::now() + time_left.saturating_sub(TIME_TO_RELEASE);
    let messages = event.records.into_iter().map(Received::from).collect();
    let groups = received::by_group(messages);
    let failed = turn::take(&app.queue, app.turn, deadline, async |turn| {
        let groups = groups.into_iter();
        let links = groups.map(|messages| group::process(app, messages, turn));
        // Each is woken for itself, so that whoever has waited longest for Belvo goes on first.
        let failed: Vec<_> = stream::iter(links)
            .buffer_unordered(LINKS_AT_ONCE)
            .collect()
            .await;
        failed
    });
    let failed = failed.await;

    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed.into_iter().flatten().map(failure_of).collect();
    response
}

fn failure_of(message: Received) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message.id;
    failure
}
