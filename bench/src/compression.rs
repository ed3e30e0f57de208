//! Whether it pays that Belvo's answers may be compressed: collections by a warm `collect` from a
//! Belvo that compresses its answers and from one that does not, over lines of two bandwidths.

use std::path::Path;

use function_processes::{Share, events};
use serde::{Deserialize, Serialize};

use crate::{
    billing::{Measured, Run},
    collections::Step,
    distant::Line,
    invocations::LINE,
    program::Programs,
    setting::Setting,
    world::World,
};

/// To Belvo, for one connection. Assumed.
const MEGABITS_PER_SECOND: [f64; 2] = [100.0, 20.0];
/// The memory of `collect` in template.yaml, in MB.
const MEMORY: u32 = 512;

/// Collections of one kind over one line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Compressed {
    pub(crate) rows: usize,
    /// Whether Belvo compresses for a client that accepts it.
    pub(crate) line: Line,
    pub(crate) step: Step,
    pub(crate) whole_core: Measured,
    /// With the memory of `collect`; `None` where no share of a core can be given.
    pub(crate) as_shipped: Option<Measured>,
}

/// The runs of the two steps.
#[derive(Default)]
struct Runs {
    first: Vec<Run>,
    unchanged: Vec<Run>,
}

/// Collects windows of so many rows over every line, `rounds` times.
pub(crate) async fn measure(
    programs: &Programs,
    directory: &Path,
    rows: usize,
    rounds: u64,
) -> anyhow::Result<Vec<Compressed>> {
    let share = Share::of(MEMORY);
    let mut measured = Vec::new();
    for line in lines() {
        eprintln!("  {line:?}");
        let world = World::distant(directory, line).await?;
        let mut setting = Setting {
            programs,
            world: &world,
            share: None,
        };
        let whole_core = runs(setting, rows, rounds).await?;
        let as_shipped = match &share {
            Ok(share) => {
                setting.share = Some(share);
                Some(runs(setting, rows, rounds).await?)
            }
            Err(_) => None,
        };

        for step in [Step::First, Step::Unchanged] {
            let as_shipped = as_shipped.as_ref().map(|runs| Measured::of(runs.of(step)));
            measured.push(Compressed {
                rows,
                line,
                step,
                whole_core: Measured::of(whole_core.of(step))?,
                as_shipped: as_shipped.transpose()?,
            });
        }
    }
    Ok(measured)
}

fn lines() -> impl Iterator<Item = Line> {
    MEGABITS_PER_SECOND.into_iter().flat_map(|megabits| {
        [false, true].map(|compresses| Line {
            megabits_per_second: Some(megabits),
            compresses,
            ..LINE
        })
    })
}

async fn runs(setting: Setting<'_>, rows: usize, rounds: u64) -> anyhow::Result<Runs> {
    let belvo = &setting.world.belvo;
    let mut runs = Runs::default();
    for seed in 1..=rounds {
        let small = events::batch(&belvo.link(1).await?);
        let (_, mut collect) = setting.cold("collect", seed, small).await?;
        let link = belvo.link(rows).await?;
        for of_step in [&mut runs.first, &mut runs.unchanged] {
            let event = events::batch(&link);
            of_step.push(setting.warm(&mut collect, seed, event).await?);
            setting.is_stored(&link, rows)?;
        }
        collect.stop().await?;
    }
    Ok(runs)
}

impl Runs {
    fn of(&self, step: Step) -> &[Run] {
        match step {
            Step::First => &self.first,
            _ => &self.unchanged,
        }
    }
}
