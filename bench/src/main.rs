//! Measures the functions as they are shipped, as processes of their own, between a Lambda Runtime
//! API, an AWS and a Belvo of this process, beside the same functions in Python and in Node.js and
//! beside Rust programs that do part of the work.

mod aws;
mod belvo;
#[cfg(test)]
mod budget;
mod collections;
mod conformance;
mod deliveries;
mod events;
mod front;
mod function;
mod instructions;
mod machine;
mod process;
mod profile;
mod program;
mod scale;
mod sizes;
mod stack;
mod start;
mod statistics;
mod world;

use std::{fs, path::PathBuf, time::Instant};

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use crate::{
    program::{Maker, Programs},
    world::World,
};

/// Measures and writes what was found, as JSON, into a directory. Needs the tables of a deployed
/// stack (`python -m local exec`).
#[derive(Parser)]
struct Arguments {
    /// What to measure; everything, if nothing is named.
    #[arg(value_enum)]
    suites: Vec<Suite>,
    /// Fewer rounds and smaller windows.
    #[arg(long)]
    quick: bool,
    /// Only our own functions, without the peers.
    #[arg(long)]
    alone: bool,
    /// The checkout, below which the programs are.
    #[arg(long, default_value = ".")]
    checkout: PathBuf,
    /// Directory for the results.
    #[arg(long)]
    results: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Whether the peers do the same.
    Conformance,
    /// INIT, first and later invocations.
    Start,
    /// What a webhook costs.
    Deliveries,
    /// What collections of several sizes cost.
    Collections,
    /// Instructions, counted by valgrind.
    Instructions,
    /// From webhook to stored, on the deployed stack.
    Stack,
    /// Programs and packages in bytes.
    Sizes,
    /// How many links one deployment keeps up with, in virtual time.
    Scale,
    /// Samples of `collect` for flame graphs; only if it is named.
    Profile,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let programs = Programs::of(fs::canonicalize(&arguments.checkout)?);
    let run = machine::describe(&programs);
    let every: Vec<_> = Suite::value_variants()
        .iter()
        .copied()
        .filter(|suite| *suite != Suite::Profile)
        .collect();
    let suites = if arguments.suites.is_empty() {
        &every
    } else {
        &arguments.suites
    };
    fs::create_dir_all(&arguments.results)?;
    for suite in suites {
        let (load, started) = (machine::load(), Instant::now());
        let (name, measured) = match suite {
            Suite::Conformance => {
                conformance::check(&programs, &World::plain().await?, arguments.makers()).await?;
                continue;
            }
            Suite::Profile => {
                profile::record(
                    &programs.with_symbols("collect"),
                    &World::plain().await?,
                    &arguments.results,
                )
                .await?;
                continue;
            }
            Suite::Start => ("start", start(&arguments, &programs).await?),
            Suite::Deliveries => ("deliveries", deliveries(&arguments, &programs).await?),
            Suite::Collections => ("collections", collections(&arguments, &programs).await?),
            Suite::Instructions => ("instructions", instructions(&programs).await?),
            Suite::Stack => (
                "stack",
                json!(stack::measure(if arguments.quick { 3 } else { 10 }).await?),
            ),
            Suite::Sizes => (
                "sizes",
                json!(sizes::measure(&programs, arguments.makers())?),
            ),
            // It has a runtime of its own, whose clock is not the machine's.
            Suite::Scale => {
                let quick = arguments.quick;
                (
                    "scale",
                    json!(tokio::task::spawn_blocking(move || scale::measure(quick)).await??),
                )
            }
        };
        let result = json!({
            "run": run,
            "load_before": load,
            "took_s": started.elapsed().as_secs(),
            "quick": arguments.quick,
            "measured": measured,
        });
        fs::write(
            arguments.results.join(format!("{name}.json")),
            format!("{result:#}\n"),
        )?;
    }
    Ok(())
}

async fn start(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let directory = tempfile::tempdir()?;
    let rounds = if arguments.quick { 3 } else { 11 };
    let mut measured =
        start::measure(programs, &World::plain().await?, arguments.makers(), rounds).await?;
    measured.extend(
        start::measure(
            programs,
            &World::tls(directory.path()).await?,
            arguments.makers(),
            rounds,
        )
        .await?,
    );
    Ok(json!(measured))
}

async fn deliveries(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let (rounds, deliveries) = if arguments.quick { (3, 200) } else { (9, 500) };
    let world = World::plain().await?;
    Ok(json!(
        deliveries::measure(programs, &world, arguments.makers(), rounds, deliveries).await?
    ))
}

async fn collections(arguments: &Arguments, programs: &Programs) -> anyhow::Result<Value> {
    let world = World::counted().await?;
    let makers = arguments.makers();
    let mut measured = Vec::new();
    // Rows, rounds, and who collects them.
    let windows: &[(usize, usize, &[Maker])] = if arguments.quick {
        &[(1_000, 3, makers), (10_000, 1, makers)]
    } else {
        &[
            (1_000, 3, makers),
            (10_000, 2, makers),
            (100_000, 1, &[Maker::Ours]),
            (200_000, 1, &[Maker::Ours]),
        ]
    };
    for (rows, rounds, makers) in windows {
        measured.extend(collections::measure(programs, &world, makers, *rows, *rounds).await?);
    }
    Ok(json!(measured))
}

async fn instructions(programs: &Programs) -> anyhow::Result<Value> {
    let directory = tempfile::tempdir()?;
    Ok(json!(
        instructions::measure(programs, &World::plain().await?, directory.path()).await?
    ))
}

impl Arguments {
    fn makers(&self) -> &'static [Maker] {
        if self.alone {
            &[Maker::Ours]
        } else {
            &Maker::ALL
        }
    }
}
