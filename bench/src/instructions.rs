//! Executed instructions, counted by `valgrind --tool=callgrind`. Unlike times, they do not depend
//! on how busy the machine is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    events,
    function::Function,
    program::{Maker, Program, Programs},
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

/// Counts instructions. Where valgrind is not installed, returns nothing.
pub(crate) async fn measure(
    programs: &Programs,
    world: &World,
    directory: &Path,
) -> anyhow::Result<Vec<Instructions>> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("  no instructions: valgrind is not installed (Debian: apt install valgrind)");
        return Ok(vec![]);
    }

    let counter = Counter {
        world,
        out: directory.join("callgrind.out"),
    };
    let mut measured = counter.deliveries(programs).await?;
    measured.extend(counter.collections(programs).await?);
    Ok(measured)
}

struct Counter<'a> {
    world: &'a World,
    /// The file that callgrind writes.
    out: PathBuf,
}

impl Counter<'_> {
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

    /// Counts what a program executes from its start through these invocations to its end.
    async fn run(
        &self,
        program: &Program,
        invocations: u64,
        event: impl Fn() -> Bytes,
    ) -> anyhow::Result<u64> {
        let options = [
            "--tool=callgrind".to_owned(),
            format!("--callgrind-out-file={}", self.out.display()),
            "--quiet".to_owned(),
        ];
        let counted = program.wrapped("valgrind", options);

        let mut function = Function::start(&counted, &self.world.environment()).await?;
        for _ in 0..invocations {
            function.invoke(event()).await?;
        }
        function.end().await?;
        total(&fs::read_to_string(&self.out)?)
    }
}

/// The first count of the line `totals:` (callgrind's output format).
fn total(output: &str) -> anyhow::Result<u64> {
    let totals = output
        .lines()
        .find_map(|line| line.strip_prefix("totals: "))
        .context("callgrind wrote no totals")?;
    let instructions = totals
        .split_whitespace()
        .next()
        .context("callgrind's totals are empty")?;
    Ok(instructions.parse()?)
}
