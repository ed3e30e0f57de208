//! Many links at a Belvo that does everything wrong at once, while the functions are killed in the
//! middle of their work; and in the end the store equals Belvo row by row, and what must hold
//! holds.
//!
//! Runs against a stack of its own, deployed with short waits (`make torture`). What happens to a
//! link follows from the seed; when it happens does not, so a seed repeats the kinds of trouble and
//! not every interleaving.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test, run as a command because it needs a stack of its own"
)]

use std::time::{Duration, Instant};

use clap::Parser;
use futures::{StreamExt, stream};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use test_harness::{
    Link, Stack, following, invariants, kills, settling,
    trouble::{self, Trouble, has_a_half, is_unstorable},
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

/// From this many links on, a run meets every kind of trouble.
const A_LONG_RUN: usize = 100;
/// The time between two sweeps, which the schedule of template.yaml sends every five minutes.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(2);
/// How many links are troubled at the same time.
const AT_ONCE: usize = 16;

/// What to do, and for how long at most.
#[derive(Parser)]
struct Arguments {
    /// Decides what happens to each link.
    #[arg(long)]
    seed: u64,
    #[arg(long, default_value_t = 200)]
    links: u64,
    /// How often each link is troubled.
    #[arg(long, default_value_t = 4)]
    rounds: u64,
    /// The run fails if it is not done by then.
    #[arg(long, default_value_t = 1200)]
    seconds: u64,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let Arguments {
        seed,
        links,
        rounds,
        ..
    } = arguments;
    println!("torture: seed {seed}, {links} links, {rounds} rounds each");
    // Says how to repeat the run, after whatever failed has said so.
    let _hint = Hint(format!(
        "make torture SEED={seed} LINKS={links} ROUNDS={rounds}"
    ));
    let limit = Duration::from_secs(arguments.seconds);
    timeout(limit, run(&arguments))
        .await
        .unwrap_or_else(|_| panic!("not done after {limit:?}"));
}

/// Names the command that repeats a run that failed.
struct Hint(String);

impl Drop for Hint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("torture: FAILED; repeat it with `{}`", self.0);
            println!("test result: FAILED. 0 passed; 1 failed;");
        }
    }
}

async fn run(arguments: &Arguments) {
    let started = Instant::now();
    let stack = Stack::of_this_run().in_danger();
    settling::shorten_visibility(&stack).await;
    let stranger = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let links = connect(&stack, arguments).await;

    let killer = kills::start(arguments.seed);
    let schedule = tokio::spawn(async {
        let stack = Stack::of_this_run();
        loop {
            stack.sweep().await;
            sleep(BETWEEN_SWEEPS).await;
        }
    });
    let following = following::start(arguments.seed, &links);
    let scripts = links.iter().enumerate().map(|(index, link)| {
        let trouble = Trouble {
            stack: &stack,
            stranger: stranger.local_addr().unwrap(),
        };
        troubled(trouble, link, arguments, index)
    });
    stream::iter(scripts)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
    let deaths = killer.stop().await;
    println!(
        "torture: troubled after {:?}, {deaths} functions killed",
        started.elapsed()
    );

    stack.sandbox.forget_rules().await.unwrap();
    let settled = settling::settle(&stack, &links).await;
    println!(
        "torture: settled after {:?}, {} messages redriven from the dead-letter queue",
        started.elapsed(),
        settled.redriven
    );
    let (mut follower, interrupted) = following.stop().await;
    follower.follow_all(&stack).await;
    println!("torture: the follower of all links was interrupted {interrupted} times");
    let logs = stack.function_logs().await;
    invariants::check(&stack, &links, &settled.acknowledged, &follower, &logs).await;
    assert!(!schedule.is_finished(), "the sweeps have ended");
    schedule.abort();
    met_odd_rows(&links).await;
    // I8: pages and redirects led there throughout.
    assert!(
        timeout(Duration::from_millis(100), stranger.accept())
            .await
            .is_err(),
        "our keys went to another host"
    );
    assert!(deaths > 0, "no function was killed");
    let continued = logs.matches("collection_continued").count();
    println!("torture: {continued} collections continued in another invocation");
    // A short run may get by without one.
    assert!(
        continued > 0 || links.len() < A_LONG_RUN,
        "no collection was continued"
    );
    println!("torture: everything holds after {:?}", started.elapsed());
    // As Cargo prints it, for `tools/run_tests.py`.
    println!("test result: ok. 1 passed; 0 failed;");
}

/// Says how many odd rows there are in the end. A long run has rows of each kind.
async fn met_odd_rows(links: &[Link<'_>]) {
    let (mut unstorable, mut halves) = (0, 0);
    for link in links {
        let truth = link.truth().await;
        unstorable += truth.values().filter(|row| is_unstorable(row)).count();
        halves += truth.values().filter(|row| has_a_half(row)).count();
    }
    println!("torture: {unstorable} rows cannot be stored, {halves} are not Unicode");
    assert!(
        unstorable > 0 && halves > 0 || links.len() < A_LONG_RUN,
        "no odd rows"
    );
}

/// Links of all sizes, some of which are one user's second connection.
async fn connect<'a>(stack: &'a Stack, arguments: &Arguments) -> Vec<Link<'a>> {
    let mut dice = ChaCha8Rng::seed_from_u64(arguments.seed);
    let mut links: Vec<Link<'a>> = Vec::new();
    for _ in 0..arguments.links {
        let link = match links.choose(&mut dice) {
            Some(older) if dice.random_ratio(1, 10) => older.reconnect().await,
            _ => {
                let rows = [0, 1, 7, 30, 90, 150]
                    .choose(&mut dice)
                    .copied()
                    .expect("sizes");
                stack
                    .link(json!({"access_mode": "recurrent", "transactions": rows}))
                    .await
            }
        };
        links.push(link);
    }
    links
}

/// A few rounds of trouble for one link.
async fn troubled(trouble: Trouble<'_>, link: &Link<'_>, arguments: &Arguments, index: usize) {
    let mut dice = ChaCha8Rng::seed_from_u64(arguments.seed);
    dice.set_stream(1 + index as u64);
    for _ in 0..arguments.rounds {
        trouble::at_the_bank(link, &mut dice).await;
        trouble.on_the_way(link, &mut dice).await;
        trouble.trigger(link, &mut dice).await;
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..1_000))).await;
    }
}
