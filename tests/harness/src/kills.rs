//! Kills functions in the middle of their work.

use std::{fs, time::Duration};

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use tokio::{process::Command, sync::oneshot, task::JoinHandle, time::sleep};

/// Carries the stack's directory in the environment of all its processes
/// (tools/local/processes.py).
const MARK: &str = "BELVO_INGEST_STATE";

/// A task that kills functions until it is stopped.
pub struct Killer {
    stop: oneshot::Sender<()>,
    task: JoinHandle<u32>,
}

impl Killer {
    /// Stops it and says how many functions it has killed.
    pub async fn stop(self) -> u32 {
        drop(self.stop);
        self.task.await.expect("the killer does not fail")
    }
}

/// Starts killing one function of this stack at a time, at random intervals of up to one and a half
/// seconds.
#[must_use]
pub fn start(seed: u64) -> Killer {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let (stop, mut stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let mut killed = 0;
        loop {
            tokio::select! {
                _ = &mut stopped => return killed,
                () = sleep(Duration::from_millis(dice.random_range(100..1_500))) => {}
            }
            if let Some(pid) = functions().choose(&mut dice) {
                // It may have ended by itself in the meantime.
                let outcome = Command::new("kill").args(["-KILL", pid]).status().await;
                killed += u32::from(outcome.is_ok_and(|status| status.success()));
            }
        }
    });
    Killer { stop, task }
}

/// The processes of this stack's functions.
fn functions() -> Vec<String> {
    let mark = own_mark();
    let processes = fs::read_dir("/proc")
        .expect("Linux")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_function = |pid: &String| {
        // A process may end while we look at it.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let ours = variables
            .clone()
            .any(|variable| variable == mark.as_bytes());
        ours && variables.any(|variable| variable.starts_with(b"AWS_LAMBDA_FUNCTION_NAME="))
    };
    processes
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(is_function)
        .collect()
}

/// The mark of this process, which belongs to the stack, too.
#[expect(
    clippy::disallowed_methods,
    reason = "the stack is described in the environment"
)]
fn own_mark() -> String {
    let state =
        std::env::var(MARK).expect("the stack marks what belongs to it: run `make torture`");
    format!("{MARK}={state}")
}
