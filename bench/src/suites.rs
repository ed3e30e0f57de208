//! Runs a suite with the rounds and sizes that the command line asks for.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    arguments::{Arguments, Suite},
    collections, compression, conformance,
    counter::Counter,
    deliveries, instructions, invocations, large_rows, listings, partition, profile,
    program::{Maker, Programs},
    scale,
    setup::Setup,
    sizes, stack, start,
    world::World,
};

/// Runs a suite and returns what it measured; `None` if the suite leaves no JSON.
pub(crate) async fn run(
    suite: Suite,
    arguments: &Arguments,
    programs: &Programs,
) -> anyhow::Result<Option<Value>> {
    let measured = match suite {
        Suite::Conformance => {
            check_conformance(arguments, programs).await?;
            return Ok(None);
        }
        Suite::Profile => {
            record_profile(arguments, programs).await?;
            return Ok(None);
        }
        Suite::Start => starts(arguments, programs).await?,
        Suite::Deliveries => delivery_costs(arguments, programs).await?,
        Suite::Collections => collection_costs(arguments, programs).await?,
        Suite::Listings => listing_costs(arguments.quick).await?,
        Suite::LargeRows => large_row_memory(arguments, programs).await?,
        Suite::Partition => partition_pace(arguments, programs).await?,
        Suite::Invocations => whole_invocations(arguments, programs).await?,
        Suite::Compression => compressed_answers(arguments, programs).await?,
        Suite::Instructions => instruction_counts(programs).await?,
        Suite::Arm64Sizes => to_json(&sizes::measure(&programs.for_arm64(), &[Maker::Ours])?)?,
        Suite::Arm64Instructions => arm64_instruction_counts(programs).await?,
        Suite::Stack => stack_delays(arguments).await?,
        Suite::Sizes => to_json(&sizes::measure(programs, arguments.makers())?)?,
        Suite::Scale => simulated_days(arguments.quick).await?,
    };
    Ok(Some(measured))
}

async fn check_conformance(arguments: &Arguments, programs: &Programs) -> anyhow::Result<()> {
    let world = World::plain().await?;
    conformance::check(setup(arguments, programs, &world)).await
}

async fn record_profile(arguments: &Arguments, programs: &Programs) -> anyhow::Result<()> {
    let world = World::plain().await?;
    let collect = programs.with_symbols("collect");
    profile::record(&collect, &world, &arguments.results).await
}

/// Starts over plain HTTP, which isolates the functions, and over TLS, as in production.
async fn starts(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let rounds = if arguments.quick { 3 } else { 11 };
    let plain = World::plain().await?;
    let mut measured = start::measure(setup(arguments, programs, &plain), rounds).await?;
    drop(plain);

    let directory = tempfile::tempdir()?;
    let tls = World::tls(directory.path()).await?;
    measured.extend(start::measure(setup(arguments, programs, &tls), rounds).await?);
    to_json(&measured)
}

async fn delivery_costs(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let (rounds, deliveries) = if arguments.quick { (3, 200) } else { (9, 500) };
    let world = World::plain().await?;
    let setup = setup(arguments, programs, &world);
    to_json(&deliveries::measure(setup, rounds, deliveries).await?)
}

/// A window to collect, and how often.
struct Window {
    rows: usize,
    rounds: usize,
    makers: &'static [Maker],
}

async fn collection_costs(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let world = World::counted().await?;
    let mut measured = Vec::new();
    for window in windows(arguments) {
        let setup = Setup {
            makers: window.makers,
            ..setup(arguments, programs, &world)
        };
        measured.extend(collections::measure(setup, window.rows, window.rounds).await?);
    }
    to_json(&measured)
}

/// The windows of the collections, small ones first.
fn windows(arguments: &Arguments) -> Vec<Window> {
    let window = |rows, rounds, makers| Window {
        rows,
        rounds,
        makers,
    };
    let makers = arguments.makers();
    if arguments.quick {
        return vec![window(1_000, 3, makers), window(10_000, 1, makers)];
    }

    vec![
        window(1_000, 3, makers),
        window(10_000, 2, makers),
        window(100_000, 1, &[Maker::Ours]),
        window(200_000, 1, &[Maker::Ours]),
    ]
}

async fn listing_costs(quick: bool) -> anyhow::Result<Value> {
    let world = World::plain().await?;
    to_json(&listings::measure(&world, quick).await?)
}

async fn large_row_memory(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let world = World::plain().await?;
    to_json(&large_rows::measure(programs, &world, arguments.quick).await?)
}

async fn partition_pace(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let rows = if arguments.quick { 5_000 } else { 200_000 };
    let world = World::plain().await?;
    to_json(&partition::measure(programs, &world, rows).await?)
}

async fn whole_invocations(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let window = |rows, rounds| invocations::Window { rows, rounds };
    let windows = if arguments.quick {
        vec![window(1, 1), window(1_000, 1)]
    } else {
        vec![
            window(1, 7),
            window(100, 7),
            window(1_000, 5),
            window(10_000, 3),
        ]
    };
    let directory = tempfile::tempdir()?;
    let world = World::distant(directory.path(), invocations::LINE).await?;
    to_json(&invocations::measure(programs, &world, &windows).await?)
}

async fn compressed_answers(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let (rows, rounds) = if arguments.quick {
        (1_000, 1)
    } else {
        (10_000, 3)
    };
    let directory = tempfile::tempdir()?;
    to_json(&compression::measure(programs, directory.path(), rows, rounds).await?)
}

async fn instruction_counts(programs: &Programs) -> anyhow::Result<Value> {
    let directory = tempfile::tempdir()?;
    let world = World::plain().await?;
    let Some(counter) = Counter::callgrind(directory.path()) else {
        return Ok(json!([]));
    };
    to_json(&instructions::measure(programs, &world, &counter).await?)
}

async fn arm64_instruction_counts(programs: &Programs) -> anyhow::Result<Value> {
    let directory = tempfile::tempdir()?;
    let world = World::plain().await?;
    let counter = Counter::qemu(programs.checkout(), directory.path())?;
    to_json(&instructions::measure(&programs.for_arm64(), &world, &counter).await?)
}

async fn stack_delays(arguments: &Arguments) -> anyhow::Result<Value> {
    let rounds = if arguments.quick { 3 } else { 10 };
    to_json(&stack::measure(rounds).await?)
}

async fn simulated_days(quick: bool) -> anyhow::Result<Value> {
    // The simulation has its own runtime with a virtual clock, and runtimes cannot be nested.
    let days = tokio::task::spawn_blocking(move || scale::measure(quick)).await??;
    to_json(&days)
}

fn setup<'a>(arguments: &Arguments, programs: &'a Programs, world: &'a World) -> Setup<'a> {
    Setup {
        programs,
        makers: arguments.makers(),
        world,
    }
}

fn to_json(measured: &impl Serialize) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(measured)?)
}
