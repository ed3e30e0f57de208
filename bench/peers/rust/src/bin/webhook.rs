//! Takes Belvo's webhooks in: authenticate, validate, put into the queue, acknowledge.

use std::time::Duration;

use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sqs::Client;
use chrono::Utc;
use lambda_http::{
    Error, Request, RequestExt, Response,
    http::{HeaderValue, header::AUTHORIZATION},
    request::RequestContext,
    run, service_fn, tracing,
};
use peers::{Secret, answer, timestamp, variable};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

struct App {
    sqs: Client,
    queue_url: String,
    secret: Secret,
}

/// The values of `Authorization` that Belvo may send.
#[derive(Deserialize)]
struct Authorizations {
    current: String,
    previous: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    // Belvo waits for five seconds, and delivers again what was not acknowledged.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_millis(1_500))
        .build();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .load()
        .await;
    let app = App {
        sqs: Client::new(&config),
        queue_url: variable("QUEUE_URL")?,
        secret: Secret::new(&config, variable("WEBHOOK_SECRET_ARN")?).await?,
    };

    // During INIT, so that the first invocation finds them.
    app.secret.get::<Authorizations>().await?;
    run(service_fn(|request| handle(&app, request))).await
}

/// Answers one webhook; 202 only after the queue holds it.
async fn handle(app: &App, request: Request) -> Result<Response<String>, Error> {
    let sent = request.headers().get(AUTHORIZATION);
    let sent = sent.map(HeaderValue::as_bytes).unwrap_or_default();
    if !is_authentic(app, sent).await? {
        tracing::warn!(event = "webhook_refused", status = 401, "webhook refused");
        let detail = "the Authorization header must be the value registered at Belvo";
        return answer(401, &json!({ "detail": detail }));
    }
    match parse(request.body()) {
        Ok((webhook, link)) => acknowledge(app, &request, webhook, &link).await,
        Err(fault) => {
            tracing::warn!(event = "webhook_refused", status = 400, "webhook refused");
            answer(400, &json!({ "detail": fault }))
        }
    }
}

/// Puts a valid webhook into the queue.
async fn acknowledge(
    app: &App,
    request: &Request,
    webhook: Value,
    link: &str,
) -> Result<Response<String>, Error> {
    let code = webhook["webhook_code"].clone();
    let id = hex::encode(Sha256::digest(request.body()));
    let task = json!({
        "delivery_id": id,
        "correlation_id": correlation_id(&webhook, request),
        "received_at": timestamp(Utc::now()),
        "webhook": webhook,
    });
    if let Err(error) = enqueue(app, task, link, &id).await {
        tracing::error!(link_id = link, delivery_id = id, %error, "webhook not queued");
        let detail = "the webhook was not queued; deliver it again";
        return answer(503, &json!({ "detail": detail }));
    }
    tracing::info!(
        event = "webhook_queued",
        link_id = link,
        delivery_id = id,
        webhook_code = code.as_str(),
        "webhook queued"
    );
    answer(202, &json!({ "delivery_id": id }))
}

/// Compares with both values that are valid during a rotation, in constant time.
async fn is_authentic(app: &App, sent: &[u8]) -> Result<bool, Error> {
    let Authorizations { current, previous } = app.secret.get().await?;
    let previous = previous.filter(|value| !value.is_empty());
    let previous = previous.as_ref().unwrap_or(&current);
    // Both comparisons always run.
    Ok((sent.ct_eq(current.as_bytes()) | sent.ct_eq(previous.as_bytes())).into())
}

/// The webhook and its link, or what is wrong.
fn parse(body: &[u8]) -> Result<(Value, String), String> {
    let webhook: Value =
        serde_json::from_slice(body).map_err(|_| "the body must be JSON".to_owned())?;
    for field in ["webhook_type", "webhook_code", "link_id"] {
        if webhook[field].as_str().unwrap_or_default().is_empty() {
            return Err(format!("{field} is required and must be a string"));
        }
    }
    let link = webhook["link_id"].as_str().unwrap_or_default();
    let link = Uuid::parse_str(link).map_err(|_| "link_id must be a UUID".to_owned())?;
    Ok((webhook, link.to_string()))
}

/// The webhook's request, or API Gateway's if it names none.
fn correlation_id(webhook: &Value, request: &Request) -> Option<String> {
    let of_webhook = webhook["request_id"].as_str().filter(|id| !id.is_empty());
    of_webhook
        .map(str::to_owned)
        .or_else(|| match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
            _ => None,
        })
}

async fn enqueue(app: &App, task: Value, link: &str, id: &str) -> Result<(), Error> {
    app.sqs
        .send_message()
        .queue_url(&app.queue_url)
        .message_body(json!({ "kind": "webhook", "task": task }).to_string())
        .message_group_id(link)
        .message_deduplication_id(id)
        .send()
        .await?;
    Ok(())
}
