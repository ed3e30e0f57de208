//! Receives Belvo's webhooks: authenticate, validate, queue, acknowledge. Nothing is acknowledged
//! before the queue holds it, and the body is trusted only to say which link to look at.

mod config;

use std::{net::IpAddr, time::Duration};

use domain::Timestamp;
use lambda_http::{
    Body, Request, Response, http::StatusCode, http::header::AUTHORIZATION, tracing,
};
use serde::Deserialize;
use serde_json::json;
use shared::{
    aws::{CallBudget, SdkConfig, warm_up},
    belvo::mentioned_request_id,
    cause::chain,
    handler, http,
    problem::{Problem, ProblemKind},
    queue::{Delivery, Queue, Task},
    secret::{self, CachedSecret, ExposeSecret, Newer, SecretError, SecretString},
    telemetry::{ALWAYS, Event},
};

pub use config::Config;

/// The largest body accepted. Belvo's documented webhooks are below 1 KB.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The fewest characters of a value that webhooks may authenticate with, `Bearer ` and the like
/// included: what could be guessed admits nobody.
const LEAST_CHARACTERS: usize = 32;
/// Belvo waits five seconds for an answer; a webhook that is not queued by now is refused, so that
/// Belvo sends it again.
const TIME_TO_ANSWER: Duration = Duration::from_millis(3_800);

/// How long the calls to AWS may take, so that the answer comes in time.
pub const CALL_BUDGET: CallBudget = CallBudget {
    call: Duration::from_millis(3_200),
    attempt: Duration::from_secs(1),
};

/// The JSON document in the webhook secret: whole values of the `Authorization` header that Belvo
/// may send. Two are valid while one replaces the other.
#[derive(Clone, Deserialize)]
pub struct WebhookSecret {
    current: SecretString,
    previous: Option<SecretString>,
}

/// What the function needs to do its work.
pub struct App {
    pub queue: Queue,
    /// The values that Belvo authenticates with.
    pub secret: CachedSecret<WebhookSecret>,
    /// Status of an acknowledgement.
    pub ack_status: StatusCode,
    /// Addresses that may send webhooks; none listed means any.
    pub allowed_source_ips: Vec<IpAddr>,
}

impl App {
    /// Wires the function.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig) -> Self {
        Self {
            queue: Queue::new(aws, config.queue_url),
            secret: CachedSecret::new(aws, config.webhook_secret_arn),
            ack_status: config.ack_status,
            allowed_source_ips: config.allowed_source_ips,
        }
    }

    /// Opens a connection to AWS and reads the secret, so that the first webhook finds them.
    pub async fn warm_up(&self) {
        warm_up(async { tokio::join!(self.queue.warm_up(), self.secret.get()) }).await;
    }
}

/// Answers one webhook. A refusal loses nothing: Belvo redelivers whatever was not acknowledged
/// with 2xx.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    let too_late = || {
        let problem = Problem::unavailable("The webhook was not queued in time. Deliver it again.");
        log_refusal(&problem);
        problem
    };
    let received = async {
        let delivery_id = receive(app, &request).await.inspect_err(log_refusal)?;
        let body = json!({ "delivery_id": delivery_id });
        Ok(http::json(app.ack_status, &body))
    };
    handler::answer(&request, TIME_TO_ANSWER, too_late, received).await
}

fn log_refusal(problem: &Problem) {
    tracing::warn!(
        target: ALWAYS,
        event = Event::WebhookRefused.name(),
        http.status = problem.status(),
        problem = problem.kind().name(),
        "webhook refused"
    );
}

/// Queues one webhook and returns the id of its delivery.
async fn receive(app: &App, request: &Request) -> Result<String, Problem> {
    check_address(app, request)?;
    authenticate(app, request).await?;
    let body = request.body().as_ref();
    if is_check_of_the_address(body) {
        tracing::info!(
            event = Event::WebhookWithoutContent.name(),
            body.bytes = body.len(),
            "webhook without content acknowledged"
        );
        return Ok(Delivery::id_of(body));
    }
    let delivery = read(request)?;
    enqueue(app, &delivery).await?;
    Ok(delivery.id)
}

fn check_address(app: &App, request: &Request) -> Result<(), Problem> {
    let allowed = &app.allowed_source_ips;
    if allowed.is_empty() || http::source_ip(request).is_some_and(|ip| allowed.contains(&ip)) {
        return Ok(());
    }
    let detail = "Webhooks are accepted only from the addresses in AllowedSourceIps.";
    Err(Problem::new(ProblemKind::ForbiddenAddress, detail))
}

/// Admits requests that carry a valid `Authorization`, compared in constant time.
async fn authenticate(app: &App, request: &Request) -> Result<(), Problem> {
    let sent = match request.headers().get(AUTHORIZATION) {
        Some(value) => value.as_bytes(),
        None => b"",
    };
    let known = app.secret.get().await.map_err(unauthenticated)?;
    if known.value.admits(sent) {
        return Ok(());
    }

    // The secret may have been rotated since it was read.
    let newer = app.secret.newer_than(&known).await;
    let latest = match newer.map_err(unauthenticated)? {
        Newer::Version(newer) if newer.value.admits(sent) => return Ok(()),
        Newer::Version(newer) => newer,
        Newer::Same | Newer::TooSoon(_) => known,
    };
    if latest.value.is_too_short() {
        return Err(unusable(&format!(
            "current has fewer than {LEAST_CHARACTERS} characters, so that it admits nobody"
        )));
    }
    let detail = "The Authorization header must be the value registered at Belvo for this webhook.";
    Err(Problem::new(ProblemKind::Unauthorized, detail))
}

#[expect(clippy::needless_pass_by_value, reason = "called by `map_err`")]
fn unauthenticated(error: SecretError) -> Problem {
    unusable(&chain(&error).to_string())
}

/// Belvo delivers again until an operator has put a usable secret.
fn unusable(cause: &str) -> Problem {
    tracing::error!(
        event = Event::SecretUnreadable.name(),
        cause,
        "the webhook secret cannot be used"
    );
    Problem::unavailable("The webhook cannot be authenticated right now. Deliver it again.")
}

/// Whether a body says nothing, as when a provider checks that the address answers.
fn is_check_of_the_address(body: &[u8]) -> bool {
    if body.len() > MAX_BODY_BYTES {
        return false;
    }
    let body = body.trim_ascii();
    let is_empty_object = body
        .strip_prefix(b"{")
        .and_then(|rest| rest.strip_suffix(b"}"));
    body.is_empty() || is_empty_object.is_some_and(|inside| inside.trim_ascii().is_empty())
}

fn read(request: &Request) -> Result<Delivery, Problem> {
    let body = request.body().as_ref();
    if body.len() > MAX_BODY_BYTES {
        let size = body.len();
        let detail =
            format!("The body must be at most {MAX_BODY_BYTES} bytes; this one has {size}.");
        return Err(Problem::new(ProblemKind::BodyTooLarge, detail));
    }

    let invalid = |detail: String, field| {
        Problem::new(ProblemKind::InvalidWebhook, detail)
            .about(field)
            .for_request(mentioned_request_id(body))
    };
    let text = std::str::from_utf8(body);
    let text = text.map_err(|_| invalid("the body must be UTF-8".to_owned(), None))?;
    let gateway_request_id = http::gateway_request_id(request);
    Delivery::new(text, gateway_request_id, Timestamp::now())
        .map_err(|error| invalid(error.to_string(), error.field()))
}

async fn enqueue(app: &App, delivery: &Delivery) -> Result<(), Problem> {
    let webhook = &delivery.webhook;
    if let Err(error) = app.queue.send(&Task::Webhook(delivery.clone())).await {
        tracing::error!(
            event = Event::WebhookNotQueued.name(),
            correlation.id = delivery.correlation_id,
            cause = %chain(&error),
            "the webhook was not queued"
        );
        return Err(
            Problem::unavailable("The webhook was not queued. Deliver it again.")
                .for_request(webhook.request_id.clone()),
        );
    }
    tracing::info!(
        target: ALWAYS,
        event = Event::WebhookQueued.name(),
        correlation.id = delivery.correlation_id,
        webhook.id = delivery.webhook_id().as_str(),
        link.id = webhook.link.as_str(),
        webhook.r#type = webhook.subject.webhook_type(),
        webhook.code = webhook.code,
        body.bytes = delivery.body.get().len(),
        "webhook queued"
    );
    Ok(())
}

impl WebhookSecret {
    /// Both comparisons always run, so that the time does not reveal which value nearly matched.
    fn admits(&self, sent: &[u8]) -> bool {
        let current = secret::matches(&self.current, sent);
        let previous = self.previous.as_ref();
        let previous = previous.is_some_and(|previous| secret::matches(previous, sent));
        sent.len() >= LEAST_CHARACTERS && (current | previous)
    }

    /// Whether the value that Belvo should send is one that could be guessed.
    fn is_too_short(&self) -> bool {
        self.current.expose_secret().len() < LEAST_CHARACTERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(json: &str) -> WebhookSecret {
        serde_json::from_str(json).unwrap()
    }

    const NEW: &str = "Bearer new-0123456789abcdef01234";
    const OLD: &str = "Bearer old-0123456789abcdef01234";

    #[test]
    fn two_values_are_valid_during_a_rotation() {
        let secret = secret(&json!({"current": NEW, "previous": OLD}).to_string());
        assert!(secret.admits(NEW.as_bytes()));
        assert!(secret.admits(OLD.as_bytes()));
        assert!(!secret.admits(NEW.replace("234", "235").as_bytes()));
        assert!(!secret.admits(b""));
    }

    #[test]
    fn an_empty_previous_value_admits_no_caller() {
        assert!(!secret(&json!({"current": NEW, "previous": ""}).to_string()).admits(b""));
        assert!(!secret(&json!({"current": NEW}).to_string()).admits(b""));
    }

    #[test]
    fn a_value_that_could_be_guessed_admits_nobody() {
        assert_eq!(NEW.len(), LEAST_CHARACTERS);
        let short = &NEW[1..];
        let secret = secret(&json!({"current": short, "previous": short}).to_string());
        assert!(secret.is_too_short());
        assert!(!secret.admits(short.as_bytes()));
    }
}
