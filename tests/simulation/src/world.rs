//! Everything around the functions.

use std::{
    cell::{Cell, RefCell},
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    time::Duration,
};

use axum::Router;
use belvo_sandbox::Unserved;
use dynoxide::Database;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use test_harness::aws::stream;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    aws::{bus::Bus, queues::Queues, secrets::Secrets},
    faults::{Fault, Faults, happens},
    functions::Functions,
    settings::BELVO,
};

/// Longer than any attempt of a call to AWS waits.
const TOO_LONG: Duration = Duration::from_millis(3_500);

pub(crate) struct World {
    pub(crate) tables: Database,
    /// The position before anything in the stream of requests.
    pub(crate) start_of_stream: String,
    pub(crate) queues: Queues,
    pub(crate) secrets: Secrets,
    pub(crate) bus: Bus,
    pub(crate) belvo: Unserved,
    /// What answers in Belvo's place. Made once: that takes longer than most answers.
    pub(crate) belvo_router: Router,
    pub(crate) functions: Functions,
    /// Notified when a table was written to.
    pub(crate) written: Notify,
    /// Requests that went to a host that nobody should call.
    pub(crate) strayed: Cell<u32>,
    faults: Faults,
    /// Whether nothing goes wrong any more.
    is_calm: Cell<bool>,
    dice: RefCell<ChaCha8Rng>,
    /// How far every wall clock is ahead, in milliseconds.
    clock_ms: Cell<i64>,
    began: Instant,
    trace: RefCell<Trace>,
}

/// What happened so far, in a number: two runs of one plan have the same.
#[derive(Default)]
struct Trace {
    hasher: DefaultHasher,
    requests: u64,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        faults: Faults,
        connections: fn() -> reqwest::ClientBuilder,
    ) -> Rc<Self> {
        let (tables, start_of_stream) = stream::database();
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(1);
        let config = belvo_sandbox::Config {
            seed,
            // Often so small that a day has several pages.
            max_page_size: [4, 5, 6, 8, 12, 20, 39][dice.random_range(0..7)],
            webhook_delay_ms: 2_000,
            ..belvo_sandbox::Config::default()
        };
        let belvo = belvo_sandbox::open(config, format!("http://{BELVO}"), connections())
            .expect("a sandbox");
        Rc::new(Self {
            tables,
            start_of_stream,
            queues: Queues::default(),
            secrets: Secrets::default(),
            bus: Bus::default(),
            belvo_router: belvo.router(),
            belvo,
            functions: Functions::default(),
            written: Notify::new(),
            strayed: Cell::new(0),
            faults,
            is_calm: Cell::new(false),
            dice: RefCell::new(dice),
            clock_ms: Cell::new(0),
            began: Instant::now(),
            trace: RefCell::default(),
        })
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm(&self) {
        self.is_calm.set(true);
    }

    /// Whether a fault happens here and now.
    pub(crate) fn happens(&self, fault: Fault) -> bool {
        let rate = self.faults.per_mille(fault);
        !self.is_calm.get() && happens(&mut self.dice.borrow_mut(), rate)
    }

    /// A number below `end`, zero if there is none.
    pub(crate) fn below(&self, end: usize) -> usize {
        match end {
            0 => 0,
            end => self.dice.borrow_mut().random_range(0..end),
        }
    }

    /// A time of so many milliseconds at most.
    pub(crate) fn up_to_ms(&self, most: u64) -> Duration {
        Duration::from_millis(self.dice.borrow_mut().random_range(0..=most))
    }

    /// A difference of so many milliseconds at most, ahead or behind.
    pub(crate) fn ahead_ms(&self, most: i64) -> i64 {
        self.dice.borrow_mut().random_range(-most..=most)
    }

    /// Waits as long as a call to AWS takes one way.
    pub(crate) async fn takes_a_moment(&self) {
        let slow = self.happens(Fault::SlowCall).then_some(TOO_LONG);
        sleep(slow.unwrap_or_else(|| self.up_to_ms(5))).await;
    }

    /// Sets every wall clock ahead, or back.
    pub(crate) fn set_clock(&self, ahead_ms: i64) {
        self.clock_ms.set(ahead_ms);
    }

    pub(crate) fn clock_ms(&self) -> i64 {
        self.clock_ms.get()
    }

    /// Adds a request with so many bytes to the trace. Not the bytes themselves: the SDK writes a map
    /// in the order of its hashes, for which the process is asked once for all runs.
    pub(crate) fn note(&self, what: &str, bytes: usize) {
        let mut trace = self.trace.borrow_mut();
        trace.requests += 1;
        let at = self.began.elapsed();
        (at, what, bytes).hash(&mut trace.hasher);
    }

    /// The trace so far, and how many requests it has.
    pub(crate) fn trace(&self) -> (u64, u64) {
        let trace = self.trace.borrow();
        (trace.hasher.finish(), trace.requests)
    }

    /// Time since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
