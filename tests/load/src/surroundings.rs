//! Everything around the functions: AWS, Belvo, Lambda and the API, each at an address of this
//! machine.

use std::{net::SocketAddr, path::Path, sync::Arc};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt,
};
use belvo_sandbox::{Config, Sandbox, Webhook};
use function_processes::{SETTINGS, events::AUTHORIZATION};
use test_harness::{REQUESTS_TABLE, TRANSACTIONS_TABLE, aws::gateway};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    aws::{self, Aws},
    figures::Troubles,
    lambda::Lambda,
    triggers,
    trouble::Trouble,
};

/// Receives after which a message is dead-lettered.
pub(crate) const ATTEMPTS: u32 = 6;
/// The longest pause before a message is tried again, in seconds.
const LONGEST_RETRY_S: u32 = 2;
/// The time between two deliveries of one webhook of the fake Belvo's own, in milliseconds.
const REDELIVERED_AFTER_MS: u64 = 500;
/// The largest body that API Gateway takes, in bytes.
const LARGEST_CALL: usize = 10 * 1_024 * 1_024;
/// The path that ends all trouble.
const PEACE: &str = "/peace";

pub(crate) struct Surroundings {
    pub(crate) aws: Arc<Aws>,
    pub(crate) lambda: Arc<Lambda>,
    pub(crate) belvo: Sandbox,
    /// Of every function, as template.yaml sets them.
    pub(crate) variables: Vec<(&'static str, String)>,
    api_url: String,
}

/// What the API is made of.
struct Api {
    lambda: Arc<Lambda>,
    aws: Arc<Aws>,
    trouble: Arc<Trouble>,
}

impl Surroundings {
    /// Starts everything, with the functions whose executables are in this folder.
    pub(crate) async fn start(functions: &Path, trouble: Trouble) -> anyhow::Result<Self> {
        let trouble = Arc::new(trouble);
        let aws = Arc::new(Aws::new(Arc::clone(&trouble)));
        let aws_url = serve(
            TcpListener::bind("127.0.0.1:0").await?,
            aws::router(Arc::clone(&aws)),
        )?;
        let api = TcpListener::bind("127.0.0.1:0").await?;
        let belvo = belvo(api.local_addr()?).await?;
        let variables = variables(&aws_url, belvo.url());
        let lambda = Arc::new(Lambda::new(
            functions,
            variables.clone(),
            Arc::clone(&trouble),
        ));
        let gateway = Api {
            lambda: Arc::clone(&lambda),
            aws: Arc::clone(&aws),
            trouble,
        };
        let router = Router::new()
            .route(PEACE, post(peace))
            .fallback(call)
            .with_state(Arc::new(gateway));
        let api_url = serve(api, router)?;
        Ok(Self {
            aws,
            lambda,
            belvo,
            variables,
            api_url,
        })
    }

    /// Lets the queue and the stream invoke functions, until what this returns is dropped.
    pub(crate) fn trigger(&self) -> JoinSet<()> {
        triggers::start(&self.aws, &self.lambda)
    }

    /// Where a `POST` ends all trouble and is answered with what there was.
    pub(crate) fn peace_url(&self) -> String {
        format!("{}{PEACE}", self.api_url)
    }

    /// What tests find the stack by (`Stack::of_this_run`).
    pub(crate) fn described(&self) -> Vec<(&'static str, String)> {
        let mut described = self.variables.clone();
        described.extend([
            ("API_URL", self.api_url.clone()),
            ("EVENTS_QUEUE_URL", String::new()),
            ("SANDBOX_URL", self.belvo.url().to_owned()),
            ("WEBHOOK_AUTHORIZATION", AUTHORIZATION.to_owned()),
        ]);
        described
    }
}

/// Serves at an address for as long as this process lives, and returns the URL.
fn serve(listener: TcpListener, router: Router) -> anyhow::Result<String> {
    let url = format!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// A Belvo whose own webhooks go to the API.
async fn belvo(api: SocketAddr) -> anyhow::Result<Sandbox> {
    let webhook = Webhook {
        url: format!("http://{api}/webhooks/belvo"),
        authorization: Some(AUTHORIZATION.to_owned()),
    };
    let config = Config {
        webhook: Some(webhook),
        webhook_retry_ms: REDELIVERED_AFTER_MS,
        ..Config::default()
    };
    belvo_sandbox::start(config).await
}

fn variables(aws_url: &str, belvo_url: &str) -> Vec<(&'static str, String)> {
    // What stands later counts.
    let mut variables = Vec::from(SETTINGS.map(|(name, value)| (name, value.to_owned())));
    variables.extend([
        ("ATTEMPTS", ATTEMPTS.to_string()),
        ("AWS_ENDPOINT_URL", aws_url.to_owned()),
        ("BELVO_BASE_URL", belvo_url.to_owned()),
        ("LONGEST_RETRY_S", LONGEST_RETRY_S.to_string()),
        ("REQUESTS_TABLE", REQUESTS_TABLE.to_owned()),
        ("TRANSACTIONS_TABLE", TRANSACTIONS_TABLE.to_owned()),
    ]);
    variables
}

/// Lets the function of a route answer.
async fn call(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_CALL).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Some((function, event)) = gateway::event_of(&parts, &body) else {
        return gateway::not_found();
    };
    let event = event.to_string().into();
    // It goes on although whoever called has hung up.
    let invoked = tokio::spawn(async move { api.lambda.invoke(function, event).await });
    let answer = invoked.await.ok().flatten();
    let answer: Option<Response<Body>> = answer.as_ref().and_then(gateway::answer_of);
    answer.unwrap_or_else(gateway::unanswered)
}

async fn peace(State(api): State<Arc<Api>>) -> Json<Troubles> {
    api.trouble.end();
    Json(Troubles {
        functions: api.lambda.counts(),
        queue: api.aws.queue_failures(),
    })
}
