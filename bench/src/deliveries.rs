//! Webhooks one after the other into functions that are warm: what a delivery costs.

use serde::Serialize;

use crate::{
    events,
    function::Function,
    program::{Maker, Program, Programs},
    statistics::{Spread, milliseconds},
    world::World,
};

/// A program that takes deliveries, per delivery.
#[derive(Debug, Serialize)]
pub(crate) struct Deliveries {
    pub(crate) program: String,
    /// None for a floor.
    pub(crate) maker: Option<Maker>,
    pub(crate) cpu_ms: Spread,
    pub(crate) wall_ms: Spread,
    /// One after the other, which is how Lambda invokes an environment.
    pub(crate) per_second_and_core: f64,
    pub(crate) sqs_requests: f64,
    pub(crate) peak_memory_kib: u64,
}

struct Candidate {
    maker: Option<Maker>,
    program: Program,
    function: Function,
    rounds: Vec<(f64, f64)>,
    sqs_requests: u64,
}

/// Gives every program `rounds` times `deliveries` webhooks, in turn.
pub(crate) async fn measure(
    programs: &Programs,
    world: &World,
    makers: &[Maker],
    rounds: usize,
    deliveries: usize,
) -> anyhow::Result<Vec<Deliveries>> {
    let mut candidates = Vec::new();
    let floors = ["noop", "send"].map(|floor| (None, programs.floor(floor)));
    let functions = makers
        .iter()
        .map(|maker| (Some(*maker), programs.function(*maker, "webhook")));
    for (maker, program) in floors.into_iter().chain(functions) {
        let function = Function::start(&program, &world.environment()).await?;
        candidates.push(Candidate {
            maker,
            program,
            function,
            rounds: Vec::new(),
            sqs_requests: 0,
        });
    }
    for candidate in &mut candidates {
        // Interpreters that compile what they run often have done so afterwards.
        candidate.round(world, deliveries).await?;
        candidate.rounds.clear();
        candidate.sqs_requests = 0;
    }
    for round in 1..=rounds {
        eprintln!("  deliveries: round {round} of {rounds}");
        for candidate in &mut candidates {
            candidate.round(world, deliveries).await?;
        }
    }
    let mut measured = Vec::new();
    for candidate in candidates {
        measured.push(candidate.sum_up(rounds * deliveries).await?);
    }
    Ok(measured)
}

impl Candidate {
    async fn round(&mut self, world: &World, deliveries: usize) -> anyhow::Result<()> {
        world.aws.take_asked();
        let before = self.function.cpu_time()?;
        let mut walls = Vec::with_capacity(deliveries);
        for number in 0..deliveries {
            let link = format!("00000000-0000-4000-8000-{number:012}");
            let invocation = self.function.invoke(events::good_delivery(&link)).await?;
            anyhow::ensure!(
                invocation.answer["statusCode"] == 202,
                "{}",
                invocation.answer
            );
            walls.push(milliseconds(invocation.took.wall));
        }
        let cpu = milliseconds(self.function.cpu_time()?.saturating_sub(before));
        #[expect(clippy::cast_precision_loss, reason = "a count of deliveries")]
        self.rounds
            .push((cpu / deliveries as f64, Spread::of(walls)?.median));
        self.sqs_requests += world.aws.take_asked().requests("SendMessage");
        Ok(())
    }

    async fn sum_up(self, deliveries: usize) -> anyhow::Result<Deliveries> {
        let cpu_ms = Spread::of(self.rounds.iter().map(|(cpu, _)| *cpu))?;
        let wall_ms = Spread::of(self.rounds.iter().map(|(_, wall)| *wall))?;
        let peak_memory_kib = self.function.peak_memory_kib()?;
        self.function.stop().await?;
        #[expect(clippy::cast_precision_loss, reason = "a count of deliveries")]
        let sqs_requests = self.sqs_requests as f64 / deliveries as f64;
        Ok(Deliveries {
            program: self.program.name,
            maker: self.maker,
            cpu_ms,
            wall_ms,
            per_second_and_core: 1e3 / cpu_ms.median,
            sqs_requests,
            peak_memory_kib,
        })
    }
}
