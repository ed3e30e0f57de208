//! Lambda: environments that start cold, are reused, frozen, killed in the middle of their work,
//! and ended when they take too long ("Understanding the Lambda execution environment lifecycle",
//! AWS Lambda developer guide).

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use crate::{faults::Fault, world::World};

/// How long an environment takes to start before its own code does, at most.
const START_MS: u64 = 400;
/// How far the clock of an environment is ahead or behind, at most.
const APART_MS: i64 = 2_000;
/// Doublings of how often a future is polled before it is killed: early as often as late.
const DOUBLINGS: usize = 12;

/// The environments of one function that wait for work.
pub(crate) struct Function<A> {
    idle: RefCell<Vec<Environment<A>>>,
    timeout: Duration,
}

/// One environment, which does one thing at a time.
struct Environment<A> {
    app: Rc<A>,
    /// How far its clock is ahead, in milliseconds.
    ahead_ms: i64,
}

impl<A> Function<A> {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self {
            idle: RefCell::new(Vec::new()),
            timeout,
        }
    }

    /// Lets an environment do some work; `None` if it ended without an outcome.
    pub(crate) async fn invoke<T, Starting, Working>(
        &self,
        world: &World,
        start: impl FnOnce() -> Starting,
        work: impl FnOnce(Rc<A>) -> Working,
    ) -> Option<T>
    where
        Starting: Future<Output = A>,
        Working: Future<Output = T>,
    {
        let idle = if world.happens(Fault::ColdStart) {
            None
        } else {
            self.idle.borrow_mut().pop()
        };
        let environment = match idle {
            Some(environment) => environment,
            None => Environment::start(world, start).await?,
        };
        let app = Rc::clone(&environment.app);
        let work = environment.run(world, work(app));
        let outcome = timeout(self.timeout, work).await.ok().flatten()?;
        if !world.happens(Fault::Shutdown) {
            self.idle.borrow_mut().push(environment);
        }
        Some(outcome)
    }

    /// Ends all environments that wait, as a deployment does.
    pub(crate) fn replace(&self) {
        self.idle.borrow_mut().clear();
    }
}

impl<A> Environment<A> {
    async fn start<Starting>(world: &World, start: impl FnOnce() -> Starting) -> Option<Self>
    where
        Starting: Future<Output = A>,
    {
        sleep(world.up_to_ms(START_MS)).await;
        let ahead_ms = world.ahead_ms(APART_MS);
        let app = run(world, ahead_ms, start()).await?;
        let app = Rc::new(app);
        Some(Self { app, ahead_ms })
    }

    async fn run<T>(&self, world: &World, work: impl Future<Output = T>) -> Option<T> {
        run(world, self.ahead_ms, work).await
    }
}

/// Runs a future with a clock of its own, and may kill it.
async fn run<T>(world: &World, ahead_ms: i64, work: impl Future<Output = T>) -> Option<T> {
    let polls = world.happens(Fault::Kill).then(|| {
        let most = 1 << world.below(DOUBLINGS);
        world.below(most + 1)
    });
    let work = Doomed {
        work: Some(Box::pin(work)),
        polls,
        ahead_ms: ahead_ms + world.clock_ms(),
    };
    work.await
}

/// A future that is dropped after it was polled so many times.
struct Doomed<F> {
    work: Option<Pin<Box<F>>>,
    polls: Option<usize>,
    ahead_ms: i64,
}

impl<F: Future> Future for Doomed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == Some(0) {
            self.work = None;
        }
        self.polls = self.polls.map(|polls| polls.saturating_sub(1));
        let ahead_ms = self.ahead_ms;
        let Some(work) = &mut self.work else {
            return Poll::Ready(None);
        };
        let before = simulated_machine::ahead_ms();
        simulated_machine::set_ahead_ms(ahead_ms);
        let polled = work.as_mut().poll(context);
        simulated_machine::set_ahead_ms(before);
        polled.map(Some)
    }
}
