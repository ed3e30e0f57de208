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
    arguments::{Amount, Deliver},
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
    let sent = deliver(&stack, &links, amount, &progress).await;
    let (mut load, acknowledged) = figures(amount, sent);
    load.sent_in_s = began.elapsed().as_secs();

    progress.says("processing");
    let began = Instant::now();
    // The last few would be received by functions that are killed again and again.
    wait_for_the_queue(&stack, &progress, amount.at_once as u64).await;
    (load.kills, load.troubles) = war.end().await?;
    ensure!(load.kills > 0, "no function was killed");
    load.redriven = settling::calm(&stack).await;
    load.processed_in_s = began.elapsed().as_secs();

    progress.has_queued(0);
    progress.says("checking");
    let began = Instant::now();
    let (mut follower, interrupted) = following.stop().await;
    load.interrupted = interrupted;
    follower.follow_all(&stack).await;
    load.accounted_for = check(&stack, &links, &acknowledged, &follower).await?;
    let rows = links.iter().map(|link| follower.transactions(link).len());
    load.rows = rows.sum();
    load.checked_in_s = began.elapsed().as_secs();
    Ok(load)
}

/// Delivers all webhooks, while others use the stack.
async fn deliver(stack: &Stack, links: &[Link<'_>], amount: &Amount, progress: &Progress) -> Sent {
    tokio::select! {
        sent = sender::send_all(stack, links, amount, progress) => sent,
        never = users::use_it(stack, links, amount.seed) => match never {},
        never = watch_the_queue(stack, progress) => match never {},
    }
}

/// The figures of what was sent, and what of it was acknowledged.
fn figures(amount: &Amount, sent: Sent) -> (Load, Acknowledged) {
    let load = Load {
        run: Run::now(amount.seed),
        links: amount.links,
        webhooks: amount.webhooks,
        at_once: amount.at_once,
        redelivered: sent.redelivered,
        repeated: sent.repeated,
        acknowledgement: Times::of(sent.times),
        with_redeliveries: Times::of(sent.waits),
        changes: sent.changes,
        ..Load::default()
    };
    (load, sent.acknowledged)
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

/// Every acknowledged webhook has been processed, and every link has what Belvo has. Returns how
/// many webhooks those were.
async fn check(
    stack: &Stack,
    links: &[Link<'_>],
    acknowledged: &Acknowledged,
    follower: &Follower,
) -> anyhow::Result<usize> {
    let acknowledged = invariants::acknowledged(stack, links, acknowledged).await;
    let lost = invariants::lost(stack, &acknowledged).await;
    if !lost.is_empty() {
        bail!(
            "{} acknowledged webhooks are lost, by link: {lost:#?}",
            number_of(&lost)
        );
    }
    invariants::links_are_whole(stack, links, follower).await;
    Ok(number_of(&acknowledged))
}

fn number_of(webhooks: &Acknowledged) -> usize {
    webhooks.values().map(BTreeSet::len).sum()
}
