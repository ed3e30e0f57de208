//! Collections of several sizes: for the first time, unchanged, with 1 % of the rows changed, and
//! after a daily refresh.

mod work;

use std::collections::BTreeMap;

use anyhow::ensure;
use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use self::work::Work;
use function_processes::{Function, Program, Took, events};

use crate::{
    aws::{Asked, PEERS_TABLE},
    front::Traffic,
    program::Maker,
    setup::Setup,
    statistics::{Spread, milliseconds},
    world::World,
};

/// What has changed at Belvo since the last collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    First,
    Unchanged,
    OnePercent,
    /// Belvo announces the new rows of a day, and names no request.
    Refresh,
}

/// Rows of the window that warms a process up before it is measured.
const ROWS_BEFORE: usize = 1_000;
/// The largest window for which the floors are measured, too.
const LARGEST_FLOOR_ROWS: usize = 10_000;
/// New rows of a daily refresh.
pub(crate) const NEW_ROWS: usize = 5;

impl Step {
    pub(crate) const ALL: [Self; 4] = [
        Self::First,
        Self::Unchanged,
        Self::OnePercent,
        Self::Refresh,
    ];

    /// Makes the change at Belvo and returns the event that announces it.
    pub(crate) async fn happen(
        self,
        world: &World,
        link: &str,
        rows: usize,
    ) -> anyhow::Result<Bytes> {
        match self {
            Self::First | Self::Unchanged => {}
            Self::OnePercent => world.belvo.amend(link, rows.div_ceil(100)).await?,
            Self::Refresh => {
                world.belvo.add_today(link, NEW_ROWS).await?;
                return Ok(events::refresh(link));
            }
        }
        Ok(events::batch(link))
    }
}

/// What one kind of collection took: times as spreads over the rounds, counts of the last round.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collection {
    pub(crate) program: String,
    /// `None` for a floor.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) maker: Option<Maker>,
    pub(crate) rows: usize,
    pub(crate) step: Step,
    pub(crate) cpu_ms: Spread,
    pub(crate) wall_ms: Spread,
    pub(crate) peak_memory_kib: u64,
    pub(crate) counts: Counts,
}

/// What a collection requested and consumed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    pub(crate) gets: u64,
    pub(crate) requests: BTreeMap<String, u64>,
    /// For the rows, and for our index of them.
    pub(crate) write_units: f64,
    /// For an index of DynamoDB's, which the peers' table has.
    pub(crate) write_units_of_the_index: f64,
    /// For the request's record.
    pub(crate) write_units_of_the_record: f64,
    pub(crate) read_units: f64,
    /// With AWS, and with Belvo; `None` where functions reach them directly.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) traffic: Option<(Traffic, Traffic)>,
}

/// One collection.
struct Run {
    cpu_ms: f64,
    wall_ms: f64,
    peak_memory_kib: u64,
    counts: Counts,
}

/// A program, its work, and its runs so far.
struct Candidate {
    program: Program,
    work: Work,
    runs: Vec<Run>,
}

/// Collects windows of one size with each maker's function, and runs the floors on one, `rounds`
/// times.
pub(crate) async fn measure(
    setup: Setup<'_>,
    rows: usize,
    rounds: usize,
) -> anyhow::Result<Vec<Collection>> {
    let world = setup.world;
    let mut functions: Vec<_> = setup
        .makers
        .iter()
        .map(|maker| functions(setup, *maker))
        .collect();
    let mut floors = floors(setup, rows).await?;

    for round in 1..=rounds {
        eprintln!("  collections of {rows} rows: round {round} of {rounds}");
        // Every maker starts with a link of which nothing is stored.
        for candidates in functions.iter_mut().chain([&mut floors]) {
            let link = world.belvo.link(rows).await?;
            for candidate in candidates {
                candidate.run(world, &link, rows).await?;
            }
        }
    }

    functions
        .into_iter()
        .flatten()
        .chain(floors)
        .map(|candidate| candidate.summary(rows))
        .collect()
}

/// A maker's function, once for each step.
fn functions(setup: Setup<'_>, maker: Maker) -> Vec<Candidate> {
    let program = setup.programs.function(maker, "collect");
    let candidate = |step| Candidate::new(program.clone(), Work::Collect(maker, step));
    Step::ALL.map(candidate).into()
}

/// The floors, or none where the window is too large for them.
async fn floors(setup: Setup<'_>, rows: usize) -> anyhow::Result<Vec<Candidate>> {
    if rows > LARGEST_FLOOR_ROWS {
        return Ok(vec![]);
    }

    let (receive, store) = (Work::Receive, Work::store(setup).await?);
    // What it took to know what is to be stored does not count.
    traffic(setup.world).await?;
    Ok(vec![
        Candidate::new(setup.programs.floor("receive"), receive),
        Candidate::new(setup.programs.floor("store"), store),
    ])
}

impl Candidate {
    fn new(program: Program, work: Work) -> Self {
        Self {
            program,
            work,
            runs: Vec::new(),
        }
    }

    /// Adds a run by a warm process: what an interpreter does at its first event counts as start.
    async fn run(&mut self, world: &World, link: &str, rows: usize) -> anyhow::Result<()> {
        let mut function = Function::start(&self.program, &world.environment()).await?;
        self.warm_up(&mut function, world).await?;

        let event = self.work.event(world, link, rows).await?;
        self.work.prepare(&mut function, rows).await?;
        let gets_before = world.belvo.gets().await?;
        world.aws.take_asked();
        let took = self.invoke(&mut function, event, rows).await?;
        let peak_memory_kib = function.peak_memory_kib()?;
        let asked = world.aws.take_asked();
        let gets = world.belvo.gets().await? - gets_before;

        // Connections close with the function, and only then is their traffic known.
        function.stop().await?;
        let traffic = traffic(world).await?;
        self.runs.push(Run {
            cpu_ms: milliseconds(took.cpu),
            wall_ms: milliseconds(took.wall),
            peak_memory_kib,
            counts: counts(world, gets, asked, traffic),
        });
        Ok(())
    }

    async fn warm_up(&self, function: &mut Function, world: &World) -> anyhow::Result<()> {
        let link = world.belvo.link(ROWS_BEFORE).await?;
        let event = self.work.first_event(world, &link);
        self.work.prepare(function, ROWS_BEFORE).await?;
        self.invoke(function, event, ROWS_BEFORE).await?;
        Ok(())
    }

    async fn invoke(
        &self,
        function: &mut Function,
        event: Bytes,
        rows: usize,
    ) -> anyhow::Result<Took> {
        let invocation = function.invoke(event).await?;
        let answer = &invocation.answer;
        ensure!(
            self.work.is_done(answer, rows),
            "{} answered {answer}",
            self.program.name
        );
        Ok(invocation.took)
    }

    fn summary(self, rows: usize) -> anyhow::Result<Collection> {
        let peak_memory_kib = self.runs.iter().map(|run| run.peak_memory_kib).max();
        let cpu_ms = Spread::of(self.runs.iter().map(|run| run.cpu_ms))?;
        let wall_ms = Spread::of(self.runs.iter().map(|run| run.wall_ms))?;
        let last = self.runs.into_iter().next_back();
        Ok(Collection {
            program: self.program.name,
            maker: self.work.maker(),
            rows,
            step: self.work.step(),
            cpu_ms,
            wall_ms,
            peak_memory_kib: peak_memory_kib.unwrap_or_default(),
            counts: last.map(|run| run.counts).unwrap_or_default(),
        })
    }
}

/// The traffic with AWS, and with Belvo, since the last call.
async fn traffic(world: &World) -> anyhow::Result<Option<(Traffic, Traffic)>> {
    Ok(match &world.fronts {
        Some((aws, belvo)) => Some((aws.take().await?, belvo.take().await?)),
        None => None,
    })
}

/// Sums up what a function asked of Belvo and AWS, by table.
pub(crate) fn counts(
    world: &World,
    gets: u64,
    asked: Asked,
    traffic: Option<(Traffic, Traffic)>,
) -> Counts {
    let tables = [&world.aws.transactions_table, PEERS_TABLE];
    let rows = tables
        .iter()
        .filter_map(|table| asked.write_units.get(*table));
    Counts {
        gets,
        write_units: rows.fold(0.0, |sum, units| sum + units),
        write_units_of_the_index: asked.written(&format!("{PEERS_TABLE}/")),
        write_units_of_the_record: asked.written(&world.aws.requests_table),
        read_units: asked.read(),
        requests: asked.requests,
        traffic,
    }
}
