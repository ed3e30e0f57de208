//! Cold starts: from the start of the process to its first request for an event (INIT), the first
//! invocation, and later ones that do the same work.

use anyhow::ensure;
use axum::body::Bytes;
use serde::Serialize;
use serde_json::json;

use crate::{
    events,
    function::Function,
    program::{Maker, Program, Programs},
    statistics::{Spread, milliseconds},
    world::{Transport, World},
};

/// Invocations after the first, of which the median counts.
const LATER: usize = 15;

/// The starts of one program, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) function: &'static str,
    /// None for a floor.
    pub(crate) maker: Option<Maker>,
    pub(crate) transport: Transport,
    pub(crate) init_ms: Spread,
    pub(crate) init_cpu_ms: Spread,
    pub(crate) first_ms: Spread,
    pub(crate) warm_ms: Spread,
    pub(crate) peak_memory_kib: u64,
}

/// What is started, and what it is given.
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
pub(crate) async fn measure(
    programs: &Programs,
    world: &World,
    makers: &[Maker],
    rounds: usize,
) -> anyhow::Result<Vec<Start>> {
    let mut candidates = candidates(programs, world, makers).await?;
    for candidate in &mut candidates {
        // What the first invocation finds stored is then what the later ones find.
        candidate.run(world).await?;
    }
    for round in 1..=rounds {
        eprintln!(
            "  starts over {:?}: round {round} of {rounds}",
            world.transport
        );
        for candidate in &mut candidates {
            let run = candidate.run(world).await?;
            candidate.runs.push(run);
        }
    }
    candidates
        .into_iter()
        .map(|candidate| candidate.sum_up(world.transport))
        .collect()
}

async fn candidates(
    programs: &Programs,
    world: &World,
    makers: &[Maker],
) -> anyhow::Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    let mut add = async |function, maker, program| {
        let link = world.belvo.link(10).await?;
        candidates.push(Candidate {
            function,
            maker,
            program,
            link,
            runs: Vec::new(),
        });
        anyhow::Ok(())
    };
    add("no-op", None, programs.floor("noop")).await?;
    for function in ["webhook", "collect", "request"] {
        for maker in makers {
            add(function, Some(*maker), programs.function(*maker, function)).await?;
        }
    }
    add(
        "query",
        Some(Maker::Ours),
        programs.function(Maker::Ours, "query"),
    )
    .await?;
    Ok(candidates)
}

impl Candidate {
    async fn run(&self, world: &World) -> anyhow::Result<Run> {
        let mut function = Function::start(&self.program, &world.environment()).await?;
        let init = function.init;
        let first = self.invoke(&mut function, world).await?;
        let mut later = Vec::with_capacity(LATER);
        for _ in 0..LATER {
            later.push(self.invoke(&mut function, world).await?);
        }
        let peak_memory_kib = function.peak_memory_kib()?;
        function.stop().await?;
        Ok(Run {
            init_ms: milliseconds(init.wall),
            init_cpu_ms: milliseconds(init.cpu),
            first_ms: first,
            warm_ms: Spread::of(later)?.median,
            peak_memory_kib,
        })
    }

    /// One invocation, in milliseconds.
    async fn invoke(&self, function: &mut Function, world: &World) -> anyhow::Result<f64> {
        let event = self.event(world).await?;
        let invocation = function.invoke(event).await?;
        let answer = &invocation.answer;
        let worked = answer["batchItemFailures"] == json!([])
            || answer["statusCode"]
                .as_u64()
                .is_some_and(|status| (200..300).contains(&status));
        ensure!(worked, "{} answered {answer}", self.program.name);
        Ok(milliseconds(invocation.took.wall))
    }

    async fn event(&self, world: &World) -> anyhow::Result<Bytes> {
        Ok(match self.function {
            "collect" => events::batch(&self.link),
            // A link of its own for each: a second equal request would be answered with the first.
            "request" => events::request(&world.belvo.link(1).await?),
            "query" => events::query(&self.link),
            _ => events::good_delivery(&self.link),
        })
    }

    fn sum_up(self, transport: Transport) -> anyhow::Result<Start> {
        let spread = |value: fn(&Run) -> f64| Spread::of(self.runs.iter().map(value));
        Ok(Start {
            function: self.function,
            maker: self.maker,
            transport,
            init_ms: spread(|run| run.init_ms)?,
            init_cpu_ms: spread(|run| run.init_cpu_ms)?,
            first_ms: spread(|run| run.first_ms)?,
            warm_ms: spread(|run| run.warm_ms)?,
            peak_memory_kib: self
                .runs
                .iter()
                .map(|run| run.peak_memory_kib)
                .max()
                .unwrap_or_default(),
        })
    }
}
