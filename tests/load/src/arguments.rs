//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::trouble::Rates;

/// Loads the functions, and looks whether anything is lost.
#[derive(Parser)]
pub(crate) enum Command {
    /// Runs the functions as processes of this machine, and delivers webhooks to them.
    Processes(Processes),
    /// Delivers webhooks to the stack that the environment describes, and looks what became of
    /// them.
    Deliver(Deliver),
    /// Gives one environment of each function many events, and looks at its memory.
    Environments(Environments),
    /// Makes the record of all results.
    Report(Report),
}

/// How much is delivered.
#[derive(Args, Clone)]
pub(crate) struct Amount {
    /// Decides what is delivered, and what goes wrong.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[arg(long, default_value_t = 2_000)]
    pub(crate) links: usize,
    #[arg(long, default_value_t = 100_000)]
    pub(crate) webhooks: u64,
    /// How many are on their way at the same time.
    #[arg(long, default_value_t = 100)]
    pub(crate) at_once: usize,
    /// It fails if it is not done by then.
    #[arg(long, default_value_t = 5_400)]
    pub(crate) seconds: u64,
    /// Where the figures go, as JSON.
    #[arg(long)]
    pub(crate) results: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Processes {
    #[command(flatten)]
    pub(crate) amount: Amount,
    /// The folder of the functions' executables.
    #[arg(long)]
    pub(crate) functions: PathBuf,
    /// Of a thousand invocations, how many a kill falls into.
    #[arg(long, default_value_t = 10)]
    kills: u32,
    /// Of a thousand messages that functions send, how many the queue fails.
    #[arg(long, default_value_t = 10)]
    queue_failures: u32,
}

impl Processes {
    pub(crate) fn rates(&self) -> Rates {
        Rates {
            kills: self.kills,
            queue_failures: self.queue_failures,
        }
    }
}

#[derive(Args)]
pub(crate) struct Deliver {
    #[command(flatten)]
    pub(crate) amount: Amount,
    /// Where a `POST` ends all trouble. Without one, functions of the local AWS are killed.
    #[arg(long)]
    pub(crate) peace: Option<String>,
}

#[derive(Args)]
pub(crate) struct Environments {
    /// The folder of the functions' executables.
    #[arg(long)]
    pub(crate) functions: PathBuf,
    /// How many events `webhook` is given; the others are given a tenth.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) invocations: u64,
    /// Where the figures go, as JSON.
    #[arg(long)]
    pub(crate) results: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Report {
    /// The directory of all results.
    #[arg(long)]
    pub(crate) results: PathBuf,
    /// The record to write.
    #[arg(long)]
    pub(crate) record: PathBuf,
}
