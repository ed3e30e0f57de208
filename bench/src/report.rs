//! Makes tables, targets, costs and limits of what was measured, and puts them where documents
//! quote them.

pub(crate) mod costs;
mod documents;
mod invocations;
mod limits;
mod markdown;
mod numbers;
mod prices;
mod results;
mod summary;
mod tables;
mod targets;
mod template;

use std::{
    fs,
    io::{Write, stdout},
    path::Path,
};

use anyhow::Context;
use serde::de::DeserializeOwned;

use crate::{
    arguments,
    report::{
        costs::Budget,
        documents::{DOCUMENTS, quoted},
        prices::Prices,
        results::Results,
        template::Template,
    },
};

/// The name of the summary beside the results.
const SUMMARY: &str = "summary.md";

/// What tables are made of.
#[derive(Debug)]
pub(crate) struct Sources {
    results: Results,
    prices: Prices,
    budget: Budget,
    template: Template,
}

impl Sources {
    fn read(results: &Path, checkout: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            results: Results::read(results)?,
            prices: json(&checkout.join("bench/prices.json"))?,
            budget: json(&checkout.join("bench/budget.json"))?,
            template: Template::read(&checkout.join("template.yaml"))?,
        })
    }
}

/// Writes the summary, fills the documents if asked to, and prints the targets.
pub(crate) fn make(arguments: &arguments::Report) -> anyhow::Result<()> {
    let sources = Sources::read(&arguments.results, &arguments.checkout)?;
    let tables = summary::tables(&sources);
    let summary = arguments.results.join(SUMMARY);
    fs::write(&summary, summary::summary(&tables))?;

    if arguments.quote {
        for name in DOCUMENTS {
            let document = arguments.checkout.join(name);
            let text = fs::read_to_string(&document);
            let text = text.with_context(|| format!("cannot read {}", document.display()))?;
            fs::write(&document, quoted(&text, &tables))?;
        }
    }

    let targets = targets::table(&sources);
    let rest = summary.display();
    writeln!(stdout(), "{targets}\n\nThe rest is in {rest}.")?;
    Ok(())
}

fn json<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot use {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{
        collections::{Collection, Counts, Step},
        deliveries::Deliveries,
        program::Maker,
        statistics::Spread,
    };

    pub(super) fn checkout() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    /// The directory of the committed results.
    pub(super) fn measured() -> PathBuf {
        checkout().join("bench/results")
    }

    impl Sources {
        /// The committed results, prices, bounds and template.
        pub(super) fn committed() -> Self {
            Self::read(&measured(), &checkout()).unwrap()
        }
    }

    /// As of one round.
    pub(super) fn spread(value: f64) -> Spread {
        Spread::of([value]).unwrap()
    }

    /// A webhook.
    pub(super) fn delivery(maker: Option<Maker>, program: &str, cpu_ms: f64) -> Deliveries {
        Deliveries {
            program: program.to_owned(),
            maker,
            cpu_ms: spread(cpu_ms),
            wall_ms: spread(cpu_ms),
            per_second_and_core: 1e3 / cpu_ms,
            sqs_requests: 1.0,
            peak_memory_kib: 8_000,
        }
    }

    /// A first collection of 10,000 rows.
    pub(super) fn collection(maker: Option<Maker>, program: &str, cpu_ms: f64) -> Collection {
        Collection {
            program: program.to_owned(),
            maker,
            rows: 10_000,
            step: Step::First,
            cpu_ms: spread(cpu_ms),
            wall_ms: spread(cpu_ms),
            peak_memory_kib: 40 * 1_024,
            counts: Counts::default(),
        }
    }
}
