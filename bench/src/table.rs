//! The measurements as a table and as JSON.

use std::{fs, path::Path};

use anyhow::ensure;
use serde::Serialize;
use serde_json::json;

use crate::aws::Units;

/// What there was to collect.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    First,
    Unchanged,
    OnePercent,
}

/// One measured collection.
pub(crate) struct Row {
    pub(crate) rows: usize,
    pub(crate) step: Step,
    pub(crate) gets: u64,
    pub(crate) units: Units,
    pub(crate) billed_ms: u64,
    pub(crate) cpu_ms: u64,
    pub(crate) peak_memory_kb: u64,
}

pub(crate) const HEAD: &str = "\
|    rows | collection   |  GETs | write units | of the record | read units | peak memory | billed ms | CPU ms |
|--------:|:-------------|------:|------------:|--------------:|-----------:|------------:|----------:|-------:|";

impl Row {
    pub(crate) fn line(&self) -> String {
        let step = match self.step {
            Step::First => "first",
            Step::Unchanged => "unchanged",
            Step::OnePercent => "1 % changed",
        };
        #[expect(clippy::cast_precision_loss, reason = "memory in MB with one digit")]
        let memory = self.peak_memory_kb as f64 / 1024.0;
        format!(
            "| {:>7} | {step:<12} | {:>5} | {:>11} | {:>13} | {:>10} | {memory:>8.1} MB | {:>9} | {:>6} |",
            self.rows,
            self.gets,
            self.units.written("Transactions"),
            self.units.written("Requests"),
            self.units.read(""),
            self.billed_ms,
            self.cpu_ms
        )
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "rows": self.rows,
            "collection": self.step,
            "gets": self.gets,
            "write_units": self.units.written("Transactions"),
            "write_units_of_the_record": self.units.written("Requests"),
            "read_units": self.units.read(""),
            "peak_memory_kb": self.peak_memory_kb,
            "billed_ms": self.billed_ms,
            "cpu_ms": self.cpu_ms,
        })
    }
}

/// The rows of the smallest window with a full page: what is beyond must not need more memory.
const A_FULL_PAGE: usize = 1_000;

/// Fails if an unchanged window writes a row, or if memory grows with the window.
pub(crate) fn prove(rows: &[Row]) -> anyhow::Result<()> {
    for row in rows.iter().filter(|row| row.step == Step::Unchanged) {
        ensure!(row.units.written("Transactions") == 0.0, "an unchanged window writes: {}", row.line());
    }
    let peak = |rows: &mut dyn Iterator<Item = &Row>| rows.map(|row| row.peak_memory_kb).max();
    let page = peak(&mut rows.iter().filter(|row| row.rows == A_FULL_PAGE));
    let largest = peak(&mut rows.iter().filter(|row| row.rows > A_FULL_PAGE));
    if let Some((page, largest)) = page.zip(largest) {
        // A page, and the fingerprints of a part: the most that is held at once.
        ensure!(largest * 2 < page * 3, "memory grows with the window: {page} KB for a page, {largest} KB for more");
    }
    Ok(())
}

/// Writes `collect-costs.md` and `collect-costs.json`.
pub(crate) fn write(directory: &Path, rows: &[Row]) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    let lines: Vec<_> = rows.iter().map(Row::line).collect();
    fs::write(directory.join("collect-costs.md"), format!("{HEAD}\n{}\n", lines.join("\n")))?;
    let json: Vec<_> = rows.iter().map(Row::json).collect();
    fs::write(directory.join("collect-costs.json"), format!("{:#}\n", json!(json)))?;
    Ok(())
}
