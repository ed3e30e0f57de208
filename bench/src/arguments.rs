//! The command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, ValueEnum};

use crate::program::Maker;

/// Measures the functions, and makes tables of what was measured.
#[derive(Parser)]
pub(crate) enum Command {
    /// Runs the measurements and writes their results as JSON files into a directory. Needs the
    /// tables of a deployed stack (`python -m local exec`).
    Measure(Arguments),
    /// Makes `summary.md` beside the results: tables, costs and limits. Prints the targets.
    Report(Report),
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to measure [default: all but `compression`, `profile` and those of arm64].
    #[arg(value_enum)]
    suites: Vec<Suite>,
    /// Fewer rounds and smaller windows.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only our own functions, without the peers.
    #[arg(long)]
    alone: bool,
    /// Also the suites of arm64 if none is named. They need QEMU and programs built for arm64.
    #[arg(long)]
    arm64: bool,
    /// The checkout that contains the built programs.
    #[arg(long, default_value = ".")]
    pub(crate) checkout: PathBuf,
    /// Directory for the results.
    #[arg(long)]
    pub(crate) results: PathBuf,
}

#[derive(Args)]
pub(crate) struct Report {
    /// The checkout that holds prices, the template and the documents.
    #[arg(long, default_value = ".")]
    pub(crate) checkout: PathBuf,
    /// Directory of the results.
    #[arg(long)]
    pub(crate) results: PathBuf,
    /// Put the tables also where README and docs quote them.
    #[arg(long)]
    pub(crate) quote: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Whether the peers behave as our functions do.
    Conformance,
    /// INIT, first and later invocations.
    Start,
    /// What a webhook costs.
    Deliveries,
    /// What collections of several sizes cost.
    Collections,
    /// What listings, and the rows of one day, cost.
    Listings,
    /// The peak memory of a batch of links with large rows.
    LargeRows,
    /// A large first collection at the limit of its partition.
    Partition,
    /// Whole invocations, as they are billed, among services as slow as the real ones.
    Invocations,
    /// Collections of answers that are compressed, and of others; runs only when named.
    Compression,
    /// Instructions, counted by valgrind.
    Instructions,
    /// From webhook to stored, on the deployed stack.
    Stack,
    /// Programs and packages in bytes.
    Sizes,
    /// How many links one deployment keeps up with, in virtual time.
    Scale,
    /// Our programs as they are built for arm64, in bytes.
    Arm64Sizes,
    /// Their instructions, counted under QEMU.
    Arm64Instructions,
    /// Samples of `collect` for flame graphs; runs only when named.
    Profile,
}

impl Arguments {
    /// The suites named on the command line, or all that run by default.
    pub(crate) fn suites(&self) -> Vec<Suite> {
        if !self.suites.is_empty() {
            return self.suites.clone();
        }

        let mut suites = Suite::value_variants().to_vec();
        suites.retain(|suite| match suite {
            Suite::Compression | Suite::Profile => false,
            Suite::Arm64Sizes | Suite::Arm64Instructions => self.arm64,
            _ => true,
        });
        suites
    }

    pub(crate) fn makers(&self) -> &'static [Maker] {
        if self.alone {
            &[Maker::Ours]
        } else {
            &Maker::ALL
        }
    }
}

impl Suite {
    /// The name on the command line, which is also that of the result file.
    pub(crate) fn name(self) -> anyhow::Result<String> {
        let value = self.to_possible_value().context("the suite is hidden")?;
        Ok(value.get_name().to_owned())
    }
}
