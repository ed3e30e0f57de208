//! What invokes functions by itself: the trigger of the queue and that of the stream.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use test_harness::aws::{queues::Message, stream};
use tokio::{task::JoinSet, time::sleep};

use crate::{aws::Aws, lambda::Lambda, surroundings::ATTEMPTS};

/// Batches that are collected at the same time (template.yaml).
const COLLECTED_AT_ONCE: usize = 2;
/// How long the messages of a killed function stay hidden: half an hour, which is as long as it may
/// have gone on with them, and here is known to be over.
const HIDDEN: Duration = Duration::from_secs(1);
/// How soon the stream is looked at again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Starts both; they end when what this returns is dropped.
pub(crate) fn start(aws: &Arc<Aws>, lambda: &Arc<Lambda>) -> JoinSet<()> {
    let mut triggers = JoinSet::new();
    for _ in 0..COLLECTED_AT_ONCE {
        triggers.spawn(collect(Arc::clone(aws), Arc::clone(lambda)));
    }
    triggers.spawn(publish(Arc::clone(aws), Arc::clone(lambda)));
    triggers
}

/// Delivers what is in the queue, batch by batch. What the function does not want to be retried is
/// deleted; the rest shows again when it is no longer hidden.
async fn collect(aws: Arc<Aws>, lambda: Arc<Lambda>) {
    loop {
        let messages = aws.queues.receive(ATTEMPTS).await;
        let records: Vec<_> = messages.iter().map(Message::event).collect();
        let batch = json!({ "Records": records }).to_string();
        let Some(answer) = lambda.invoke("collect", batch.into()).await else {
            tokio::spawn(show_again(Arc::clone(&aws), messages));
            continue;
        };
        let failed = answer["batchItemFailures"].as_array().into_iter().flatten();
        let failed: Vec<_> = failed.map(|failure| &failure["itemIdentifier"]).collect();
        for message in messages {
            if !failed.contains(&&json!(message.id)) {
                aws.queues.delete(&message.receipt);
            }
        }
    }
}

async fn show_again(aws: Arc<Aws>, messages: Vec<Message>) {
    sleep(HIDDEN).await;
    for message in messages {
        aws.queues.show(&message.receipt);
    }
}

/// Delivers the stream of requests, batch by batch, each until it is published.
async fn publish(aws: Arc<Aws>, lambda: Arc<Lambda>) {
    let mut position = aws.start_of_stream.clone();
    loop {
        let (records, next) = stream::records(&aws.tables, &position);
        let is_at_end = records.is_empty();
        let records: Vec<Value> = records.into_iter().filter(stream::is_wanted).collect();
        if !records.is_empty() {
            let batch = json!({ "Records": records }).to_string();
            if lambda.invoke("publish", batch.into()).await.is_none() {
                sleep(BETWEEN_LOOKS).await;
                continue;
            }
        }
        position = next;
        if is_at_end {
            aws.written.notified().await;
            sleep(BETWEEN_LOOKS).await;
        }
    }
}
