//! What was measured, by suite, and how its rows are found.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{bail, ensure};
use serde::de::DeserializeOwned;

use crate::{
    arguments::Suite,
    collections::{Collection, Counts, Step},
    deliveries::Deliveries,
    instructions::Instructions,
    invocations::Case,
    large_rows::LargeRows,
    listings,
    machine::Run,
    partition::Paced,
    program::Maker,
    result_file::ResultFile,
    scale::Day,
    sizes::Size,
    stack::Delay,
    start::Start,
    world::Transport,
};

/// The rows of each suite; `None` of one that has not run.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) run: Run,
    pub(crate) conditions: Vec<Conditions>,
    pub(crate) starts: Option<Vec<Start>>,
    pub(crate) invocations: Option<Vec<Case>>,
    pub(crate) deliveries: Option<Vec<Deliveries>>,
    pub(crate) collections: Option<Vec<Collection>>,
    pub(crate) large_rows: Option<Vec<LargeRows>>,
    pub(crate) partition: Option<Vec<Paced>>,
    pub(crate) instructions: Option<Vec<Instructions>>,
    pub(crate) stack: Option<Vec<Delay>>,
    pub(crate) sizes: Option<Vec<Size>>,
    pub(crate) scale: Option<Vec<Day>>,
    pub(crate) arm64_sizes: Option<Vec<Size>>,
    pub(crate) arm64_instructions: Option<Vec<Instructions>>,
}

/// Under which conditions a suite measured.
#[derive(Debug)]
pub(crate) struct Conditions {
    pub(crate) load_before: String,
    pub(crate) took_s: u64,
    pub(crate) quick: bool,
}

/// What did some work: a maker's function, or a floor by its program's name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Worker {
    Of(Maker),
    Floor(&'static str),
}

impl Worker {
    fn is(self, maker: Option<Maker>, program: &str) -> bool {
        match self {
            Self::Of(wanted) => maker == Some(wanted),
            Self::Floor(wanted) => maker.is_none() && program == wanted,
        }
    }
}

impl Results {
    /// Reads the results of a directory. They have to be of one run, and all of them known here.
    pub(crate) fn read(directory: &Path) -> anyhow::Result<Self> {
        let mut files = Files::of(directory);
        // No table shows the listings; docs/decisions/0018 quotes them.
        files.rows::<listings::Use>(Suite::Listings)?;
        let results = Self {
            starts: files.rows(Suite::Start)?,
            invocations: files.rows(Suite::Invocations)?,
            deliveries: files.rows(Suite::Deliveries)?,
            collections: files.rows(Suite::Collections)?,
            large_rows: files.rows(Suite::LargeRows)?,
            partition: files.rows(Suite::Partition)?,
            instructions: files.rows(Suite::Instructions)?,
            stack: files.rows(Suite::Stack)?,
            sizes: files.rows(Suite::Sizes)?,
            scale: files.rows(Suite::Scale)?,
            arm64_sizes: files.rows(Suite::Arm64Sizes)?,
            arm64_instructions: files.rows(Suite::Arm64Instructions)?,
            ..Self::default()
        };
        let run = files.run()?;
        files.ensure_all_are_known()?;
        Ok(Self {
            run,
            conditions: files.conditions,
            ..results
        })
    }

    /// The makers whose functions were measured.
    pub(crate) fn makers(&self) -> Option<Vec<Maker>> {
        let deliveries = self.deliveries.as_deref()?;
        let measured = |maker: &Maker| deliveries.iter().any(|row| row.maker == Some(*maker));
        Some(Maker::ALL.into_iter().filter(measured).collect())
    }

    /// The largest window that all makers and the floors have collected, in rows.
    pub(crate) fn largest_shared_window(&self) -> Option<usize> {
        let collections = self.collections.as_deref()?;
        let of_floors = collections.iter().filter(|row| row.maker.is_none());
        of_floors.map(|row| row.rows).max()
    }

    /// The starts of all programs.
    pub(crate) fn starts_over(&self, transport: Transport) -> impl Iterator<Item = &Start> {
        let starts = self.starts.iter().flatten();
        starts.filter(move |row| row.transport == transport)
    }

    /// What a webhook costs.
    pub(crate) fn delivery(&self, worker: Worker) -> Option<&Deliveries> {
        let mut rows = self.deliveries.iter().flatten();
        rows.find(|row| worker.is(row.maker, &row.program))
    }

    /// What a window of this many rows costs.
    pub(crate) fn collection(
        &self,
        worker: Worker,
        rows: usize,
        step: Step,
    ) -> Option<&Collection> {
        let mut of_step = self.collections.iter().flatten();
        of_step
            .find(|row| worker.is(row.maker, &row.program) && row.rows == rows && row.step == step)
    }
}

/// The write units of a collection: for its rows, their index and the request's record.
pub(crate) fn written(counts: &Counts) -> f64 {
    counts.write_units + counts.write_units_of_the_index + counts.write_units_of_the_record
}

/// The files of a directory, and what is common to those that were read.
struct Files<'a> {
    directory: &'a Path,
    runs: Vec<Run>,
    conditions: Vec<Conditions>,
    names: BTreeSet<String>,
}

impl<'a> Files<'a> {
    fn of(directory: &'a Path) -> Self {
        Self {
            directory,
            runs: Vec::new(),
            conditions: Vec::new(),
            names: BTreeSet::new(),
        }
    }

    fn rows<R: DeserializeOwned>(&mut self, suite: Suite) -> anyhow::Result<Option<Vec<R>>> {
        let Some(file) = ResultFile::read(self.directory, suite)? else {
            return Ok(None);
        };
        self.names.insert(suite.name()?);
        self.runs.push(file.run);
        self.conditions.push(Conditions {
            load_before: file.load_before,
            took_s: file.took_s,
            quick: file.quick,
        });
        Ok(Some(file.measured))
    }

    fn ensure_all_are_known(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(self.directory)? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let is_result = path
                .extension()
                .is_some_and(|extension| extension == "json");
            ensure!(
                !is_result || self.names.contains(name.as_ref()),
                "{} is of no suite that is reported: delete it, or read it in \
                 bench/src/report/results.rs",
                path.display()
            );
        }
        Ok(())
    }

    fn run(&mut self) -> anyhow::Result<Run> {
        let Some(run) = self.runs.pop() else {
            bail!(
                "{} has no results: measure first (`make bench`)",
                self.directory.display()
            );
        };
        ensure!(
            self.runs.iter().all(|other| *other == run),
            "the results in {} are of different runs: measure all suites together (`make bench`)",
            self.directory.display()
        );
        Ok(run)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::{
        report::tests::{delivery, measured},
        scale,
    };

    /// A directory with the result of this suite, after a change.
    fn directory(suite: Suite, change: impl Fn(&mut Value)) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), suite, change);
        directory
    }

    fn write(directory: &Path, suite: Suite, change: impl Fn(&mut Value)) {
        let mut file = serde_json::to_value(ResultFile {
            run: Run::default(),
            load_before: "0.50".to_owned(),
            took_s: 1,
            quick: false,
            measured: vec![delivery(None, "floor-noop", 0.1)],
        })
        .unwrap();
        change(&mut file);
        let name = format!("{}.json", suite.name().unwrap());
        fs::write(directory.join(name), file.to_string()).unwrap();
    }

    fn error(directory: &TempDir) -> String {
        format!("{:#}", Results::read(directory.path()).unwrap_err())
    }

    #[test]
    fn what_was_written_is_read() {
        let directory = directory(Suite::Deliveries, |_| {});
        let results = Results::read(directory.path()).unwrap();
        assert_eq!(results.deliveries.unwrap().len(), 1);
        assert!(results.starts.is_none());
        assert_eq!(results.conditions.len(), 1);
    }

    #[test]
    fn a_field_that_is_missing_or_unknown_is_an_error_that_names_the_file() {
        let missing = directory(Suite::Deliveries, |file| {
            let row = file["measured"][0].as_object_mut().unwrap();
            row.remove("maker").unwrap();
        });
        let unknown = directory(Suite::Deliveries, |file| {
            file["measured"][0]["new"] = json!(1);
        });
        for (directory, field) in [(missing, "`maker`"), (unknown, "`new`")] {
            let error = error(&directory);
            assert!(error.contains("deliveries.json is not what"), "{error}");
            assert!(error.contains(field), "{error}");
        }
    }

    #[test]
    fn results_of_different_runs_are_not_mixed() {
        let directory = directory(Suite::Deliveries, |_| {});
        write(directory.path(), Suite::Sizes, |file| {
            file["measured"] = json!([]);
            file["run"]["measured_at"] = json!("2026-01-01");
        });
        assert!(error(&directory).contains("different runs"));
    }

    #[test]
    fn a_file_of_no_suite_is_not_left_unread() {
        let directory = directory(Suite::Deliveries, |_| {});
        fs::write(directory.path().join("old.json"), "{}").unwrap();
        assert!(error(&directory).contains("old.json is of no suite"));
        assert!(error(&tempfile::tempdir().unwrap()).contains("measure first"));
    }

    #[test]
    fn the_committed_results_are_of_a_committed_state() {
        let run = Results::read(&measured()).unwrap().run;
        assert!(!run.versions["belvo-ingest"].contains("dirty"));
    }

    #[test]
    fn no_quick_run_is_committed() {
        let results = Results::read(&measured()).unwrap();
        assert!(results.conditions.iter().all(|suite| !suite.quick));
    }

    #[test]
    fn the_simulation_reads_as_many_pages_as_a_refresh() {
        let results = Results::read(&measured()).unwrap();
        let ours = Worker::Of(Maker::Ours);
        let refresh = results.collection(ours, 1_000, Step::Refresh).unwrap();
        assert_eq!(refresh.counts.gets, u64::from(scale::PAGES));
    }
}
