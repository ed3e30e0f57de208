//! Instructions by `valgrind --tool=callgrind`: the same for the same work, however busy the
//! machine is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::Serialize;

use crate::{
    events,
    function::Function,
    program::{Maker, Program, Programs},
    world::World,
};

/// What a program executed.
#[derive(Debug, Serialize)]
pub(crate) struct Instructions {
    pub(crate) program: String,
    /// What one of them is.
    pub(crate) per: &'static str,
    #[serde(rename = "instructions")]
    pub(crate) executed: u64,
}

/// Deliveries of which the cost of one is the difference: that of the start is in both.
const FEW: u64 = 20;
const MANY: u64 = 120;

/// Counts, or says nothing where valgrind is not installed.
pub(crate) async fn measure(
    programs: &Programs,
    world: &World,
    directory: &Path,
) -> anyhow::Result<Vec<Instructions>> {
    let mut found = Vec::new();
    if std::process::Command::new("valgrind")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("  no instructions: valgrind is not installed (Debian: apt install valgrind)");
        return Ok(found);
    }
    let counter = Counter {
        world,
        out: directory.join("callgrind.out"),
    };
    for program in [
        programs.floor("noop"),
        programs.floor("send"),
        programs.function(Maker::Ours, "webhook"),
    ] {
        eprintln!("  instructions of {}", program.name);
        let delivery = |_| events::good_delivery("57a2fbe1-84ac-4ebd-9893-7dd181a3caec");
        let (few, many) = (
            counter.run(&program, FEW, delivery).await?,
            counter.run(&program, MANY, delivery).await?,
        );
        let executed = (many - few) / (MANY - FEW);
        found.push(Instructions {
            program: program.name,
            per: "delivery",
            executed,
        });
    }
    let program = programs.function(Maker::Ours, "collect");
    eprintln!("  instructions of {}", program.name);
    let (small, large) = (world.belvo.link(1).await?, world.belvo.link(1_001).await?);
    for per in ["1,000 new rows", "1,000 unchanged rows"] {
        let few = counter.run(&program, 1, |_| events::batch(&small)).await?;
        let many = counter.run(&program, 1, |_| events::batch(&large)).await?;
        found.push(Instructions {
            program: program.name.clone(),
            per,
            executed: many.saturating_sub(few),
        });
    }
    Ok(found)
}

struct Counter<'a> {
    world: &'a World,
    out: PathBuf,
}

impl Counter<'_> {
    /// Starts the program, gives it so many events, ends it, and returns what it executed.
    async fn run(
        &self,
        program: &Program,
        invocations: u64,
        event: impl Fn(u64) -> axum::body::Bytes,
    ) -> anyhow::Result<u64> {
        let mut arguments = vec![
            "--tool=callgrind".to_owned(),
            format!("--callgrind-out-file={}", self.out.display()),
        ];
        arguments.extend(["--quiet".to_owned(), program.command.display().to_string()]);
        let counted = Program {
            command: "valgrind".into(),
            arguments,
            ..program.clone()
        };
        let mut function = Function::start(&counted, &self.world.environment()).await?;
        for number in 0..invocations {
            function.invoke(event(number)).await?;
        }
        function.end().await?;
        let totals = fs::read_to_string(&self.out)?;
        let totals = totals
            .lines()
            .find_map(|line| line.strip_prefix("totals: "))
            .context("callgrind's totals")?;
        Ok(totals
            .split_whitespace()
            .next()
            .context("a count")?
            .parse()?)
    }
}
