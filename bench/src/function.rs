//! A function as a process, and the Lambda Runtime API that feeds it ("Building a custom runtime", AWS Lambda developer
//! guide).

use std::{
    fs,
    path::Path as FilePath,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
    time::timeout,
};

/// What template.yaml gives the function.
const TIMEOUT: Duration = Duration::from_mins(5);
/// Clock ticks per second, in which Linux counts CPU time for user space.
const TICKS_PER_SECOND: u64 = 100;

/// What an invocation took.
pub(crate) struct Invocation {
    pub(crate) answer: Value,
    /// From the event to its answer.
    pub(crate) wall: Duration,
    /// User and system time of the process meanwhile.
    pub(crate) cpu: Duration,
    /// The most memory that the process has had since its start.
    pub(crate) peak_memory_kb: u64,
}

/// A started function that waits for events.
pub(crate) struct Function {
    process: Child,
    events: mpsc::Sender<Value>,
    answers: mpsc::Receiver<Result<Value, Value>>,
}

struct RuntimeApi {
    events: Mutex<mpsc::Receiver<Value>>,
    ready: mpsc::Sender<()>,
    answers: mpsc::Sender<Result<Value, Value>>,
}

impl Function {
    /// Starts the program with exactly these variables, and waits until it asks for its first event.
    pub(crate) async fn start(program: &FilePath, environment: &[(&str, String)]) -> anyhow::Result<Self> {
        let (events, receiver) = mpsc::channel(1);
        let (answered, answers) = mpsc::channel(1);
        let (ready, mut is_ready) = mpsc::channel(8);
        let api = Arc::new(RuntimeApi { events: Mutex::new(receiver), ready, answers: answered });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(outcome))
            .with_state(api);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let process = Command::new(program)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "collect"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "none"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "none"),
            ])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        timeout(Duration::from_secs(10), is_ready.recv()).await.context("the function did not ask for an event")?;
        Ok(Self { process, events, answers })
    }

    /// Hands an event to the function and waits for the answer.
    pub(crate) async fn invoke(&mut self, event: &Value) -> anyhow::Result<Invocation> {
        let pid = self.process.id().context("the function has ended")?;
        let (started, cpu_before) = (Instant::now(), cpu_time(pid)?);
        self.events.send(event.clone()).await?;
        let answer = timeout(TIMEOUT, self.answers.recv()).await?.context("the function has ended")?;
        let wall = started.elapsed();
        let cpu = cpu_time(pid)?.saturating_sub(cpu_before);
        match answer {
            Ok(answer) => Ok(Invocation { answer, wall, cpu, peak_memory_kb: peak_memory_kb(pid)? }),
            Err(error) => bail!("the function failed: {error}"),
        }
    }
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    let _ = api.ready.try_send(());
    let Some(event) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
    let headers = [
        ("lambda-runtime-aws-request-id", uuid::Uuid::new_v4().to_string()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:collect".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-0-0;Parent=0;Sampled=0".to_owned()),
    ];
    (headers, Json(event)).into_response()
}

async fn outcome(
    State(api): State<Arc<RuntimeApi>>,
    Path((_, outcome)): Path<(String, String)>,
    answer: Bytes,
) -> StatusCode {
    let answer = serde_json::from_slice(&answer).unwrap_or_default();
    let answer = if outcome == "response" { Ok(answer) } else { Err(answer) };
    let _ = api.answers.send(answer).await;
    StatusCode::ACCEPTED
}

/// User and system time of a process so far (`/proc/<pid>/stat`, fields 14 and 15).
fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("a process name")?.1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

/// The most memory that a process has had resident (`VmHWM`).
fn peak_memory_kb(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
