//! The Lambda Runtime API for one function, in any language ("Building a custom runtime", AWS
//! Lambda developer guide).

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, anyhow};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    time::timeout,
};
use uuid::Uuid;

/// The longest function timeout in template.yaml.
const INVOCATION_TIMEOUT: Duration = Duration::from_mins(5);
/// How long Lambda lets INIT take.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A running API. The function gets status 410 once this is dropped.
pub(crate) struct RuntimeApi {
    /// Host and port, for `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) address: String,
    init: mpsc::Receiver<InitOutcome>,
    events: mpsc::Sender<Bytes>,
    answers: mpsc::Receiver<Answer>,
}

/// What a function posted for an event, be it a response or an error.
pub(crate) struct Answer {
    pub(crate) at: Instant,
    pub(crate) body: Bytes,
    outcome: String,
}

/// When INIT ended, or why it failed.
type InitOutcome = Result<Instant, String>;

/// The server's ends of the channels.
struct Channels {
    init: mpsc::Sender<InitOutcome>,
    events: Mutex<mpsc::Receiver<Bytes>>,
    answers: mpsc::Sender<Answer>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let (init_sender, init) = mpsc::channel(1);
        let (events, event_receiver) = mpsc::channel(1);
        let (answer_sender, answers) = mpsc::channel(1);
        let router = router(Channels {
            init: init_sender,
            events: Mutex::new(event_receiver),
            answers: answer_sender,
        });

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            address,
            init,
            events,
            answers,
        })
    }

    /// Waits until the function first asks for an event, which ends INIT, and returns when it did.
    pub(crate) async fn init_end(&mut self) -> anyhow::Result<Instant> {
        let outcome = timeout(INIT_TIMEOUT, self.init.recv()).await.ok().flatten();
        outcome
            .context("it did not ask for an event")?
            .map_err(|reason| anyhow!("INIT failed: {reason}"))
    }

    /// Passes an event to the function and waits for its answer.
    pub(crate) async fn invoke(&mut self, event: Bytes) -> anyhow::Result<Answer> {
        self.events.send(event).await?;
        timeout(INVOCATION_TIMEOUT, self.answers.recv())
            .await?
            .context("the function has ended")
    }
}

impl Answer {
    pub(crate) fn is_response(&self) -> bool {
        self.outcome == "response"
    }
}

fn router(channels: Channels) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{id}/{outcome}",
            post(outcome),
        )
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(Arc::new(channels))
}

async fn next(State(channels): State<Arc<Channels>>) -> Response {
    // Only the first request ends INIT; nothing reads the later ones.
    let _ = channels.init.try_send(Ok(Instant::now()));
    let Some(event) = channels.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };

    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", Uuid::new_v4().to_string()),
        ("lambda-runtime-deadline-ms", deadline_ms().to_string()),
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

/// When an invocation that starts now times out, in milliseconds since the epoch.
fn deadline_ms() -> u128 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (now + INVOCATION_TIMEOUT).as_millis()
}

async fn outcome(
    State(channels): State<Arc<Channels>>,
    Path((_, outcome)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let answer = Answer {
        at: Instant::now(),
        outcome,
        body,
    };
    let _ = channels.answers.send(answer).await;
    StatusCode::ACCEPTED
}

async fn init_error(State(channels): State<Arc<Channels>>, body: Bytes) -> StatusCode {
    let reason = String::from_utf8_lossy(&body).into_owned();
    let _ = channels.init.try_send(Err(reason));
    StatusCode::ACCEPTED
}
