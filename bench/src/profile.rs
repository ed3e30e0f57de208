//! Where a collection spends its processor time: samples by `perf`, of which `make flamegraphs`
//! makes pictures.

use std::{fs, path::Path, process::Command};

use anyhow::ensure;

use crate::{collections::Step, function::Function, program::Program, world::World};

/// Rows of the window.
const ROWS: usize = 10_000;
/// Samples a second: not a divisor of the timers' rates.
const FREQUENCY: &str = "--freq=1999";

/// Collects a window for the first time and once more unchanged, and writes `first.perf` and
/// `unchanged.perf`. The program needs its symbols.
pub(crate) async fn record(
    program: &Program,
    world: &World,
    directory: &Path,
) -> anyhow::Result<()> {
    let perf = Command::new("perf").arg("--version").output();
    ensure!(
        perf.is_ok(),
        "perf is not installed (Debian: apt install linux-perf)"
    );
    let link = world.belvo.link(ROWS).await?;
    fs::create_dir_all(directory)?;
    for (step, name) in [(Step::First, "first"), (Step::Unchanged, "unchanged")] {
        let samples = directory.join(format!("{name}.perf"));
        let options = [
            "record",
            "--quiet",
            "--event=cpu-clock",
            FREQUENCY,
            "--call-graph=dwarf,16384",
        ];
        let mut arguments: Vec<_> = options.map(str::to_owned).into();
        arguments.extend([
            format!("--output={}", samples.display()),
            program.command.display().to_string(),
        ]);
        let recorded = Program {
            command: "perf".into(),
            arguments,
            ..program.clone()
        };
        let mut function = Function::start(&recorded, &world.environment()).await?;
        function
            .invoke(step.happen(world, &link, ROWS).await?)
            .await?;
        function.end().await?;
    }
    Ok(())
}
