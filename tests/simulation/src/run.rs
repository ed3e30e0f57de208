//! One run, from a plan to its outcome.

use std::{
    cell::RefCell,
    io,
    panic::{self, PanicHookInfo},
    path::PathBuf,
    rc::Rc,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use futures::future::join_all;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::telemetry;
use test_harness::{Follower, Stack};
use tokio::{
    net::UnixListener,
    runtime::Builder,
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, timeout},
};
use tracing::level_filters::LevelFilter;

use crate::{
    faults::Faults,
    network::{connections, listen, serve},
    plan::Plan,
    settings::BEGAN,
    settling, triggers,
    users::Users,
    world::World,
};

/// Futures of the SDK are large, and nothing here is optimised in tests.
const STACK_BYTES: usize = 64 * 1024 * 1024;

thread_local! {
    static STARTED: RefCell<Option<Instant>> = const { RefCell::new(None) };
    static FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What did not hold.
    pub(crate) failure: Option<String>,
    /// The same for each run of one plan.
    pub(crate) trace: u64,
    pub(crate) requests: u64,
    /// Simulated time.
    pub(crate) took: Duration,
    /// What the functions logged.
    pub(crate) log: String,
}

/// Keeps what a panic of a run says, instead of printing it.
pub(crate) fn keep_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        if STARTED.with(|started| started.borrow().is_none()) {
            return print(panic);
        }
        // The first one says most.
        FAILURE.with(|failure| {
            failure
                .borrow_mut()
                .get_or_insert_with(|| panic.to_string());
        });
    }));
}

/// Runs a plan.
pub(crate) fn run(plan: &Plan) -> Outcome {
    let plan = plan.clone();
    simulate(plan.seed, async move |listener, log| {
        scenario(plan, listener, &log).await
    })
}

/// Lets something happen under simulated time, on a thread of its own.
pub(crate) fn simulate<S>(seed: u64, scenario: S) -> Outcome
where
    S: AsyncFnOnce(UnixListener, Log) -> End + Send + 'static,
{
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("network");
    let log = Log::default();
    let text = log.clone();
    let run = move || simulated(seed, socket, text, scenario);
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(run);
    let (failure, end) = thread.expect("a thread").join().expect("a run that ends");
    Outcome {
        failure,
        trace: end.trace,
        requests: end.requests,
        took: end.took,
        log: log.text(),
    }
}

/// How far a run came; nothing of one that failed.
#[derive(Default)]
pub(crate) struct End {
    trace: u64,
    requests: u64,
    took: Duration,
}

impl End {
    pub(crate) fn of(world: &World) -> Self {
        let (trace, requests) = world.trace();
        Self {
            trace,
            requests,
            took: world.elapsed(),
        }
    }
}

/// Lets something happen on this thread, and returns what did not hold.
fn simulated<S>(seed: u64, socket: PathBuf, log: Log, scenario: S) -> (Option<String>, End)
where
    S: AsyncFnOnce(UnixListener, Log) -> End,
{
    simulated_machine::simulate(seed, BEGAN, elapsed);
    fastrand::seed(seed);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let scenario = async move {
        STARTED.set(Some(Instant::now()));
        let _lines = log.subscribe();
        scenario(listen(socket), log).await
    };
    let run = || runtime.block_on(LocalSet::new().run_until(scenario));
    let ended = panic::catch_unwind(panic::AssertUnwindSafe(run));
    // What panics in a task of its own ends that task alone, and is a failure all the same.
    let failure = FAILURE.take();
    match ended {
        Ok(end) => (failure, end),
        Err(_) => (failure.or(Some("a panic".to_owned())), End::default()),
    }
}

/// Time since the run of this thread began.
fn elapsed() -> Duration {
    let started = STARTED.with(|started| started.try_borrow().ok().and_then(|at| *at));
    started.map_or(Duration::ZERO, |started| started.elapsed())
}

/// Everything that happens, and what must hold in the end.
async fn scenario(plan: Plan, listener: UnixListener, log: &Log) -> End {
    let (world, stack) = begin(plan.seed, plan.faults.clone(), listener);
    let users = Users::new(Rc::clone(&world), &stack);
    users.register_webhook().await;
    let steps = join_all(plan.steps.iter().map(|step| users.take(step)));
    let mut follower = Follower::of([]);
    follow_meanwhile(&users, &mut follower, plan.seed, steps).await;

    world.calm();
    let (living, _) = settling::living(&users).await;
    let acknowledged = settling::settle(&users, &living).await;
    for link in users.links() {
        follower.begin(&stack, &link.id).await;
    }
    follower.follow_all(&stack).await;
    let (living, deleted) = settling::living(&users).await;
    let logs = log.text();
    settling::check(&users, (&living, &deleted), &acknowledged, &follower, &logs).await;
    End::of(&world)
}

/// Begins a world, and returns it with what looks at it from outside.
pub(crate) fn begin(seed: u64, faults: Faults, listener: UnixListener) -> (Rc<World>, Stack) {
    let world = World::new(seed, faults, connections);
    spawn_local(serve(Rc::clone(&world), listener));
    triggers::start(&world);
    (world, Stack::over(connections).in_danger())
}

/// Follows all links while something happens, and is stopped in the middle of its work again and
/// again.
async fn follow_meanwhile(
    users: &Users<'_>,
    follower: &mut Follower,
    seed: u64,
    happening: impl Future,
) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    dice.set_stream(2);
    let following = async {
        loop {
            sleep(Duration::from_millis(dice.random_range(1_000..120_000))).await;
            let life = Duration::from_millis(dice.random_range(50..5_000));
            let follow = async {
                for link in users.links() {
                    follower.begin(users.stack, &link.id).await;
                }
                follower.follow_all(users.stack).await;
            };
            let _ = timeout(life, follow).await;
        }
    };
    tokio::select! {
        biased;
        _ = happening => {}
        () = following => {}
    }
}

/// The lines that the functions of a run have logged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn subscribe(&self) -> impl Drop + use<> {
        use tracing_subscriber::util::SubscriberInitExt as _;
        telemetry::lines("collect", LevelFilter::INFO, self.clone()).set_default()
    }

    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().expect("no panic");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
