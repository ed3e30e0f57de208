//! A first collection of many rows whose link's partition gives no more than DynamoDB documents,
//! with small links beside it in the same process.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use function_processes::{Function, events};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::{
    aws::Throughput,
    large_rows::run,
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
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paced {
    pub(crate) rows: usize,
    /// From the first event to the answer to the last one.
    pub(crate) seconds: f64,
    pub(crate) invocations: u64,
    /// Of the large link alone.
    pub(crate) write_units: f64,
    /// What the partition would take for the write units without a pause.
    pub(crate) own_seconds: f64,
    pub(crate) ratio: f64,
    pub(crate) requests: BTreeMap<String, u64>,
    /// The requests that were refused or left something undone, and the share of them in all writes
    /// of batches.
    pub(crate) throttled: BTreeMap<String, u64>,
    pub(crate) wasted: f64,
    /// Until all rows of each small link were stored: the longest, alone and beside the large one.
    pub(crate) small_alone_ms: f64,
    pub(crate) small_beside_ms: f64,
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
    tokio::try_join!(run(function, &world.aws, event), stored(world, &small))
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use axum::body::Bytes;
    use collect::{App, TIME_TO_RELEASE};
    use function_processes::events;
    use tokio::time::sleep;

    use crate::{
        aws::Throughput,
        budget::{self, ROWS},
        world::World,
    };

    /// The write units that partitions give, few enough for a slow machine to need them all.
    const PER_SECOND: f64 = 500.0;
    /// More than enough for everything here.
    const LONG: Duration = Duration::from_mins(5);

    /// A world whose partitions give so many write units a second.
    async fn world(write_units: f64) -> World {
        let world = World::plain().await.unwrap();
        world.aws.limit(Throughput {
            write_units,
            ..Throughput::DOCUMENTED
        });
        world
    }

    /// Processes an event, and returns how long that took.
    async fn invoke(app: &App, event: Bytes, time_left: Duration) -> Duration {
        let started = Instant::now();
        let event = serde_json::from_slice(&event).unwrap();
        let response = collect::handle(app, event, time_left).await;
        assert!(response.batch_item_failures.is_empty());
        started.elapsed()
    }

    async fn collect(app: &App, world: &World, link: &str) {
        invoke(app, events::batch(link), LONG).await;
        assert!(world.aws.take_message().is_none());
    }

    #[tokio::test]
    async fn a_first_collection_keeps_to_its_partitions_pace_and_delays_no_other_link() {
        let world = world(PER_SECOND).await;
        let app = budget::collect(&world);
        let large = world.belvo.link(3 * ROWS).await.unwrap();
        let small = world.belvo.link(20).await.unwrap();
        world.aws.take_asked();

        let beside = async {
            while world.aws.written(&large) < 3.0 * PER_SECOND {
                sleep(Duration::from_millis(5)).await;
            }
            let before = world.aws.written(&large);
            collect(&app, &world, &small).await;
            world.aws.written(&large) - before
        };
        let ((), meanwhile) = tokio::join!(collect(&app, &world, &large), beside);

        let asked = world.aws.take_asked();
        // Without a pace it is half of them. The suite measures it where the search for the rate
        // counts for little.
        assert!(asked.wasted() < 0.2, "{asked:?}");
        let share = meanwhile / world.aws.written(&large);
        assert!(
            share < 0.25,
            "{share} of the large link was written meanwhile"
        );
        assert_eq!(world.aws.count(&large, "T#").unwrap(), 3 * 1_000);
        assert_eq!(world.aws.count(&small, "T#").unwrap(), 20);
    }

    #[tokio::test]
    async fn a_partition_that_gives_little_is_waited_for() {
        let world = world(200.0).await;
        let app = budget::collect(&world);
        let link = world.belvo.link(ROWS).await.unwrap();
        collect(&app, &world, &link).await;
        assert_eq!(world.aws.count(&link, "T#").unwrap(), 1_000);
    }

    #[tokio::test]
    async fn what_there_is_no_time_for_goes_on_in_another_invocation() {
        let world = world(PER_SECOND).await;
        let app = budget::collect(&world);
        let link = world.belvo.link(3 * ROWS).await.unwrap();
        // A part has at most a page of rows, and takes some two seconds.
        let time_left = Duration::from_secs(6) + TIME_TO_RELEASE;
        let (mut invocations, mut next) = (0, Some(events::batch(&link)));
        while let Some(event) = next {
            assert!(invoke(&app, event, time_left).await < time_left);
            invocations += 1;
            let message = world.aws.take_message();
            next = message.map(|message| events::sent(&message));
        }

        assert!(invocations > 1);
        assert_eq!(world.aws.count(&link, "T#").unwrap(), 3 * 1_000);
        // What is done is kept: only a part that was interrupted is written again.
        let rows = u32::try_from(3 * ROWS + (invocations - 1) * ROWS).unwrap();
        let written = world.aws.written(&link);
        assert!(written < 1.4 * f64::from(rows), "{written} units");
    }
}
