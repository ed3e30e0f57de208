//! Takes Belvo's webhooks in: authenticate, validate, put into the queue, acknowledge. Nothing is
//! acknowledged before the queue holds it, and nothing of the body is believed beyond which link to
//! look at.

use std::{net::IpAddr, time::Duration};

use lambda_http::{
    Body, Request, Response, http::StatusCode, http::header::AUTHORIZATION, tracing,
};
use serde::Deserialize;
use serde_json::json;
use shared::{
    belvo::{Subject, mentioned_request_id},
    cause::chain,
    http,
    problem::Problem,
    queue::{Delivery, Queue},
    secret::{CachedSecret, SecretError, SecretText},
};

/// The largest body taken. Belvo's documented webhooks are below 1 KB.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Belvo gives up after five seconds; what is not queued by now is refused, so that Belvo sends it
/// again.
const TIME_TO_ANSWER: Duration = Duration::from_millis(3_800);

/// The document in the webhook secret: whole values of the `Authorization` header that Belvo may
/// send. Two are valid while one replaces the other.
#[derive(Clone, Deserialize)]
pub struct WebhookSecret {
    current: SecretText,
    previous: Option<SecretText>,
}

/// What the function needs to do its work.
pub struct Webhook {
    /// Where webhooks go.
    pub queue: Queue,
    /// What Belvo authenticates with.
    pub secret: CachedSecret<WebhookSecret>,
    /// Status of an acknowledgement.
    pub ack_status: StatusCode,
    /// Addresses that may send webhooks; none listed means any.
    pub allowed_source_ips: Vec<IpAddr>,
}

/// Answers one webhook. A refusal loses nothing: Belvo delivers again what was not acknowledged
/// with 2xx.
pub async fn handle(webhook: &Webhook, request: Request) -> Response<Body> {
    let gateway_request_id = http::gateway_request_id(&request);
    let outcome = tokio::time::timeout(
        TIME_TO_ANSWER,
        receive(webhook, &request, &gateway_request_id),
    )
    .await
    .unwrap_or_else(|_| {
        Err(Problem::unavailable(
            "the queue did not take the webhook in time; deliver it again",
        ))
    });
    match outcome {
        Ok(delivery_id) => http::json(webhook.ack_status, &json!({ "delivery_id": delivery_id })),
        Err(problem) => {
            tracing::warn!(
                gateway.request_id = gateway_request_id,
                http.status = problem.status(),
                problem = problem.kind(),
                "webhook refused"
            );
            problem.at_gateway(&gateway_request_id).into_response()
        }
    }
}

/// Takes one webhook in and returns the id of the delivery.
async fn receive(
    webhook: &Webhook,
    request: &Request,
    gateway_request_id: &str,
) -> Result<String, Problem> {
    authenticate(webhook, request).await?;
    let body = request.body().as_ref();
    if body.len() > MAX_BODY_BYTES {
        let detail = format!(
            "a webhook may have {MAX_BODY_BYTES} bytes; this one has {}",
            body.len()
        );
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            detail,
        ));
    }
    let invalid = |detail: String, field| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid-webhook", detail)
            .about(field)
            .for_request(mentioned_request_id(body))
    };
    let text = std::str::from_utf8(body)
        .map_err(|_| invalid("the body must be UTF-8".to_owned(), None))?;
    let delivery = Delivery::of_webhook(text, gateway_request_id)
        .map_err(|error| invalid(error.to_string(), error.field()))?;
    enqueue(webhook, delivery, gateway_request_id).await
}

async fn enqueue(
    webhook: &Webhook,
    delivery: Delivery,
    gateway_request_id: &str,
) -> Result<String, Problem> {
    let notification = &delivery.notification;
    webhook.queue.send(&delivery).await.map_err(|error| {
        tracing::error!(correlation.id = delivery.correlation_id, cause = %chain(&error), "webhook not queued");
        Problem::unavailable("the webhook was not queued; deliver it again")
            .for_request(notification.request_id.clone())
    })?;
    let webhook_type = match &notification.subject {
        Subject::Rows(resource) => resource.webhook_type(),
        Subject::Other(webhook_type) => webhook_type,
    };
    tracing::info!(
        correlation.id = delivery.correlation_id,
        gateway.request_id = gateway_request_id,
        delivery.id = delivery.id,
        link.id = notification.link.as_str(),
        webhook.r#type = webhook_type,
        webhook.code = notification.code,
        body.bytes = delivery.webhook.get().len(),
        "webhook queued"
    );
    Ok(delivery.id)
}

/// Admits requests from the listed addresses that carry a valid `Authorization`, compared in
/// constant time.
async fn authenticate(webhook: &Webhook, request: &Request) -> Result<(), Problem> {
    let allowed = &webhook.allowed_source_ips;
    if !allowed.is_empty() && !http::source_ip(request).is_some_and(|ip| allowed.contains(&ip)) {
        let detail = "webhooks are taken from the listed addresses only";
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden-address",
            detail,
        ));
    }
    let sent = request
        .headers()
        .get(AUTHORIZATION)
        .map_or(&b""[..], |value| value.as_bytes());
    let unavailable = |error: SecretError| {
        tracing::error!(cause = %chain(&error), "webhook secret not read");
        Problem::unavailable("webhooks cannot be authenticated now; deliver it again")
    };
    let known = webhook.secret.get().await.map_err(unavailable)?;
    if known.value.admits(sent) {
        return Ok(());
    }
    // The secret may have been rotated since it was read.
    match webhook
        .secret
        .newer_than(&known)
        .await
        .map_err(unavailable)?
    {
        Some(newer) if newer.value.admits(sent) => Ok(()),
        _ => {
            let detail =
                "the Authorization header must be the value registered at Belvo for this webhook";
            Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                detail,
            ))
        }
    }
}

impl WebhookSecret {
    /// Both comparisons always run, so that the time does not tell which value nearly matched.
    fn admits(&self, sent: &[u8]) -> bool {
        let current = self.current.matches(sent);
        let previous = self
            .previous
            .as_ref()
            .is_some_and(|previous| previous.matches(sent));
        current | previous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(json: &str) -> WebhookSecret {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn two_values_are_valid_during_a_rotation() {
        let secret = secret(r#"{"current": "Bearer new", "previous": "Bearer old"}"#);
        assert!(secret.admits(b"Bearer new"));
        assert!(secret.admits(b"Bearer old"));
        assert!(!secret.admits(b"Bearer ne"));
        assert!(!secret.admits(b""));
    }

    #[test]
    fn an_empty_previous_value_admits_nobody() {
        assert!(!secret(r#"{"current": "Bearer new", "previous": ""}"#).admits(b""));
        assert!(!secret(r#"{"current": "Bearer new"}"#).admits(b""));
    }
}
