//! Lambda: as many environments of each function as there are invocations at once, each a process
//! that is reused, killed, and replaced by a cold start.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use function_processes::{Function, Program};
use serde_json::Value;
use test_harness::aws::lambda::timeout_of;
use tokio::time::{sleep, timeout};

use crate::{figures::Invocations, trouble::Trouble};

/// The functions of the pipeline.
pub(crate) const FUNCTIONS: [&str; 5] = ["collect", "publish", "query", "request", "webhook"];
/// How long an invocation takes as far as is known before the first has ended.
const FIRST_GUESS: Duration = Duration::from_millis(5);
/// How much the latest invocation counts in how long one usually takes: an eighth.
const WEIGHT: u32 = 8;

pub(crate) struct Lambda {
    pools: BTreeMap<&'static str, Pool>,
    /// Of every function.
    variables: Vec<(&'static str, String)>,
    trouble: Arc<Trouble>,
}

/// The environments of one function.
struct Pool {
    program: Program,
    known: Mutex<Known>,
}

struct Known {
    idle: Vec<Function>,
    /// How many environments there are.
    alive: u64,
    usual: Duration,
    counts: Invocations,
}

/// How an invocation ended.
enum Ended {
    Answered(Value),
    Killed,
    TimedOut,
    Failed(anyhow::Error),
}

impl Lambda {
    /// Runs the functions whose executables are in this folder.
    pub(crate) fn new(
        folder: &Path,
        variables: Vec<(&'static str, String)>,
        trouble: Arc<Trouble>,
    ) -> Self {
        let pools = FUNCTIONS.map(|name| (name, Pool::of(Program::plain(name, folder.join(name)))));
        Self {
            pools: pools.into(),
            variables,
            trouble,
        }
    }

    /// Lets a function work; `None` if it ends without an answer.
    pub(crate) async fn invoke(&self, function: &str, event: Bytes) -> Option<Value> {
        let pool = &self.pools[function];
        let mut environment = pool.environment(&self.variables).await?;
        let kill = self.trouble.kill();
        let doom = kill.map(|part| pool.lock().usual.mul_f64(part));
        let began = Instant::now();
        let ended = ended(function, &mut environment, event, doom).await;
        let is_kept = doom.is_none() && matches!(ended, Ended::Answered(_));
        if is_kept {
            pool.keep(environment, began.elapsed());
        } else {
            // It may have ended by itself.
            let _ = environment.stop().await;
        }
        pool.count(&ended, doom.is_some(), is_kept);
        match ended {
            Ended::Answered(answer) => Some(answer),
            Ended::Killed | Ended::TimedOut => None,
            Ended::Failed(error) => {
                eprintln!("load: {function} failed: {error:#}");
                None
            }
        }
    }

    /// Ends all environments that wait, and waits until they have ended.
    pub(crate) async fn end(&self) -> anyhow::Result<()> {
        for pool in self.pools.values() {
            let idle = std::mem::take(&mut pool.lock().idle);
            for environment in idle {
                environment.stop().await?;
            }
        }
        Ok(())
    }

    /// What was done so far, by function.
    pub(crate) fn counts(&self) -> BTreeMap<String, Invocations> {
        let all = self.pools.iter();
        all.map(|(name, pool)| ((*name).to_owned(), pool.lock().counts))
            .collect()
    }
}

/// Passes an event to an environment, which is killed after some time if it is doomed.
async fn ended(
    function: &str,
    environment: &mut Function,
    event: Bytes,
    doom: Option<Duration>,
) -> Ended {
    let doomed = async {
        match doom {
            Some(after) => sleep(after).await,
            None => std::future::pending().await,
        }
    };
    let answered = tokio::select! {
        answered = timeout(timeout_of(function), environment.invoke(event)) => answered,
        () = doomed => return Ended::Killed,
    };
    match answered {
        Ok(Ok(invocation)) => Ended::Answered(invocation.answer),
        Ok(Err(error)) => Ended::Failed(error),
        Err(_) => Ended::TimedOut,
    }
}

impl Pool {
    fn of(program: Program) -> Self {
        let known = Known {
            idle: Vec::new(),
            alive: 0,
            usual: FIRST_GUESS,
            counts: Invocations::default(),
        };
        Self {
            program,
            known: Mutex::new(known),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The environment that was used last, or else a new one; `None` if it does not start.
    async fn environment(&self, variables: &[(&'static str, String)]) -> Option<Function> {
        let idle = self.lock().idle.pop();
        if idle.is_some() {
            return idle;
        }
        {
            let mut known = self.lock();
            known.alive += 1;
            known.counts.cold_starts += 1;
            known.counts.environments = known.counts.environments.max(known.alive);
        }
        match Function::start(&self.program, variables).await {
            Ok(environment) => Some(environment),
            Err(error) => {
                eprintln!("load: {error:#}");
                let mut known = self.lock();
                known.alive -= 1;
                known.counts.failed += 1;
                None
            }
        }
    }

    fn keep(&self, environment: Function, took: Duration) {
        let mut known = self.lock();
        known.usual = (known.usual * (WEIGHT - 1) + took) / WEIGHT;
        known.idle.push(environment);
    }

    fn count(&self, ended: &Ended, is_doomed: bool, is_kept: bool) {
        let mut known = self.lock();
        known.alive -= u64::from(!is_kept);
        let counts = &mut known.counts;
        counts.events += 1;
        match ended {
            Ended::Answered(_) => counts.killed_after += u64::from(is_doomed),
            Ended::Killed => counts.killed_midway += 1,
            Ended::TimedOut => counts.timed_out += 1,
            Ended::Failed(_) => counts.failed += 1,
        }
    }
}
