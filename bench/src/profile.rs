//! Where a collection spends its processor time: samples by `perf`, which `make flamegraphs` draws.

use std::{fs, path::Path, process::Command};

use anyhow::ensure;
use function_processes::{Function, Program};

use crate::{collections::Step, world::World};

/// Rows of the window.
const ROWS: usize = 10_000;
/// Samples a second. Not a divisor of the timers' rates, so that samples do not fall in step with
/// them.
const FREQUENCY: &str = "--freq=1999";

/// Collects a window for the first time and again unchanged, and writes `first.perf` and
/// `unchanged.perf`. The program needs its symbols.
pub(crate) async fn record(
    program: &Program,
    world: &World,
    directory: &Path,
) -> anyhow::Result<()> {
    ensure!(
        Command::new("perf").arg("--version").output().is_ok(),
        "perf is not installed (Debian: apt install linux-perf)"
    );

    let link = world.belvo.link(ROWS).await?;
    fs::create_dir_all(directory)?;
    for (step, name) in [(Step::First, "first"), (Step::Unchanged, "unchanged")] {
        let recorded = recorded(program, &directory.join(format!("{name}.perf")));
        let mut function = Function::start(&recorded, &world.environment()).await?;
        let event = step.happen(world, &link, ROWS).await?;
        function.invoke(event).await?;
        function.end().await?;
    }
    Ok(())
}

/// The program under `perf record`.
fn recorded(program: &Program, samples: &Path) -> Program {
    let options = [
        "record".to_owned(),
        "--quiet".to_owned(),
        "--event=cpu-clock".to_owned(),
        FREQUENCY.to_owned(),
        "--call-graph=dwarf,16384".to_owned(),
        format!("--output={}", samples.display()),
    ];
    program.wrapped("perf", options)
}
