//! A first collection of many rows whose link's partition gives no more than DynamoDB documents,
//! with small links beside it in the same process.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use axum::body::Bytes;
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    aws::Throughput,
    events,
    function::Function,
    program::{Maker, Programs},
    statistics::milliseconds,
    world::World,
};

/// The rows of a small link, and how many there are: with the large one, a batch of SQS's.
const SMALL_ROWS: usize = 20;
const SMALL_LINKS: usize = 9;
/// How often it is looked whether a small link is stored.
const LOOK: Duration = Duration::from_millis(10);

/// How a first collection went.
#[derive(Debug, Serialize)]
pub(crate) struct Paced {
    rows: usize,
    /// From the first event to the answer to the last one.
    seconds: f64,
    invocations: u64,
    /// Of the large link alone.
    write_units: f64,
    /// What the partition would take for the write units without a pause.
    own_seconds: f64,
    ratio: f64,
    requests: BTreeMap<String, u64>,
    /// The requests that were refused or left something undone, and the share of them in all writes
    /// of batches.
    throttled: BTreeMap<String, u64>,
    wasted: f64,
    /// Until all rows of each small link were stored: the longest, alone and beside the large one.
    small_alone_ms: f64,
    small_beside_ms: f64,
}

/// Collects a link with so many rows.
pub(crate) async fn measure(
    programs: &Programs,
    world: &World,
    rows: usize,
) -> anyhow::Result<Vec<Paced>> {
    eprintln!("  {rows} rows at their partition's pace");
    world.aws.limit(Throughput::DOCUMENTED);
    let program = programs.function(Maker::Ours, "collect");
    let mut function = Function::start(&program, &world.environment()).await?;

    let (_, alone) = collect(&mut function, world, None).await?;

    let large = world.belvo.link(rows).await?;
    world.aws.take_asked();
    let started = Instant::now();
    let (invocations, beside) = collect(&mut function, world, Some(&large)).await?;
    let seconds = started.elapsed().as_secs_f64();
    let asked = world.aws.take_asked();

    let stored = world.aws.count(&large, "T#")?;
    ensure!(stored == u64::try_from(rows)?, "{stored} rows are stored");
    function.stop().await?;
    let write_units = world.aws.written(&large);
    let own_seconds = write_units / Throughput::DOCUMENTED.write_units;
    Ok(vec![Paced {
        rows,
        seconds,
        invocations,
        write_units,
        own_seconds,
        ratio: seconds / own_seconds,
        wasted: asked.wasted(),
        requests: asked.requests,
        throttled: asked.throttled,
        small_alone_ms: milliseconds(alone),
        small_beside_ms: milliseconds(beside),
    }])
}

/// Collects small links in one batch, with a large one before them if there is one. Returns the
/// number of invocations, and how long it took until all rows of the small links were stored.
async fn collect(
    function: &mut Function,
    world: &World,
    large: Option<&str>,
) -> anyhow::Result<(u64, Duration)> {
    let mut small = Vec::new();
    for _ in 0..SMALL_LINKS {
        small.push(world.belvo.link(SMALL_ROWS).await?);
    }
    let links = large.into_iter().chain(small.iter().map(String::as_str));
    let event = events::batch_of_links(&links.collect::<Vec<_>>());
    tokio::try_join!(run(function, world, event), stored(world, &small))
}

/// Lets the function process an event and all continuations, and returns the number of invocations.
async fn run(function: &mut Function, world: &World, mut event: Bytes) -> anyhow::Result<u64> {
    let mut invocations = 0;
    loop {
        let answer = function.invoke(event).await?.answer;
        ensure!(answer["batchItemFailures"] == json!([]), "{answer}");
        invocations += 1;
        match world.aws.take_message() {
            Some(continuation) => event = events::sent(&continuation),
            None => return Ok(invocations),
        }
    }
}

/// Waits until all rows of these links are stored, and returns how long that took.
async fn stored(world: &World, links: &[String]) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let rows = u64::try_from(SMALL_ROWS)?;
    let mut left = links.to_vec();
    while let Some(link) = left.last() {
        if world.aws.count(link, "T#").context("the rows of a link")? == rows {
            left.pop();
        } else {
            sleep(LOOK).await;
        }
    }
    Ok(started.elapsed())
}
