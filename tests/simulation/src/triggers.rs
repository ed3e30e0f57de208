//! What invokes functions by itself: the trigger of the queue, that of the stream, and the
//! schedule.

use std::{rc::Rc, time::Duration};

use serde_json::json;
use test_harness::aws::stream;
use tokio::{task::spawn_local, time::sleep};

use crate::{aws::queues::Message, faults::Fault, settings::ATTEMPTS, world::World};

/// Batches that are collected at the same time (template.yaml).
const COLLECTED_AT_ONCE: usize = 2;
/// The time between two sweeps (template.yaml).
const BETWEEN_SWEEPS: Duration = Duration::from_mins(5);
/// How soon the stream is looked at again.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Starts all of them, for ever.
pub(crate) fn start(world: &Rc<World>) {
    for _ in 0..COLLECTED_AT_ONCE {
        spawn_local(collect(Rc::clone(world)));
    }
    spawn_local(publish(Rc::clone(world)));
    spawn_local(sweep(Rc::clone(world)));
}

/// Delivers what is in the queue, batch by batch. What the function does not want to be retried is
/// deleted; the rest shows again when it is no longer hidden.
async fn collect(world: Rc<World>) {
    loop {
        let messages = world.queues.receive(ATTEMPTS).await;
        let records: Vec<_> = messages.iter().map(Message::event).collect();
        let failed = world
            .functions
            .collect(&world, json!({ "Records": records }));
        let failed = failed.await.filter(|_| !world.happens(Fault::LostOutcome));
        let Some(failed) = failed else {
            continue;
        };
        for message in messages {
            if !failed.contains(&message.id) {
                world.queues.delete(&message.receipt);
            }
        }
    }
}

/// Delivers the stream of requests, batch by batch, each until it is published.
async fn publish(world: Rc<World>) {
    let mut position = world.start_of_stream.clone();
    loop {
        let (records, next) = stream::records(&world.tables, &position);
        let is_at_end = records.is_empty();
        let records: Vec<_> = records.into_iter().filter(stream::is_wanted).collect();
        if !records.is_empty() {
            let batch = json!({ "Records": records });
            let is_published = world.functions.publish(&world, batch).await;
            if !is_published || world.happens(Fault::RepeatedBatch) {
                sleep(BETWEEN_LOOKS).await;
                continue;
            }
        }
        position = next;
        if is_at_end {
            world.written.notified().await;
            sleep(BETWEEN_LOOKS).await;
        }
    }
}

async fn sweep(world: Rc<World>) {
    loop {
        sleep(BETWEEN_SWEEPS).await;
        let sweep = json!({"kind": "sweep", "at": "2026-03-01T00:00:00Z"});
        world.queues.put(&sweep.to_string(), "sweep");
    }
}
