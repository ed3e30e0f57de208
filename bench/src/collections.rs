//! Collections of several sizes: for the first time, unchanged, with 1 % of the rows changed, and
//! after a daily refresh.

use anyhow::{Context, ensure};
use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    aws::Asked,
    belvo, events,
    front::Traffic,
    function::{Function, Took},
    program::{Maker, Program, Programs},
    statistics::{Spread, milliseconds},
    world::World,
};

/// What there is to collect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    First,
    Unchanged,
    OnePercent,
    /// Belvo announces the new rows of a day, and names no request.
    Refresh,
}

/// Rows of the window that a process has collected before it is measured.
const ROWS_BEFORE: usize = 1_000;
/// Rows up to which the floors are measured, too.
const LARGEST_OF_FLOORS: usize = 10_000;
/// New rows of a daily refresh.
const NEW_ROWS: usize = 5;

impl Step {
    pub(crate) const ALL: [Self; 4] = [
        Self::First,
        Self::Unchanged,
        Self::OnePercent,
        Self::Refresh,
    ];

    /// Lets it happen at Belvo, and returns the event that tells of it.
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
#[derive(Debug, Serialize)]
pub(crate) struct Collection {
    pub(crate) program: String,
    /// None for a floor.
    pub(crate) maker: Option<Maker>,
    pub(crate) rows: usize,
    pub(crate) step: Step,
    pub(crate) cpu_ms: Spread,
    pub(crate) wall_ms: Spread,
    pub(crate) peak_memory_kib: u64,
    pub(crate) counts: Counts,
}

/// What a collection asked for.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) gets: u64,
    pub(crate) requests: std::collections::BTreeMap<String, u64>,
    /// Of the rows, without the index.
    pub(crate) write_units: f64,
    pub(crate) write_units_of_the_index: f64,
    /// Of the request's record.
    pub(crate) write_units_of_the_record: f64,
    pub(crate) read_units: f64,
    /// To and from AWS, and Belvo; none where they were reached directly.
    pub(crate) traffic: Option<(Traffic, Traffic)>,
}

/// One collection.
struct Run {
    cpu_ms: f64,
    wall_ms: f64,
    peak_memory_kib: u64,
    counts: Counts,
}

/// Which program, and what it is given.
struct Candidate {
    program: Program,
    work: Work,
    runs: Vec<Run>,
}

#[derive(Clone, Copy)]
enum Work {
    /// A collection by one of these.
    Collect(Maker, Step),
    /// Fetch, parse and serialise the same rows.
    Parse,
    /// Make as many items, and write them or not.
    Write(bool),
}

/// Collects windows of so many rows with the functions of these makers and with the floors in turn,
/// `rounds` times.
pub(crate) async fn measure(
    programs: &Programs,
    world: &World,
    makers: &[Maker],
    rows: usize,
    rounds: usize,
) -> anyhow::Result<Vec<Collection>> {
    let mut candidates = candidates(programs, makers, rows);
    for round in 1..=rounds {
        eprintln!("  collections of {rows} rows: round {round} of {rounds}");
        for maker in makers {
            let link = world.belvo.link(rows).await?;
            for candidate in candidates
                .iter_mut()
                .filter(|candidate| candidate.is_of(*maker))
            {
                candidate.run(world, &link, rows).await?;
            }
        }
        let link = world.belvo.link(rows).await?;
        for candidate in candidates
            .iter_mut()
            .filter(|candidate| candidate.is_floor())
        {
            candidate.run(world, &link, rows).await?;
        }
    }
    candidates
        .into_iter()
        .map(|candidate| candidate.sum_up(rows))
        .collect()
}

/// The makers' functions with each step, and the floors where the window is not too large for them.
fn candidates(programs: &Programs, makers: &[Maker], rows: usize) -> Vec<Candidate> {
    let collecting = makers.iter().flat_map(|maker| {
        Step::ALL.map(|step| {
            (
                programs.function(*maker, "collect"),
                Work::Collect(*maker, step),
            )
        })
    });
    let floors = [
        ("parse", Work::Parse),
        ("write", Work::Write(true)),
        ("write", Work::Write(false)),
    ];
    let floors = floors.into_iter().filter(|_| rows <= LARGEST_OF_FLOORS);
    let floors = floors.map(|(floor, work)| (programs.floor(floor), work));
    collecting
        .chain(floors)
        .map(|(program, work)| Candidate {
            program,
            work,
            runs: Vec::new(),
        })
        .collect()
}

impl Candidate {
    fn is_of(&self, maker: Maker) -> bool {
        matches!(self.work, Work::Collect(of, _) if of == maker)
    }

    fn is_floor(&self) -> bool {
        !matches!(self.work, Work::Collect(..))
    }

    /// One run by a process that has worked before: what an interpreter does at its first event is
    /// measured as a start.
    async fn run(&mut self, world: &World, link: &str, rows: usize) -> anyhow::Result<()> {
        let mut function = Function::start(&self.program, &world.environment()).await?;
        let before = world.belvo.link(ROWS_BEFORE).await?;
        let event = self.event(world, &before, ROWS_BEFORE, Step::First).await?;
        invoke(&mut function, event).await?;
        let step = if let Work::Collect(_, step) = self.work {
            step
        } else {
            Step::First
        };
        let event = self.event(world, link, rows, step).await?;
        let gets_before = world.belvo.gets().await?;
        world.aws.take_asked();
        let took = invoke(&mut function, event).await?;
        let peak_memory_kib = function.peak_memory_kib()?;
        let asked = world.aws.take_asked();
        let gets = world.belvo.gets().await? - gets_before;
        function.stop().await?;
        let traffic = match &world.fronts {
            Some((aws, belvo)) => Some((aws.take().await?, belvo.take().await?)),
            None => None,
        };
        let counts = counts(world, gets, asked, traffic);
        let (cpu_ms, wall_ms) = (milliseconds(took.cpu), milliseconds(took.wall));
        self.runs.push(Run {
            cpu_ms,
            wall_ms,
            peak_memory_kib,
            counts,
        });
        Ok(())
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
            Work::Parse => {
                let keys = belvo::keys();
                let url = format!(
                    "{}/api/transactions/?link={link}&page_size=1000",
                    world.belvo.url()
                );
                let event = json!({"url": url, "user": keys["secret_id"], "password": keys["secret_password"]});
                Ok(events::bytes(&event))
            }
            Work::Write(send) => {
                let mut row = world
                    .belvo
                    .rows(link)
                    .await?
                    .into_iter()
                    .next()
                    .context("a row")?;
                // As it is stored: the account is replaced by its id.
                row["account"] = row["account"]["id"].take();
                // Keys that no round has written before.
                let link = Uuid::new_v4().to_string();
                Ok(events::bytes(
                    &json!({"rows": rows, "link": link, "row": row, "send": send}),
                ))
            }
        }
    }

    fn sum_up(self, rows: usize) -> anyhow::Result<Collection> {
        let (maker, step) = match self.work {
            Work::Collect(maker, step) => (Some(maker), step),
            _ => (None, Step::First),
        };
        let program = if let Work::Write(false) = self.work {
            "floor-items".to_owned()
        } else {
            self.program.name
        };
        Ok(Collection {
            program,
            maker,
            rows,
            step,
            cpu_ms: Spread::of(self.runs.iter().map(|run| run.cpu_ms))?,
            wall_ms: Spread::of(self.runs.iter().map(|run| run.wall_ms))?,
            peak_memory_kib: self
                .runs
                .iter()
                .map(|run| run.peak_memory_kib)
                .max()
                .unwrap_or_default(),
            counts: self
                .runs
                .into_iter()
                .next_back()
                .map(|run| run.counts)
                .unwrap_or_default(),
        })
    }
}

async fn invoke(function: &mut Function, event: Bytes) -> anyhow::Result<Took> {
    let invocation = function.invoke(event).await?;
    ensure!(
        is_done(&invocation.answer),
        "collect answered {}",
        invocation.answer
    );
    Ok(invocation.took)
}

fn is_done(answer: &Value) -> bool {
    answer["batchItemFailures"] == json!([]) || answer["rows"].is_u64()
}

/// What was asked of the world.
pub(crate) fn counts(
    world: &World,
    gets: u64,
    asked: Asked,
    traffic: Option<(Traffic, Traffic)>,
) -> Counts {
    let written = |name: &str| asked.write_units.get(name).copied().unwrap_or_default();
    Counts {
        gets,
        write_units: written(&world.aws.transactions_table),
        write_units_of_the_index: asked.written(&format!("{}/", world.aws.transactions_table)),
        write_units_of_the_record: asked.written(&world.aws.requests_table),
        read_units: asked.read(),
        requests: asked.requests,
        traffic,
    }
}
