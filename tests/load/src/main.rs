//! A load on the functions as they are deployed: 100,000 webhooks, a hundred at once, while
//! functions are killed and the queue fails. Whoever sends them is acknowledged or delivers again,
//! and in the end every acknowledged webhook is accounted for, and every link has what Belvo has.
//!
//! `processes` plays Lambda, AWS and Belvo around the functions as processes, and runs `deliver` in
//! front of them; `python -m local exec` runs the same against the local AWS. `environments` gives
//! one environment of each function as many events, and looks at its memory. `report` makes the
//! record of it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test, run as a command because it is given amounts and seeds"
)]

mod arguments;
mod aws;
mod delivering;
mod environments;
mod figures;
mod lambda;
mod processes;
mod report;
mod surroundings;
mod triggers;
mod trouble;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Command;

/// More threads than processors: DynamoDB is played by calls that take a thread for themselves.
#[tokio::main(worker_threads = 4)]
async fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Processes(arguments) => processes::run(&arguments).await,
        Command::Deliver(arguments) => delivering::run(&arguments).await,
        Command::Environments(arguments) => environments::run(&arguments).await,
        Command::Report(arguments) => report::write(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}
