//! Delivers webhooks to a stack whose functions are killed, and looks what became of them.

mod peace;
mod progress;
mod sender;
mod users;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use test_harness::{
    Follower, Link, Stack, following,
    invariants::{self, Acknowledged},
    settling,
};
use tokio::time::{sleep, timeout};

use crate::{
    arguments::Deliver,
    figures::{Load, Run, Times},
};

use self::{peace::War, progress::Progress, sender::Sent};

const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Delivers, waits until everything has been processed, checks, and prints the figures.
pub(crate) async fn run(arguments: &Deliver) -> anyhow::Result<()> {
    let limit = Duration::from_secs(arguments.amount.seconds);
    let load = timeout(limit, load(arguments)).await;
    let load = load.with_context(|| format!("not done after {limit:?}"))??;
    println!("{}", crate::report::of_load(&load));
    if let Some(path) = &arguments.amount.results {
        fs::write(path, serde_json::to_vec_pretty(&load)?)?;
    }
    Ok(())
}

async fn load(arguments: &Deliver) -> anyhow::Result<Load> {
    let amount = &arguments.amount;
    let stack = Stack::of_this_run().in_danger();
    let war = War::begin(&stack, arguments).await;
    let progress = Progress::start(amount.webhooks);
    progress.says("connecting");
    let links = users::connect(&stack, amount).await;
    let following = following::start(amount.seed, &links);

    progress.says("delivering");
    let began = Instant::now();
    let sent = tokio::select! {
        sent = sender::send_all(&stack, &links, amount, &progress) => sent,
        never = users::use_it(&stack, &links, amount.seed) => match never {},
        never = watch_the_queue(&stack, &progress) => match never {},
    };
    let sent_in_s = began.elapsed().as_secs();
    progress.says("processing");
    let began = Instant::now();
    // The last few would be received by functions that are killed again and again.
    wait_for_the_queue(&stack, &progress, amount.at_once as u64).await;
    let (kills, troubles) = war.end().await?;
    ensure!(kills > 0, "no function was killed");
    let redriven = settling::calm(&stack).await;
    progress.has_queued(0);
    let processed_in_s = began.elapsed().as_secs();

    progress.says("checking");
    let began = Instant::now();
    let (mut follower, interrupted) = following.stop().await;
    follower.follow_all(&stack).await;
    let checked = check(&stack, &links, &sent.acknowledged, &follower).await?;
    let Sent { times, waits, .. } = sent;
    Ok(Load {
        run: Run::now(amount.seed),
        links: amount.links,
        webhooks: amount.webhooks,
        at_once: amount.at_once,
        redelivered: sent.redelivered,
        repeated: sent.repeated,
        acknowledgement: Times::of(times),
        with_redeliveries: Times::of(waits),
        accounted_for: checked.webhooks,
        rows: checked.rows,
        changes: sent.changes,
        redriven,
        interrupted,
        kills,
        troubles,
        sent_in_s,
        processed_in_s,
        checked_in_s: began.elapsed().as_secs(),
    })
}

/// Tells how many messages wait, for ever.
async fn watch_the_queue(stack: &Stack, progress: &Progress) -> Infallible {
    loop {
        progress.has_queued(settling::queued(stack).await);
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Waits until the pipeline's queue has no more than so many messages.
async fn wait_for_the_queue(stack: &Stack, progress: &Progress, most: u64) {
    loop {
        let queued = settling::queued(stack).await;
        progress.has_queued(queued);
        if queued <= most {
            return;
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// What was checked.
struct Checked {
    webhooks: usize,
    rows: usize,
}

/// Every acknowledged webhook has been processed, and every link has what Belvo has.
async fn check(
    stack: &Stack,
    links: &[Link<'_>],
    acknowledged: &Acknowledged,
    follower: &Follower,
) -> anyhow::Result<Checked> {
    let acknowledged = invariants::acknowledged(stack, links, acknowledged).await;
    let lost = invariants::lost(stack, &acknowledged).await;
    if !lost.is_empty() {
        let count: usize = lost.values().map(BTreeSet::len).sum();
        bail!("{count} acknowledged webhooks are lost, by link: {lost:#?}");
    }
    invariants::links_are_whole(stack, links, follower).await;
    let rows = links.iter().map(|link| follower.transactions(link).len());
    Ok(Checked {
        webhooks: acknowledged.values().map(BTreeSet::len).sum(),
        rows: rows.sum(),
    })
}
