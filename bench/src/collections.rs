//! Collections of several sizes: for the first time, unchanged, with 1 % of the rows changed, and
//! after a daily refresh.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    aws::{Asked, PEERS_TABLE},
    belvo, events,
    front::Traffic,
    function::{Function, Took},
    program::{Maker, Program},
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

#[derive(Clone, Copy)]
enum Work {
    /// Collect a link.
    Collect(Maker, Step),
    /// Only fetch, parse and serialise the rows.
    Parse,
    /// Only build the same number of items.
    Build,
    /// Only build and write the same number of items.
    Write,
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
    let mut floors = floors(setup, rows);

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
fn floors(setup: Setup<'_>, rows: usize) -> Vec<Candidate> {
    if rows > LARGEST_FLOOR_ROWS {
        return vec![];
    }

    let write = setup.programs.floor("write");
    vec![
        Candidate::new(setup.programs.floor("parse"), Work::Parse),
        Candidate::new(write.clone(), Work::Write),
        Candidate::new(write, Work::Build),
    ]
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

        let event = self.event(world, link, rows, self.step()).await?;
        let gets_before = world.belvo.gets().await?;
        world.aws.take_asked();
        let took = invoke(&mut function, event).await?;
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
        let event = self.event(world, &link, ROWS_BEFORE, Step::First).await?;
        invoke(function, event).await?;
        Ok(())
    }

    fn step(&self) -> Step {
        match self.work {
            Work::Collect(_, step) => step,
            Work::Parse | Work::Build | Work::Write => Step::First,
        }
    }

    async fn event(
        &self,
        world: &World,
        link: &str,
        rows: usize,
        step: Step,
    ) -> anyhow::Result<Bytes> {
        match self.work {
            Work::Collect(..) => step.happen(world, link, rows).await,
            Work::Parse => Ok(parse_event(world, link)),
            Work::Build => build_event(world, link, rows, false).await,
            Work::Write => build_event(world, link, rows, true).await,
        }
    }

    fn summary(self, rows: usize) -> anyhow::Result<Collection> {
        let step = self.step();
        let maker = match self.work {
            Work::Collect(maker, _) => Some(maker),
            Work::Parse | Work::Build | Work::Write => None,
        };
        let program = match self.work {
            // One program does both kinds of work.
            Work::Build => "floor-items".to_owned(),
            Work::Collect(..) | Work::Parse | Work::Write => self.program.name,
        };

        let peak_memory_kib = self.runs.iter().map(|run| run.peak_memory_kib).max();
        let cpu_ms = Spread::of(self.runs.iter().map(|run| run.cpu_ms))?;
        let wall_ms = Spread::of(self.runs.iter().map(|run| run.wall_ms))?;
        let last = self.runs.into_iter().next_back();
        Ok(Collection {
            program,
            maker,
            rows,
            step,
            cpu_ms,
            wall_ms,
            peak_memory_kib: peak_memory_kib.unwrap_or_default(),
            counts: last.map(|run| run.counts).unwrap_or_default(),
        })
    }
}

/// The event of `floor-parse`: the first page of the link's rows.
fn parse_event(world: &World, link: &str) -> Bytes {
    let keys = belvo::keys();
    let belvo = world.belvo.url();
    events::bytes(&json!({
        "url": format!("{belvo}/api/transactions/?link={link}&page_size=1000"),
        "user": keys["secret_id"],
        "password": keys["secret_password"],
    }))
}

/// The event of `floor-write`: a row of the link, to be multiplied and perhaps sent.
async fn build_event(world: &World, link: &str, rows: usize, send: bool) -> anyhow::Result<Bytes> {
    let first = world.belvo.control.rows(link).await?.into_iter().next();
    let mut row = first.context("the link has no rows")?;
    // As `collect` stores it: the id of the account in place of the account.
    row["account"] = row["account"]["id"].take();

    Ok(events::bytes(&json!({
        "rows": rows,
        // A new partition each time, so that nothing is overwritten.
        "link": Uuid::new_v4().to_string(),
        "row": row,
        "send": send,
    })))
}

async fn invoke(function: &mut Function, event: Bytes) -> anyhow::Result<Took> {
    let invocation = function.invoke(event).await?;
    let answer = &invocation.answer;
    ensure!(is_success(answer), "the function answered {answer}");
    Ok(invocation.took)
}

/// Whether `collect` reports no failures, or a floor its rows.
fn is_success(answer: &Value) -> bool {
    answer["batchItemFailures"] == json!([]) || answer["rows"].is_u64()
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
