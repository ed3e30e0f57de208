//! Measures the shipped functions. Each one runs as its own process, and this process plays the
//! Lambda Runtime API, AWS and Belvo around it. The same functions in Python and Node.js, and Rust
//! programs that do part of the work, are measured for comparison.

mod arguments;
mod aws;
mod belvo;
#[cfg(test)]
mod budget;
mod collections;
mod conformance;
mod deliveries;
mod events;
#[cfg(test)]
mod followers;
mod front;
mod function;
mod instructions;
mod large_rows;
mod listings;
mod machine;
mod partition;
mod process;
mod profile;
mod program;
mod runtime_api;
mod scale;
mod setup;
mod sizes;
mod stack;
mod start;
mod statistics;
mod suites;
mod tls;
mod world;

use std::{fs, path::Path, time::Instant};

use clap::Parser;
use serde_json::{Value, json};

use crate::{arguments::Arguments, program::Programs};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let programs = Programs::of(fs::canonicalize(&arguments.checkout)?);
    let run = machine::describe(&programs);
    fs::create_dir_all(&arguments.results)?;

    for suite in arguments.suites() {
        let load_before = machine::load();
        let started = Instant::now();
        let Some(measured) = suites::run(suite, &arguments, &programs).await? else {
            continue;
        };

        let result = json!({
            "run": run,
            "load_before": load_before,
            "took_s": started.elapsed().as_secs(),
            "quick": arguments.quick,
            "measured": measured,
        });
        write(&arguments.results, &suite.name()?, &result)?;
    }
    Ok(())
}

/// Writes the result of a suite to `<name>.json`.
fn write(directory: &Path, name: &str, result: &Value) -> anyhow::Result<()> {
    let file = directory.join(format!("{name}.json"));
    Ok(fs::write(file, format!("{result:#}\n"))?)
}
