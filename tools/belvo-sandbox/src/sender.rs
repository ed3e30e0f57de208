//! Sending webhooks as Belvo does: a POST with the registered `Authorization`, a time limit for the
//! receiver, and another attempt after a fixed time unless the answer was 2xx. Every attempt is in
//! the journal.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::{
    config::Webhook,
    journal::{Attempt, now},
    state::App,
    webhooks::Planned,
};

/// The most of a receiver's answer that is kept.
const ANSWER_BYTES: usize = 2_048;
const WRONG_AUTHORIZATION: &str = "Bearer not-the-registered-value";

/// A client that follows no redirects, uses no proxy and leaves time limits to the caller.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    // Spelled out, so that no process-wide TLS provider has to be installed. Receivers are plain
    // HTTP on this machine: without root certificates no other server is trusted.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent("belvo-sandbox")
        .build()?)
}

/// Sends in the background, or holds back what is to be held. The receiver resolves when the first
/// attempt has been answered or has failed, and also when the webhook is held.
pub(crate) fn submit(app: &Arc<App>, mut planned: Planned) -> oneshot::Receiver<()> {
    let (first_done, first) = oneshot::channel();
    if planned.hold {
        planned.hold = false;
        app.state().held.push(planned);
        return first;
    }
    let app = Arc::clone(app);
    tokio::spawn(async move {
        tokio::select! {
            () = deliver(Arc::clone(&app), planned, first_done) => {}
            () = app.closed() => {}
        }
    });
    first
}

/// All copies of one webhook, then those that waited for it. Boxed, because the ones that waited
/// are delivered in the same way.
fn deliver(
    app: Arc<App>,
    planned: Planned,
    first_done: oneshot::Sender<()>,
) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        tokio::time::sleep(Duration::from_millis(planned.delay_ms)).await;
        let deliveries: Vec<u64> = (0..planned.copies)
            .map(|_| {
                let ok = !planned.wrong_authorization;
                app.state()
                    .journal
                    .opened(Some(planned.link.clone()), planned.text.clone(), ok)
            })
            .collect();
        let mut refused = attempt_all(&app, deliveries, &planned).await;
        // Nobody waits unless the webhook is early.
        let _ = first_done.send(());
        for held in take_held(&app, &planned.link) {
            drop(submit(&app, held));
        }
        for _ in 1..app.config.webhook_attempts {
            if refused.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(app.config.webhook_retry_ms)).await;
            refused = attempt_all(&app, refused, &planned).await;
        }
    })
}

/// One attempt of each delivery, at the same time; says which were not answered with 2xx.
async fn attempt_all(app: &App, deliveries: Vec<u64>, planned: &Planned) -> Vec<u64> {
    let attempts = deliveries
        .iter()
        .map(|delivery| attempt(app, *delivery, planned));
    let accepted = futures::future::join_all(attempts).await;
    deliveries
        .into_iter()
        .zip(accepted)
        .filter(|(_, accepted)| !accepted)
        .map(|(delivery, _)| delivery)
        .collect()
}

fn take_held(app: &App, link: &str) -> Vec<Planned> {
    app.state()
        .held
        .extract_if(.., |held| held.link == link)
        .collect()
}

/// One POST of a delivery; says whether it was answered with 2xx.
async fn attempt(app: &App, delivery: u64, planned: &Planned) -> bool {
    let registered = app.state().webhook.clone();
    let Some(webhook) = registered else {
        let error = Some("no webhook is registered".to_owned());
        let attempt = Attempt {
            at: now(),
            status: None,
            error,
            latency_ms: 0,
            answer: String::new(),
        };
        app.state().journal.attempted(delivery, attempt);
        return false;
    };
    let authorization = if planned.wrong_authorization {
        Some(WRONG_AUTHORIZATION.to_owned())
    } else {
        webhook.authorization.clone()
    };
    let request = Outgoing {
        text: planned.text.clone(),
        authorization,
        headers: Vec::new(),
    };
    let attempt = post(app, &webhook, request).await;
    let accepted = attempt
        .status
        .is_some_and(|status| (200..300).contains(&status));
    tracing::info!(
        delivery.id = delivery,
        link.id = planned.link,
        http.status = attempt.status,
        duration_ms = attempt.latency_ms,
        "webhook sent"
    );
    app.state().journal.attempted(delivery, attempt);
    accepted
}

/// One POST: the text, the `Authorization` value, further headers.
pub(crate) struct Outgoing {
    pub(crate) text: String,
    pub(crate) authorization: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

/// POSTs to the receiver, once, within the time limit.
pub(crate) async fn post(app: &App, webhook: &Webhook, outgoing: Outgoing) -> Attempt {
    let (at, started) = (now(), Instant::now());
    let limit = Duration::from_millis(app.config.webhook_timeout_ms);
    let mut request = app
        .http
        .post(&webhook.url)
        .timeout(limit)
        .header("content-type", "application/json");
    if let Some(authorization) = outgoing.authorization {
        request = request.header("authorization", authorization);
    }
    for (name, value) in outgoing.headers {
        request = request.header(name, value);
    }
    let answer = async {
        let response = request.body(outgoing.text).send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>((status, response.text().await?))
    };
    let (status, error, answer) = match answer.await {
        Ok((status, text)) => (
            Some(status),
            None,
            text.chars().take(ANSWER_BYTES).collect(),
        ),
        Err(error) if error.is_timeout() => (None, Some("timeout".to_owned()), String::new()),
        Err(error) => (None, Some(error.without_url().to_string()), String::new()),
    };
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Attempt {
        at,
        status,
        error,
        latency_ms,
        answer,
    }
}
