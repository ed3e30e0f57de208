//! Executed instructions. Unlike times, they do not depend on how busy the machine is.

use axum::body::Bytes;
use function_processes::{Program, events};
use serde::{Deserialize, Serialize};

use crate::{
    counter::Counter,
    program::{Maker, Programs},
    world::World,
};

/// What a program executed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instructions {
    pub(crate) program: String,
    /// The unit of work.
    pub(crate) per: String,
    #[serde(rename = "instructions")]
    pub(crate) executed: u64,
}

/// Two numbers of deliveries. The difference of their costs leaves out the start, which is in both.
const FEW: u64 = 20;
const MANY: u64 = 120;

/// Counts instructions of deliveries and of collections.
pub(crate) async fn measure(
    programs: &Programs,
    world: &World,
    counter: &Counter,
) -> anyhow::Result<Vec<Instructions>> {
    let counting = Counting { world, counter };
    let mut measured = counting.deliveries(programs).await?;
    measured.extend(counting.collections(programs).await?);
    Ok(measured)
}

struct Counting<'a> {
    world: &'a World,
    counter: &'a Counter,
}

impl Counting<'_> {
    async fn deliveries(&self, programs: &Programs) -> anyhow::Result<Vec<Instructions>> {
        let mut measured = Vec::new();
        for program in [
            programs.floor("noop"),
            programs.floor("send"),
            programs.function(Maker::Ours, "webhook"),
        ] {
            eprintln!("  instructions of {}", program.name);
            let delivery = || events::good_delivery("57a2fbe1-84ac-4ebd-9893-7dd181a3caec");
            let few = self.run(&program, FEW, delivery).await?;
            let many = self.run(&program, MANY, delivery).await?;
            measured.push(Instructions {
                program: program.name,
                per: "delivery".to_owned(),
                executed: (many - few) / (MANY - FEW),
            });
        }
        Ok(measured)
    }

    async fn collections(&self, programs: &Programs) -> anyhow::Result<Vec<Instructions>> {
        let program = programs.function(Maker::Ours, "collect");
        eprintln!("  instructions of {}", program.name);
        let small = self.world.belvo.link(1).await?;
        let large = self.world.belvo.link(1_000).await?;

        let mut measured = Vec::new();
        // The second time, the rows are stored already.
        for per in ["1,000 new rows", "1,000 unchanged rows"] {
            let few = self.run(&program, 1, || events::batch(&small)).await?;
            let many = self.run(&program, 1, || events::batch(&large)).await?;
            measured.push(Instructions {
                program: program.name.clone(),
                per: per.to_owned(),
                // Both links have one page, so that the rows are all that differs.
                executed: many.saturating_sub(few) * 1_000 / 999,
            });
        }
        Ok(measured)
    }

    /// Counts what a program executes from its start through these invocations.
    async fn run(
        &self,
        program: &Program,
        invocations: u64,
        event: impl Fn() -> Bytes,
    ) -> anyhow::Result<u64> {
        let mut function = self
            .counter
            .start(program, &self.world.environment())
            .await?;
        for _ in 0..invocations {
            function.invoke(event()).await?;
        }
        self.counter.end(function).await
    }
}
