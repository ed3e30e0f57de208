//! The record of all results.

use std::{fs, path::Path};

use anyhow::Context;
use serde::de::DeserializeOwned;

use crate::{
    arguments::Report,
    figures::{Environment, Load, Times, Troubles},
};

/// What stands above the figures.
const INTRODUCTION: &str = "\
# Load

Made by `make load` ([what it does](../ASSURANCE.md#load)). The functions are built as they are
shipped, but each crate is optimized by itself; those of the local AWS are not optimized.

The times are of this machine, on which all environments of the functions, what plays AWS and Belvo
around them, and who sends the webhooks share the processors: they say how it went here, and nothing
about Lambda.";

/// Writes the record, of the results that there are.
pub(crate) fn write(arguments: &Report) -> anyhow::Result<()> {
    let processes: Load = read(&arguments.results.join("processes.json"))?;
    let environments: Vec<Environment> = read(&arguments.results.join("environments.json"))?;
    let emulator: Load = read(&arguments.results.join("emulator.json"))?;
    let run = &processes.run;
    let sections = [
        INTRODUCTION.to_owned(),
        format!(
            "Run: {}, commit {}, seed {}, {} processors.",
            run.day, run.commit, run.seed, run.processors
        ),
        "## The functions as processes".to_owned(),
        of_load(&processes),
        "## One environment for all invocations".to_owned(),
        of_environments(&environments),
        "## Through the local AWS".to_owned(),
        of_load(&emulator),
    ];
    let record = sections.join("\n\n") + "\n";
    fs::write(&arguments.record, record)?;
    Ok(())
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read(path).with_context(|| format!("there is no {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

/// The figures of a load, as tables.
pub(crate) fn of_load(load: &Load) -> String {
    let rows = done(load).into_iter().chain(outcome(load));
    let rows = rows.map(|(name, value)| format!("| {name} | {value} |"));
    let mut text = table("| | |\n|---|--:|", rows);
    if !load.troubles.functions.is_empty() {
        text += "\n\n";
        text += &of_functions(&load.troubles);
    }
    text
}

/// What was done to the functions.
fn done(load: &Load) -> Vec<(&'static str, String)> {
    let queue = &load.troubles.queue;
    let mut numbers = vec![
        ("links", load.links as u64),
        ("webhooks", load.webhooks),
        ("on their way at once", load.at_once as u64),
        ("changes at the bank meanwhile", load.changes),
        ("functions killed", load.kills),
    ];
    if !load.troubles.functions.is_empty() {
        let stored = "messages that it stored and answered with an error";
        numbers.push(("messages that the queue refused", queue.refused));
        numbers.push((stored, queue.stored));
    }
    numbers.extend([
        (
            "delivered again, because not acknowledged",
            load.redelivered,
        ),
        ("delivered again, although acknowledged", load.repeated),
        ("interruptions of the consumer", load.interrupted.into()),
    ]);
    let numbers = numbers.into_iter();
    numbers
        .map(|(name, number)| (name, grouped(number)))
        .collect()
}

/// What became of it. Of what is lost there is no figure: such a run fails.
fn outcome(load: &Load) -> Vec<(&'static str, String)> {
    let looked_for = format!("{}, none lost", grouped(load.accounted_for as u64));
    let compared = format!("{}, all equal", grouped(load.rows as u64));
    vec![
        (
            "from a delivery to its acknowledgement, p50 / p99 / max",
            of_times(load.acknowledgement),
        ),
        (
            "the same from the first delivery of a webhook",
            of_times(load.with_redeliveries),
        ),
        ("all acknowledged after", format!("{} s", load.sent_in_s)),
        (
            "all processed after another",
            format!("{} s", load.processed_in_s),
        ),
        ("acknowledged webhooks looked for", looked_for),
        ("transactions compared with Belvo's", compared),
        (
            "dead letters processed again",
            grouped(load.redriven as u64),
        ),
    ]
}

fn of_functions(troubles: &Troubles) -> String {
    let names = [
        "invocations",
        "cold starts",
        "environments, at most",
        "killed midway",
        "killed after an answer",
        "timed out",
    ];
    let rows = troubles.functions.iter().map(|(name, counts)| {
        let cells = [
            counts.events,
            counts.cold_starts,
            counts.environments,
            counts.killed_midway,
            counts.killed_after,
            counts.timed_out,
        ];
        row(name, cells)
    });
    table(&head(names), rows)
}

/// The figures of environments, as a table.
pub(crate) fn of_environments(environments: &[Environment]) -> String {
    let names = [
        "invocations",
        "warm after",
        "KiB then",
        "KiB later, at most",
        "growth, KiB",
        "KiB at the end",
        "files open then",
        "later, at most",
        "seconds",
    ];
    let rows = environments.iter().map(|one| {
        let cells = [
            one.invocations,
            one.warm_up,
            one.warm_kib,
            one.most_kib,
            one.growth_kib(),
            one.last_kib,
            one.warm_files as u64,
            one.most_files as u64,
            one.took_s,
        ];
        row(&one.function, cells)
    });
    table(&head(names), rows)
}

/// The head of a table of functions.
fn head<const N: usize>(names: [&str; N]) -> String {
    format!(
        "| function | {} |\n|---|{}",
        names.join(" | "),
        "--:|".repeat(N)
    )
}

fn table(head: &str, rows: impl Iterator<Item = String>) -> String {
    let lines: Vec<_> = std::iter::once(head.to_owned()).chain(rows).collect();
    lines.join("\n")
}

/// A function in a table.
fn row<const N: usize>(function: &str, cells: [u64; N]) -> String {
    format!("| `{function}` | {} |", cells.map(grouped).join(" | "))
}

fn of_times(times: Times) -> String {
    let Times { p50, p99, max } = times;
    format!("{p50:.0} / {p99:.0} / {max:.0} ms")
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let numbers = [0, 999, 1_000, 100_000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "100,000", "1,234,567"]);
    }
}
