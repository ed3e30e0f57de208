//! A function as a process: started, invoked and ended as Lambda would.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use axum::body::Bytes;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::{
    process::{cpu_time, peak_memory_kib},
    program::Program,
    runtime_api::RuntimeApi,
};

/// How long a process may take to end after SIGTERM. valgrind and perf write their files before
/// they do.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that a step took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    /// On the clock.
    pub(crate) wall: Duration,
    /// User and system time of the process.
    pub(crate) cpu: Duration,
}

/// An answered event.
pub(crate) struct Invocation {
    pub(crate) answer: Value,
    /// From the event to its answer.
    pub(crate) took: Took,
}

/// A started function that waits for events.
pub(crate) struct Function {
    process: Child,
    runtime_api: RuntimeApi,
    /// From the start of the process until it asked for its first event.
    pub(crate) init: Took,
}

impl Function {
    /// Starts the program with only these variables, its own and Lambda's, and waits until it asks
    /// for its first event.
    pub(crate) async fn start(
        program: &Program,
        environment: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let mut runtime_api = RuntimeApi::start().await?;
        let mut command = command(program, environment, &runtime_api.address);

        let started = Instant::now();
        let process = command
            .spawn()
            .with_context(|| format!("cannot run {}", program.command.display()))?;
        let init_end = runtime_api
            .init_end()
            .await
            .with_context(|| format!("{} did not start", program.name))?;

        let init = Took {
            wall: init_end - started,
            cpu: cpu_time(pid(&process)?)?,
        };
        Ok(Self {
            process,
            runtime_api,
            init,
        })
    }

    /// Passes an event to the function and waits for the answer.
    pub(crate) async fn invoke(&mut self, event: Bytes) -> anyhow::Result<Invocation> {
        let started = Instant::now();
        let cpu_before = self.cpu_time()?;
        let answer = self.runtime_api.invoke(event).await?;
        let took = Took {
            wall: answer.at - started,
            cpu: self.cpu_time()?.saturating_sub(cpu_before),
        };

        ensure!(
            answer.is_response(),
            "the function failed: {}",
            String::from_utf8_lossy(&answer.body)
        );
        Ok(Invocation {
            answer: serde_json::from_slice(&answer.body).unwrap_or_default(),
            took,
        })
    }

    /// User and system time of the process so far.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        cpu_time(pid(&self.process)?)
    }

    /// The peak memory of the process so far, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> anyhow::Result<u64> {
        peak_memory_kib(pid(&self.process)?)
    }

    /// Asks the process to end, as Lambda does, and waits until it has.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(pid(&self.process)?.try_into()?);
        kill(pid, Signal::SIGTERM)?;
        timeout(END_TIMEOUT, self.process.wait())
            .await
            .context("the process ignores SIGTERM")??;
        Ok(())
    }

    /// Kills the process and waits until it has ended.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

fn command(program: &Program, environment: &[(&str, String)], runtime_api: &str) -> Command {
    let mut command = Command::new(&program.command);
    command
        .args(&program.arguments)
        .env_clear()
        .envs(environment.iter().cloned())
        .envs(program.environment.iter().cloned())
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", &program.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "none"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "none"),
        ])
        .stdin(Stdio::null())
        // A log line still costs its writer the system call, here the cheapest there is.
        .stdout(Stdio::null())
        .kill_on_drop(true);
    if let Some(directory) = &program.directory {
        command.current_dir(directory);
    }
    command
}

fn pid(process: &Child) -> anyhow::Result<u32> {
    process.id().context("the function has ended")
}
