//! Whole invocations as Lambda bills them: our functions, as shipped, among services that take as
//! long as the real ones. From the start of a process to its first acknowledged webhook, and from a
//! webhook to its stored rows. How long the queue takes between the two is left out, as is what
//! Lambda itself needs before it starts a process.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use axum::body::Bytes;
use function_processes::{Function, Share, events};
use serde::{Deserialize, Serialize};

use crate::{
    billing::{Measured, Run},
    distant::Line,
    latency::ROUND_TRIP_TO_BELVO,
    program::Programs,
    setting::Setting,
    statistics::{Spread, milliseconds},
    world::World,
};

/// The memory, in MB, of `webhook` and of `collect` in template.yaml.
const MEMORIES: [u32; 2] = [256, 512];
/// To Belvo. Assumed: what one connection between two regions carries.
pub(crate) const LINE: Line = Line {
    round_trip: ROUND_TRIP_TO_BELVO,
    megabits_per_second: Some(100.0),
    compresses: true,
};

/// A function's work, with a whole core and with shares of one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) work: Work,
    pub(crate) whole_core: Measured,
    /// From the webhook, to a warm function, to the last stored row; `None` for the webhook alone.
    pub(crate) webhook_to_stored_ms: Option<Spread>,
    pub(crate) limited: Vec<Limited>,
}

/// The same work with less memory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limited {
    pub(crate) memory_mb: u32,
    /// Computed from the runs with a whole core.
    pub(crate) modelled_billed_ms: Spread,
    /// `None` where no share of a core can be given.
    pub(crate) measured: Option<Measured>,
    pub(crate) webhook_to_stored_ms: Option<Spread>,
}

/// What a function does, and whether its process is started for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Work {
    /// New rows that `collect` stores; `None` for the acknowledgement of a webhook.
    pub(crate) rows: Option<usize>,
    pub(crate) is_warm: bool,
}

/// How often windows of which size are collected.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) rows: usize,
    pub(crate) rounds: u64,
}

/// The runs of each work, each with the time of the delivery before it.
type Runs = BTreeMap<Work, Vec<(Run, Duration)>>;

/// Measures all cases, with a whole core and with each share.
pub(crate) async fn measure(
    programs: &Programs,
    world: &World,
    windows: &[Window],
) -> anyhow::Result<Vec<Case>> {
    let whole = Setting {
        programs,
        world,
        share: None,
    };
    eprintln!("  invocations with a whole core");
    let whole_core = runs(whole, windows).await?;

    let mut limited = Vec::new();
    for memory_mb in MEMORIES {
        let with_less = match Share::of(memory_mb) {
            Ok(share) => {
                eprintln!("  invocations with {memory_mb} MB");
                let share = Some(&share);
                Some(runs(Setting { share, ..whole }, windows).await?)
            }
            Err(error) => {
                eprintln!("  only modelled with {memory_mb} MB: {error:#}");
                None
            }
        };
        limited.push((memory_mb, with_less));
    }
    whole_core
        .iter()
        .map(|(work, runs)| case(*work, runs, &limited))
        .collect()
}

fn case(
    work: Work,
    whole_core: &[(Run, Duration)],
    with_less: &[(u32, Option<Runs>)],
) -> anyhow::Result<Case> {
    let mut limited = Vec::new();
    for (memory_mb, runs) in with_less {
        let modelled = whole_core
            .iter()
            .map(|(run, _)| run.modelled_billed_ms(*memory_mb));
        let runs = runs.as_ref().and_then(|runs| runs.get(&work));
        limited.push(Limited {
            memory_mb: *memory_mb,
            modelled_billed_ms: Spread::of(modelled)?,
            measured: runs.map(|runs| measured(runs)).transpose()?,
            webhook_to_stored_ms: runs
                .map(|runs| to_stored(work, runs))
                .transpose()?
                .flatten(),
        });
    }
    Ok(Case {
        work,
        whole_core: measured(whole_core)?,
        webhook_to_stored_ms: to_stored(work, whole_core)?,
        limited,
    })
}

fn measured(runs: &[(Run, Duration)]) -> anyhow::Result<Measured> {
    Measured::of(runs.iter().map(|(run, _)| run))
}

fn to_stored(work: Work, runs: &[(Run, Duration)]) -> anyhow::Result<Option<Spread>> {
    if work.rows.is_none() {
        return Ok(None);
    }
    let times = runs
        .iter()
        .map(|(run, delivery)| milliseconds(run.wall() + *delivery));
    Spread::of(times).map(Some)
}

/// Runs every case. Each round has latencies of its own, which are the same in every setting.
async fn runs(setting: Setting<'_>, windows: &[Window]) -> anyhow::Result<Runs> {
    let mut runs = Runs::new();
    let rounds = windows.iter().map(|window| window.rounds).max();
    for seed in 1..=rounds.unwrap_or_default() {
        let runs = &mut runs;
        let mut round = Round {
            setting,
            seed,
            runs,
        };
        let mut webhook = round.webhook().await?;
        for window in windows.iter().filter(|window| seed <= window.rounds) {
            round.collections(&mut webhook, window.rows).await?;
        }
        webhook.stop().await?;
    }
    Ok(runs)
}

/// One round of all cases.
struct Round<'a> {
    setting: Setting<'a>,
    seed: u64,
    runs: &'a mut Runs,
}

impl Round<'_> {
    /// Acknowledges a webhook with a new process and then another, and returns the process.
    async fn webhook(&mut self) -> anyhow::Result<Function> {
        let event = || events::good_delivery("00000000-0000-4000-8000-000000000000");
        let (run, mut webhook) = self.setting.cold("webhook", self.seed, event()).await?;
        self.add(None, false, (run, Duration::ZERO));
        let run = self.setting.warm(&mut webhook, self.seed, event()).await?;
        self.add(None, true, (run, Duration::ZERO));
        Ok(webhook)
    }

    /// Collects a link with a new process, and then another one.
    async fn collections(&mut self, webhook: &mut Function, rows: usize) -> anyhow::Result<()> {
        let (link, event, delivery) = self.announce(webhook, rows).await?;
        let (run, mut collect) = self.setting.cold("collect", self.seed, event).await?;
        self.setting.is_stored(&link, rows)?;
        self.add(Some(rows), false, (run, delivery));

        let (link, event, delivery) = self.announce(webhook, rows).await?;
        let run = self.setting.warm(&mut collect, self.seed, event).await?;
        self.setting.is_stored(&link, rows)?;
        self.add(Some(rows), true, (run, delivery));
        collect.stop().await
    }

    /// Delivers the webhook of a new link, and returns the link, the event that it leads to, and
    /// how long the delivery took.
    async fn announce(
        &self,
        webhook: &mut Function,
        rows: usize,
    ) -> anyhow::Result<(String, Bytes, Duration)> {
        let world = self.setting.world;
        let link = world.belvo.link(rows).await?;
        let event = events::good_delivery(&link);
        let delivery = self.setting.warm(webhook, self.seed, event).await?;
        let message = world.aws.take_message().context("nothing was queued")?;
        Ok((link, events::sent(&message), delivery.wall()))
    }

    fn add(&mut self, rows: Option<usize>, is_warm: bool, run: (Run, Duration)) {
        let work = Work { rows, is_warm };
        self.runs.entry(work).or_default().push(run);
    }
}
