//! Sending webhooks as Belvo does: a POST with the registered `Authorization`, a time limit for the
//! receiver, and another attempt after a fixed time unless the answer was 2xx. The journal has
//! every attempt.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, join_all};
use reqwest::ClientBuilder;
use tokio::sync::oneshot;

use crate::{
    config::Webhook,
    journal::{Attempt, now},
    state::App,
    webhooks::Planned,
};

/// How much of a receiver's answer the journal keeps, in characters.
const ANSWER_CHARACTERS: usize = 2_048;
const WRONG_AUTHORIZATION: &str = "Bearer not-the-registered-value";

/// One POST to the receiver.
pub(crate) struct Outgoing {
    pub(crate) text: String,
    /// The value of the `Authorization` header.
    pub(crate) authorization: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

/// A client that follows no redirects, uses no proxy and leaves time limits to the caller.
pub(crate) fn client(connections: ClientBuilder) -> anyhow::Result<reqwest::Client> {
    // The TLS provider is named here so that none has to be installed for the whole process. There
    // are no root certificates because receivers are plain HTTP on this machine.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = connections
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent("belvo-sandbox");
    Ok(client.build()?)
}

/// Sends a webhook in the background, or holds it. The returned channel resolves when the first
/// attempt has been answered or has failed. If the webhook is held, the channel fails at once.
pub(crate) fn submit(app: &Arc<App>, mut webhook: Planned) -> oneshot::Receiver<()> {
    let (first_done, first) = oneshot::channel();
    if webhook.hold {
        webhook.hold = false;
        app.state().held.push(webhook);
        return first;
    }

    let app = Arc::clone(app);
    tokio::spawn(async move {
        tokio::select! {
            () = deliver(Arc::clone(&app), webhook, first_done) => {}
            () = app.closed() => {}
        }
    });
    first
}

/// Delivers all copies of one webhook, then the webhooks that were held for it. Boxed, because
/// those are submitted in the same way.
fn deliver(
    app: Arc<App>,
    webhook: Planned,
    first_done: oneshot::Sender<()>,
) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        tokio::time::sleep(Duration::from_millis(webhook.delay_ms)).await;
        let deliveries = open(&app, &webhook);
        let mut refused = attempt_all(&app, deliveries, &webhook).await;
        // Fails if the other end is closed, as it is unless the webhook is early.
        let _ = first_done.send(());

        for held in take_held(&app, &webhook.link) {
            drop(submit(&app, held));
        }
        for _ in 1..app.config.webhook_attempts {
            if refused.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(app.config.webhook_retry_ms)).await;
            refused = attempt_all(&app, refused, &webhook).await;
        }
    })
}

/// Enters one delivery for each copy into the journal.
fn open(app: &App, webhook: &Planned) -> Vec<u64> {
    let ok = !webhook.wrong_authorization;
    let mut state = app.state();
    let copies = 0..webhook.copies;
    copies
        .map(|_| {
            let (link, text) = (webhook.link.clone(), webhook.text.clone());
            state.journal.opened(Some(link), text, ok)
        })
        .collect()
}

fn take_held(app: &App, link: &str) -> Vec<Planned> {
    let held = &mut app.state().held;
    held.extract_if(.., |held| held.link == link).collect()
}

/// Makes one attempt of each delivery, all at the same time, and returns those that were not
/// answered with 2xx.
async fn attempt_all(app: &App, deliveries: Vec<u64>, webhook: &Planned) -> Vec<u64> {
    let attempts = deliveries
        .iter()
        .map(|delivery| attempt(app, *delivery, webhook));
    let accepted = join_all(attempts).await;
    deliveries
        .into_iter()
        .zip(accepted)
        .filter(|(_, accepted)| !accepted)
        .map(|(delivery, _)| delivery)
        .collect()
}

/// Makes one POST of a delivery and returns whether it was answered with 2xx.
async fn attempt(app: &App, delivery: u64, planned: &Planned) -> bool {
    let registered = app.state().webhook.clone();
    let Some(receiver) = registered else {
        let attempt = failed("no webhook is registered");
        app.state().journal.attempted(delivery, attempt);
        return false;
    };

    let authorization = if planned.wrong_authorization {
        Some(WRONG_AUTHORIZATION.to_owned())
    } else {
        receiver.authorization.clone()
    };
    let request = Outgoing {
        text: planned.text.clone(),
        authorization,
        headers: Vec::new(),
    };
    let attempt = post(app, &receiver, request).await;

    let status = attempt.status;
    tracing::info!(
        delivery.id = delivery,
        link.id = planned.link,
        http.status = status,
        duration_ms = attempt.latency_ms,
        "webhook sent"
    );
    app.state().journal.attempted(delivery, attempt);
    status.is_some_and(|status| (200..300).contains(&status))
}

fn failed(error: &str) -> Attempt {
    Attempt {
        at: now(),
        status: None,
        error: Some(error.to_owned()),
        latency_ms: 0,
        answer: String::new(),
    }
}

/// Makes one POST to the receiver within the time limit.
pub(crate) async fn post(app: &App, receiver: &Webhook, outgoing: Outgoing) -> Attempt {
    let at = now();
    let started = Instant::now();
    let answer = exchange(app, receiver, outgoing).await;
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);

    let (status, error, answer) = match answer {
        Ok((status, text)) => (Some(status), None, text),
        Err(error) if error.is_timeout() => (None, Some("timeout".to_owned()), String::new()),
        Err(error) => (None, Some(error.without_url().to_string()), String::new()),
    };
    Attempt {
        at,
        status,
        error,
        latency_ms,
        answer: answer.chars().take(ANSWER_CHARACTERS).collect(),
    }
}

/// Sends a request and returns the status and the body of its answer.
async fn exchange(
    app: &App,
    receiver: &Webhook,
    outgoing: Outgoing,
) -> reqwest::Result<(u16, String)> {
    let limit = Duration::from_millis(app.config.webhook_timeout_ms);
    let mut request = app
        .http
        .post(&receiver.url)
        .timeout(limit)
        .header("content-type", "application/json");
    if let Some(authorization) = outgoing.authorization {
        request = request.header("authorization", authorization);
    }
    for (name, value) in outgoing.headers {
        request = request.header(name, value);
    }

    let response = request.body(outgoing.text).send().await?;
    let status = response.status().as_u16();
    Ok((status, response.text().await?))
}
