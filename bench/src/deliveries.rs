//! What a delivery costs: webhooks, one after the other, into warm functions.

use anyhow::ensure;
use function_processes::{Function, Program, events};
use serde::{Deserialize, Serialize};

use crate::{
    program::Maker,
    setup::Setup,
    statistics::{Spread, milliseconds},
    world::World,
};

/// What a delivery costs one program.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deliveries {
    pub(crate) program: String,
    /// `None` for a floor.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) maker: Option<Maker>,
    pub(crate) cpu_ms: Spread,
    pub(crate) wall_ms: Spread,
    /// One after the other, which is how Lambda invokes an environment.
    pub(crate) per_second_and_core: f64,
    pub(crate) sqs_requests: f64,
    pub(crate) peak_memory_kib: u64,
}

/// A running program, and what was measured of it so far.
struct Candidate {
    maker: Option<Maker>,
    program: Program,
    function: Function,
    rounds: Vec<Round>,
    sqs_requests: u64,
}

/// One round, per delivery: the mean of the processor time, the median of the time on the clock.
struct Round {
    cpu_ms: f64,
    wall_ms: f64,
}

/// Delivers webhooks to every program in turn, `deliveries` in each of `rounds` rounds.
pub(crate) async fn measure(
    setup: Setup<'_>,
    rounds: usize,
    deliveries: usize,
) -> anyhow::Result<Vec<Deliveries>> {
    let mut candidates = candidates(setup).await?;
    for candidate in &mut candidates {
        // Gives interpreters time to compile the code that runs often.
        candidate.round(setup.world, deliveries).await?;
        candidate.rounds.clear();
        candidate.sqs_requests = 0;
    }

    for round in 1..=rounds {
        eprintln!("  deliveries: round {round} of {rounds}");
        for candidate in &mut candidates {
            candidate.round(setup.world, deliveries).await?;
        }
    }

    let mut measured = Vec::new();
    for candidate in candidates {
        measured.push(candidate.summary(rounds * deliveries).await?);
    }
    Ok(measured)
}

async fn candidates(setup: Setup<'_>) -> anyhow::Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for floor in ["noop", "send"] {
        let program = setup.programs.floor(floor);
        candidates.push(Candidate::start(None, program, setup.world).await?);
    }
    for maker in setup.makers {
        let program = setup.programs.function(*maker, "webhook");
        candidates.push(Candidate::start(Some(*maker), program, setup.world).await?);
    }
    Ok(candidates)
}

impl Candidate {
    async fn start(maker: Option<Maker>, program: Program, world: &World) -> anyhow::Result<Self> {
        let function = Function::start(&program, &world.environment()).await?;
        Ok(Self {
            maker,
            program,
            function,
            rounds: Vec::new(),
            sqs_requests: 0,
        })
    }

    async fn round(&mut self, world: &World, deliveries: usize) -> anyhow::Result<()> {
        world.aws.take_asked();
        let cpu_before = self.function.cpu_time()?;
        let mut walls = Vec::with_capacity(deliveries);
        for number in 0..deliveries {
            let link = format!("00000000-0000-4000-8000-{number:012}");
            walls.push(self.deliver(&link).await?);
        }
        let cpu = self.function.cpu_time()?.saturating_sub(cpu_before);

        #[expect(clippy::cast_precision_loss, reason = "a count of deliveries")]
        let cpu_ms = milliseconds(cpu) / deliveries as f64;
        let wall_ms = Spread::of(walls)?.median;
        self.rounds.push(Round { cpu_ms, wall_ms });
        self.sqs_requests += world.aws.take_asked().requests("SendMessage");
        Ok(())
    }

    /// Delivers one webhook and returns how long that took, in milliseconds.
    async fn deliver(&mut self, link: &str) -> anyhow::Result<f64> {
        let invocation = self.function.invoke(events::good_delivery(link)).await?;
        let answer = &invocation.answer;
        ensure!(answer["statusCode"] == 202, "{answer}");
        Ok(milliseconds(invocation.took.wall))
    }

    async fn summary(self, deliveries: usize) -> anyhow::Result<Deliveries> {
        let cpu_ms = Spread::of(self.rounds.iter().map(|round| round.cpu_ms))?;
        let wall_ms = Spread::of(self.rounds.iter().map(|round| round.wall_ms))?;
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
