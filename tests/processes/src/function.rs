//! A function as a process: started, invoked and ended as Lambda would.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use axum::body::Bytes;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::timeout,
};

use crate::{
    program::Program,
    resources::{cpu_time, memory_kib, open_files, peak_memory_kib, run_delay},
    runtime_api::RuntimeApi,
    share::Share,
};

/// How long a process may take to end after SIGTERM. valgrind and perf write their files before
/// they do.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// What a shell does with the program and its arguments once it has read a line.
const WAIT: &str = r#"read -r line && exec "$0" "$@""#;

/// The time that a step took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// On the clock.
    pub wall: Duration,
    /// User and system time of the process.
    pub cpu: Duration,
}

/// An answered event.
pub struct Invocation {
    pub answer: Value,
    /// From the event to its answer.
    pub took: Took,
}

/// A started function that waits for events.
pub struct Function {
    process: Child,
    runtime_api: RuntimeApi,
    /// From the start of the process until it asked for its first event.
    pub init: Took,
}

impl Function {
    /// Starts the program with only these variables, its own and Lambda's, and waits until it asks
    /// for its first event.
    pub async fn start(program: &Program, environment: &[(&str, String)]) -> anyhow::Result<Self> {
        let runtime_api = RuntimeApi::start().await?;
        let mut command = command(program, environment, &runtime_api.address);
        let started = Instant::now();
        let process = spawn(&mut command, program)?;
        Self::started(process, runtime_api, program, (started, Duration::ZERO)).await
    }

    /// The same with a share of a core from its first instruction: a shell waits until it has its
    /// share, and then becomes the program.
    pub async fn start_within(
        share: &Share,
        program: &Program,
        environment: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let runtime_api = RuntimeApi::start().await?;
        let options = ["-c".to_owned(), WAIT.to_owned()];
        let waiting = program.wrapped("/bin/sh", options);
        let mut command = command(&waiting, environment, &runtime_api.address);
        let mut process = spawn(command.stdin(Stdio::piped()), program)?;
        let pid = pid(&process)?;
        share.admit(pid)?;

        let mut stdin = process.stdin.take().context("the shell has no stdin")?;
        let (started, cpu_before) = (Instant::now(), cpu_time(pid)?);
        stdin.write_all(b"\n").await?;
        drop(stdin);
        Self::started(process, runtime_api, program, (started, cpu_before)).await
    }

    /// Waits until a process asks for its first event, and counts from what it had used before.
    async fn started(
        process: Child,
        mut runtime_api: RuntimeApi,
        program: &Program,
        (started, cpu_before): (Instant, Duration),
    ) -> anyhow::Result<Self> {
        let init_end = runtime_api
            .init_end()
            .await
            .with_context(|| format!("{} did not start", program.name))?;
        let init = Took {
            wall: init_end - started,
            cpu: cpu_time(pid(&process)?)?.saturating_sub(cpu_before),
        };
        Ok(Self {
            process,
            runtime_api,
            init,
        })
    }

    /// Passes an event to the function and waits for the answer; an error if it fails, or ends
    /// without one.
    pub async fn invoke(&mut self, event: Bytes) -> anyhow::Result<Invocation> {
        let started = Instant::now();
        let cpu_before = self.cpu_time()?;
        let answer = tokio::select! {
            answer = self.runtime_api.invoke(event) => answer?,
            ended = self.process.wait() => bail!("the function has ended: {}", ended?),
        };
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
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        cpu_time(pid(&self.process)?)
    }

    /// How long the process so far was ready to run and could not.
    pub fn run_delay(&self) -> anyhow::Result<Duration> {
        run_delay(pid(&self.process)?)
    }

    /// The peak memory of the process so far, in KiB.
    pub fn peak_memory_kib(&self) -> anyhow::Result<u64> {
        peak_memory_kib(pid(&self.process)?)
    }

    /// Its resident memory now, in KiB.
    pub fn memory_kib(&self) -> anyhow::Result<u64> {
        memory_kib(pid(&self.process)?)
    }

    /// How many file descriptors it has open.
    pub fn open_files(&self) -> anyhow::Result<usize> {
        open_files(pid(&self.process)?)
    }

    /// Asks the process to end, as Lambda does, and waits until it has.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(pid(&self.process)?.try_into()?);
        kill(pid, Signal::SIGTERM)?;
        timeout(END_TIMEOUT, self.process.wait())
            .await
            .context("the process ignores SIGTERM")??;
        Ok(())
    }

    /// Kills the process and waits until it has ended.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

fn spawn(command: &mut Command, program: &Program) -> anyhow::Result<Child> {
    command
        .spawn()
        .with_context(|| format!("cannot run {}", program.command.display()))
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

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::*;

    /// Asks for an event, if it finds itself in its control group by then.
    const FUNCTION: &str = r#"
        [ "$(cat "$PROCESSES")" = $$ ] || exit 1
        exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}"
        printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: api\r\n\r\n' >&3
        read -r answer <&3
    "#;

    #[tokio::test]
    async fn a_function_has_its_share_of_a_core_before_it_begins() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("cpu")).unwrap();
        let share = Share::below(directory.path(), 256).unwrap();
        let group = format!("cpu/bench-{}-256/cgroup.procs", process::id());
        let processes = directory.path().join(group).display().to_string();
        let program = Program {
            name: "a function".to_owned(),
            command: "/bin/bash".into(),
            arguments: vec!["-c".to_owned(), FUNCTION.to_owned()],
            environment: vec![("PATH", "/usr/bin:/bin".to_owned())],
            directory: None,
        };

        let environment = [("PROCESSES", processes)];
        let function = Function::start_within(&share, &program, &environment).await;
        let function = function.unwrap();
        assert!(function.init.wall > Duration::ZERO);
        assert!(function.init.cpu <= function.cpu_time().unwrap());
        function.stop().await.unwrap();
    }
}
