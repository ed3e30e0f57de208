//! A function as a process, and the Lambda Runtime API that feeds it ("Building a custom runtime",
//! AWS Lambda developer guide). It feeds a function in any language.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, anyhow, bail};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
    time::timeout,
};

use crate::{
    process::{cpu_time, peak_memory_kib},
    program::Program,
};

/// What template.yaml gives the slowest function.
const TIMEOUT: Duration = Duration::from_mins(5);
/// What Lambda gives INIT.
const INIT: Duration = Duration::from_secs(10);

/// What something took.
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
    events: mpsc::Sender<Bytes>,
    answers: mpsc::Receiver<Answer>,
    /// From the start of the process until it asked for its first event.
    pub(crate) init: Took,
}

struct Answer {
    at: Instant,
    outcome: String,
    body: Bytes,
}

struct RuntimeApi {
    events: Mutex<mpsc::Receiver<Bytes>>,
    ready: mpsc::Sender<Result<Instant, String>>,
    answers: mpsc::Sender<Answer>,
}

impl Function {
    /// Starts the program with exactly these variables, and waits until it asks for its first
    /// event.
    pub(crate) async fn start(
        program: &Program,
        environment: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let (events, receiver) = mpsc::channel(1);
        let (answered, answers) = mpsc::channel(1);
        let (ready, mut is_ready) = mpsc::channel(1);
        let api = Arc::new(RuntimeApi {
            events: Mutex::new(receiver),
            ready,
            answers: answered,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/{outcome}",
                post(outcome),
            )
            .route("/2018-06-01/runtime/init/error", post(failed_start))
            .with_state(api);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut command = Command::new(&program.command);
        command
            .args(&program.arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .envs(
                program
                    .environment
                    .iter()
                    .map(|(name, value)| (*name, value)),
            )
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", &program.name),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "none"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "none"),
            ])
            .stdin(Stdio::null())
            // A log line costs whoever writes it one system call, which here is the cheapest there
            // is.
            .stdout(Stdio::null())
            .kill_on_drop(true);
        if let Some(directory) = &program.directory {
            command.current_dir(directory);
        }
        let started = Instant::now();
        let process = command
            .spawn()
            .with_context(|| format!("{} cannot be started", program.command.display()))?;
        let asked = timeout(INIT, is_ready.recv()).await.ok().flatten();
        let asked = asked.with_context(|| format!("{} did not ask for an event", program.name))?;
        let asked = asked.map_err(|reason| anyhow!("{} did not start: {reason}", program.name))?;
        let pid = process.id().context("the function has ended")?;
        let init = Took {
            wall: asked - started,
            cpu: cpu_time(pid)?,
        };
        Ok(Self {
            process,
            events,
            answers,
            init,
        })
    }

    /// Hands an event to the function and waits for the answer.
    pub(crate) async fn invoke(&mut self, event: Bytes) -> anyhow::Result<Invocation> {
        let (started, cpu_before) = (Instant::now(), self.cpu_time()?);
        self.events.send(event).await?;
        let answer = timeout(TIMEOUT, self.answers.recv())
            .await?
            .context("the function has ended")?;
        let took = Took {
            wall: answer.at - started,
            cpu: self.cpu_time()?.saturating_sub(cpu_before),
        };
        if answer.outcome != "response" {
            bail!(
                "the function failed: {}",
                String::from_utf8_lossy(&answer.body)
            );
        }
        Ok(Invocation {
            answer: serde_json::from_slice(&answer.body).unwrap_or_default(),
            took,
        })
    }

    /// User and system time of the process so far.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        cpu_time(self.pid()?)
    }

    /// The most memory that the process has had since its start, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> anyhow::Result<u64> {
        peak_memory_kib(self.pid()?)
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the function has ended")
    }

    /// Asks the process to end, as Lambda does, and waits until it has.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.pid()?.try_into()?), Signal::SIGTERM)?;
        timeout(INIT, self.process.wait())
            .await
            .context("the process goes on")??;
        Ok(())
    }

    /// Ends the process and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    let _ = api.ready.try_send(Ok(Instant::now()));
    let Some(event) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        + TIMEOUT;
    let headers = [
        ("content-type", "application/json".to_owned()),
        (
            "lambda-runtime-aws-request-id",
            uuid::Uuid::new_v4().to_string(),
        ),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:measured".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-0-0;Parent=0;Sampled=0".to_owned(),
        ),
    ];
    (headers, event).into_response()
}

async fn outcome(
    State(api): State<Arc<RuntimeApi>>,
    Path((_, outcome)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let _ = api
        .answers
        .send(Answer {
            at: Instant::now(),
            outcome,
            body,
        })
        .await;
    StatusCode::ACCEPTED
}

async fn failed_start(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> StatusCode {
    let _ = api
        .ready
        .try_send(Err(String::from_utf8_lossy(&body).into_owned()));
    StatusCode::ACCEPTED
}
