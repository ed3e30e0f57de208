//! Measures the shipped functions. Each one runs as its own process, and this process plays the
//! Lambda Runtime API, AWS and Belvo around it. The same functions in plain Rust, Python and
//! Node.js, and Rust programs that do only what cannot be left out, are measured for comparison.
//! `report` makes tables of it.

mod arguments;
mod aws;
mod belvo;
mod billing;
#[cfg(test)]
mod budget;
mod collections;
mod compression;
mod conformance;
mod counter;
mod deliveries;
mod distant;
#[cfg(test)]
mod followers;
mod front;
mod instructions;
mod invocations;
mod large_rows;
mod latency;
mod listings;
mod machine;
mod partition;
mod profile;
mod program;
mod report;
mod result_file;
mod scale;
mod setting;
mod setup;
mod sizes;
mod stack;
mod start;
mod statistics;
mod suites;
mod tls;
mod waits;
mod world;

use std::{fs, time::Instant};

use clap::Parser;

use crate::{
    arguments::{Arguments, Command},
    machine::Run,
    program::Programs,
    result_file::ResultFile,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Measure(arguments) => measure(&arguments).await,
        Command::Report(arguments) => report::make(&arguments),
    }
}

/// Runs the suites and writes what each of them measured.
async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let programs = Programs::of(fs::canonicalize(&arguments.checkout)?);
    let run = Run::of(&programs);
    fs::create_dir_all(&arguments.results)?;

    for suite in arguments.suites() {
        let load_before = machine::load();
        let started = Instant::now();
        let Some(measured) = suites::run(suite, arguments, &programs).await? else {
            continue;
        };

        let result = ResultFile {
            run: run.clone(),
            load_before,
            took_s: started.elapsed().as_secs(),
            quick: arguments.quick,
            measured,
        };
        result.write(&arguments.results, suite)?;
    }
    Ok(())
}
