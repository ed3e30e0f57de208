//! Cold starts: from the start of the process to its first request for an event (INIT), the first
//! invocation, and later ones that do the same work.

use anyhow::ensure;
use axum::body::Bytes;
use function_processes::{Function, Program, events};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    program::Maker,
    setup::Setup,
    statistics::{Spread, milliseconds},
    world::{Transport, World},
};

/// What the floor of INIT is called in the results.
pub(crate) const CONNECTING: &str = "no-op that connects";

/// Invocations after the first; their median is the warm time of a run.
const LATER: usize = 15;

/// The starts of one program, in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    pub(crate) function: String,
    /// `None` for a floor.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) maker: Option<Maker>,
    pub(crate) transport: Transport,
    pub(crate) init_ms: Spread,
    pub(crate) init_cpu_ms: Spread,
    pub(crate) first_ms: Spread,
    pub(crate) warm_ms: Spread,
    pub(crate) peak_memory_kib: u64,
}

/// A program, the link it works on, and its runs so far.
struct Candidate {
    function: &'static str,
    maker: Option<Maker>,
    program: Program,
    link: String,
    runs: Vec<Run>,
}

/// One start.
struct Run {
    init_ms: f64,
    init_cpu_ms: f64,
    first_ms: f64,
    warm_ms: f64,
    peak_memory_kib: u64,
}

/// Starts every program in turn, `rounds` times.
pub(crate) async fn measure(setup: Setup<'_>, rounds: usize) -> anyhow::Result<Vec<Start>> {
    let world = setup.world;
    let mut candidates = candidates(setup).await?;
    for candidate in &mut candidates {
        // Stores the rows, so that the first measured invocation does the same work as later ones.
        candidate.run(world).await?;
    }

    for round in 1..=rounds {
        let transport = world.transport;
        eprintln!("  starts over {transport:?}: round {round} of {rounds}");
        for candidate in &mut candidates {
            let run = candidate.run(world).await?;
            candidate.runs.push(run);
        }
    }

    candidates
        .into_iter()
        .map(|candidate| candidate.summary(world.transport))
        .collect()
}

async fn candidates(setup: Setup<'_>) -> anyhow::Result<Vec<Candidate>> {
    let Setup {
        programs,
        makers,
        world,
    } = setup;
    let mut candidates = Vec::new();
    for (name, floor) in [("no-op", "noop"), (CONNECTING, "connect")] {
        candidates.push(Candidate::new(name, None, programs.floor(floor), world).await?);
    }
    for function in ["webhook", "collect", "request"] {
        for maker in makers {
            let program = programs.function(*maker, function);
            candidates.push(Candidate::new(function, Some(*maker), program, world).await?);
        }
    }

    let query = programs.function(Maker::Ours, "query");
    candidates.push(Candidate::new("query", Some(Maker::Ours), query, world).await?);
    Ok(candidates)
}

impl Candidate {
    async fn new(
        function: &'static str,
        maker: Option<Maker>,
        program: Program,
        world: &World,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            function,
            maker,
            program,
            link: world.belvo.link(10).await?,
            runs: Vec::new(),
        })
    }

    async fn run(&self, world: &World) -> anyhow::Result<Run> {
        let mut function = Function::start(&self.program, &world.environment()).await?;
        let init = function.init;
        let first_ms = self.invoke(&mut function, world).await?;
        let mut later = Vec::with_capacity(LATER);
        for _ in 0..LATER {
            later.push(self.invoke(&mut function, world).await?);
        }
        let peak_memory_kib = function.peak_memory_kib()?;
        function.stop().await?;

        Ok(Run {
            init_ms: milliseconds(init.wall),
            init_cpu_ms: milliseconds(init.cpu),
            first_ms,
            warm_ms: Spread::of(later)?.median,
            peak_memory_kib,
        })
    }

    /// Invokes the function once and returns how long that took, in milliseconds.
    async fn invoke(&self, function: &mut Function, world: &World) -> anyhow::Result<f64> {
        let event = self.event(world).await?;
        let invocation = function.invoke(event).await?;
        let answer = &invocation.answer;
        ensure!(
            is_success(answer),
            "{} answered {answer}",
            self.program.name
        );
        Ok(milliseconds(invocation.took.wall))
    }

    async fn event(&self, world: &World) -> anyhow::Result<Bytes> {
        Ok(match self.function {
            "collect" => events::batch(&self.link),
            // Each request needs its own link: a second equal one would get the first one's answer.
            "request" => events::request(&world.belvo.link(1).await?),
            "query" => events::query(&self.link),
            _ => events::good_delivery(&self.link),
        })
    }

    fn summary(self, transport: Transport) -> anyhow::Result<Start> {
        let spread = |value: fn(&Run) -> f64| Spread::of(self.runs.iter().map(value));
        let peak_memory_kib = self.runs.iter().map(|run| run.peak_memory_kib).max();
        Ok(Start {
            function: self.function.to_owned(),
            maker: self.maker,
            transport,
            init_ms: spread(|run| run.init_ms)?,
            init_cpu_ms: spread(|run| run.init_cpu_ms)?,
            first_ms: spread(|run| run.first_ms)?,
            warm_ms: spread(|run| run.warm_ms)?,
            peak_memory_kib: peak_memory_kib.unwrap_or_default(),
        })
    }
}

/// Whether an answer to SQS or to API Gateway reports success.
fn is_success(answer: &Value) -> bool {
    let status = answer["statusCode"].as_u64().unwrap_or_default();
    answer["batchItemFailures"] == json!([]) || (200..300).contains(&status)
}
