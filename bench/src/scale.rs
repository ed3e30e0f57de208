//! How many links one deployment keeps up with: a day of Belvo's refreshes, played through in
//! virtual time. What decides is how many pages may be read; the rate limiter is `collect`'s own,
//! everything else a model with the assumptions below.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use domain::Spacing;
use futures::future::join_all;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use shared::belvo::RateLimiter;
use tokio::{
    runtime::Builder,
    sync::Notify,
    task::LocalSet,
    time::{Duration, Instant, sleep, sleep_until},
};

/// A day.
const DAY: Duration = Duration::from_hours(24);
/// The hours in which Belvo refreshes more links than in the others, and the share of all refreshes
/// in them. An assumption: Belvo says once a day, and not when.
const BUSY: Duration = Duration::from_hours(6);
const SHARE_OF_THE_BUSY: f64 = 0.5;
/// Pages of a refresh: the latest days, and the count (`collections.json`, step `refresh`).
pub(crate) const PAGES: u32 = 2;
/// What a page takes at Belvo. An assumption.
pub(crate) const PAGE: Duration = Duration::from_millis(500);
/// What storing takes.
const STORE: Duration = Duration::from_millis(100);
/// Messages of a batch (template.yaml), whose links are worked on at once.
pub(crate) const BATCH: u32 = 10;
/// Belvo's limit for an address, in 30 seconds (Belvo's integration checklist).
pub(crate) const BELVOS_LIMIT: u32 = 80;

/// What is deployed, for how many links.
#[derive(Debug, Clone, Copy)]
struct Deployment {
    links: usize,
    /// `CollectConcurrency`.
    environments: u32,
    /// `CollectCallsPer30Seconds`.
    calls_per_30_s: u32,
}

/// How the day went.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Day {
    pub(crate) links: usize,
    pub(crate) environments: u32,
    pub(crate) calls_per_30_s: u32,
    /// Addresses over which the pages have to leave so that Belvo's limit holds on each.
    pub(crate) addresses: u32,
    /// From the webhook to the end of its collection, or of the day.
    pub(crate) median_s: f64,
    pub(crate) p99_s: f64,
    pub(crate) longest_s: f64,
    /// Messages that were waiting when the day was over.
    pub(crate) left: usize,
}

/// How many times as many links as on average Belvo refreshes in the busy hours.
pub(crate) fn busy_factor() -> f64 {
    SHARE_OF_THE_BUSY * DAY.as_secs_f64() / BUSY.as_secs_f64()
}

/// Days of several sizes: as shipped, and with as many environments as the busy hours ask for.
pub(crate) fn measure(quick: bool) -> anyhow::Result<Vec<Day>> {
    let shipped = |links| Deployment {
        links,
        environments: 2,
        calls_per_30_s: 30,
    };
    let sufficient = |links| Deployment {
        environments: environments_for(links, 30),
        ..shipped(links)
    };
    let mut deployments = vec![shipped(10_000), shipped(50_000), sufficient(100_000)];
    if !quick {
        deployments.extend([sufficient(500_000), sufficient(1_000_000)]);
    }
    deployments.into_iter().map(play).collect()
}

/// The environments whose calls suffice for the busy hours, as long as each makes so many calls for
/// long.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a few dozen"
)]
fn environments_for(links: usize, calls_per_30_s: u32) -> u32 {
    let refreshes_per_s = busy_factor() * links as f64 / DAY.as_secs_f64();
    let call_every_s = Spacing::per_30_s(calls_per_30_s).interval.as_secs_f64();
    (refreshes_per_s * f64::from(PAGES) * call_every_s).ceil() as u32
}

/// Messages that wait, and who is told of new ones.
#[derive(Default)]
struct Queue {
    arrivals: RefCell<VecDeque<Instant>>,
    news: Notify,
    closed: Cell<bool>,
}

impl Queue {
    /// Up to a batch of messages, as soon as there is one; none when the day is over.
    async fn receive(&self) -> Vec<Instant> {
        loop {
            let news = self.news.notified();
            let batch: Vec<_> = (0..BATCH)
                .map_while(|_| self.arrivals.borrow_mut().pop_front())
                .collect();
            if !batch.is_empty() || self.closed.get() {
                return batch;
            }
            news.await;
        }
    }
}

fn play(deployment: Deployment) -> anyhow::Result<Day> {
    eprintln!(
        "  a day of {} links, {} environments",
        deployment.links, deployment.environments
    );
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    let (left, mut waits) = runtime.block_on(LocalSet::new().run_until(pass(deployment)))?;

    waits.sort_unstable();
    let at = |percent: usize| {
        waits
            .get((waits.len().max(1) - 1) * percent / 100)
            .map_or(0.0, Duration::as_secs_f64)
    };
    let addresses = (deployment.environments * deployment.calls_per_30_s).div_ceil(BELVOS_LIMIT);
    Ok(Day {
        links: deployment.links,
        environments: deployment.environments,
        calls_per_30_s: deployment.calls_per_30_s,
        addresses,
        median_s: at(50),
        p99_s: at(99),
        longest_s: at(100),
        left,
    })
}

/// Lets a day pass. Returns how many messages are left, and how long each one waited.
async fn pass(deployment: Deployment) -> anyhow::Result<(usize, Vec<Duration>)> {
    let queue = Rc::new(Queue::default());
    let waits = Rc::new(RefCell::new(Vec::new()));
    let mut workers = Vec::new();
    for _ in 0..deployment.environments {
        let work = work(deployment, Rc::clone(&queue), Rc::clone(&waits));
        workers.push(tokio::task::spawn_local(work));
    }

    let midnight = Instant::now();
    for after in arrivals(deployment.links) {
        sleep_until(midnight + after).await;
        queue.arrivals.borrow_mut().push_back(Instant::now());
        queue.news.notify_one();
    }
    sleep_until(midnight + DAY).await;

    let left = queue.arrivals.take();
    // What is still in the queue has waited until now.
    waits.borrow_mut().extend(left.iter().map(Instant::elapsed));
    queue.closed.set(true);
    queue.news.notify_waiters();
    for worker in workers {
        worker.await?;
    }
    Ok((left.len(), waits.take()))
}

/// When each link's refresh is announced, from midnight on.
fn arrivals(links: usize) -> Vec<Duration> {
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let mut arrivals: Vec<_> = (0..links)
        .map(|_| {
            let busy = dice.random_bool(SHARE_OF_THE_BUSY);
            let (start, span) = if busy {
                (Duration::ZERO, BUSY)
            } else {
                (BUSY, DAY.saturating_sub(BUSY))
            };
            start + span.mul_f64(dice.random())
        })
        .collect();
    arrivals.sort_unstable();
    arrivals
}

/// One environment of `collect`.
async fn work(deployment: Deployment, queue: Rc<Queue>, waits: Rc<RefCell<Vec<Duration>>>) {
    let rate_limiter = RateLimiter::new(deployment.calls_per_30_s);
    loop {
        let batch = queue.receive().await;
        if batch.is_empty() {
            return;
        }
        let (rate_limiter, waits) = (&rate_limiter, &waits);
        let collections = batch.into_iter().map(async |arrived| {
            for _ in 0..PAGES {
                rate_limiter.admit().await;
                sleep(PAGE).await;
            }
            sleep(STORE).await;
            waits.borrow_mut().push(arrived.elapsed());
        });
        join_all(collections).await;
    }
}
