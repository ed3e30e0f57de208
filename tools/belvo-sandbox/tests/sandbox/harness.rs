//! A running sandbox and a client for it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::{future::Future, sync::Arc, time::Duration};

use belvo_sandbox::{Config, Sandbox, Webhook, start};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::receiver::{AUTHORIZATION, Receiver};

/// How long anything may take that should happen at once.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct Harness {
    sandbox: Sandbox,
    http: Client,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) headers: reqwest::header::HeaderMap,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        self.json()[0]["code"].as_str().unwrap().to_owned()
    }
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(DEADLINE)
            .build()
            .unwrap();
        Self {
            sandbox: start(config).await.unwrap(),
            http,
        }
    }

    /// A sandbox that delivers to `receiver` and retries at once.
    pub(crate) async fn delivering_to(receiver: &Receiver) -> Self {
        Self::start_with(Config {
            webhook: Some(Webhook {
                url: receiver.url(),
                authorization: Some(AUTHORIZATION.to_owned()),
            }),
            webhook_delay_ms: 1,
            webhook_retry_ms: 1,
            ..Config::default()
        })
        .await
    }

    pub(crate) fn url(&self) -> &str {
        self.sandbox.url()
    }

    pub(crate) async fn stop(self) {
        self.sandbox.stop().await.unwrap();
    }

    /// A request without credentials; `target` is a path or a whole address.
    pub(crate) fn request(&self, method: Method, target: &str) -> RequestBuilder {
        let address = if target.starts_with('/') {
            format!("{}{target}", self.url())
        } else {
            target.to_owned()
        };
        self.http.request(method, address)
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.try_get(target).await.unwrap()
    }

    pub(crate) async fn try_get(&self, target: &str) -> reqwest::Result<Answer> {
        answer(
            self.request(Method::GET, target)
                .basic_auth("sandbox-id", Some("sandbox-password")),
        )
        .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self
            .request(Method::POST, path)
            .basic_auth("sandbox-id", Some("sandbox-password"));
        answer(request.body(body.to_string())).await.unwrap()
    }

    /// An asynchronous retrieval of June 2026.
    pub(crate) async fn retrieve(&self, link: &str) -> Answer {
        self.try_retrieve(link).await.unwrap()
    }

    pub(crate) async fn try_retrieve(&self, link: &str) -> reqwest::Result<Answer> {
        let body = json!({ "link": link, "date_from": "2026-06-01", "date_to": "2026-06-30" });
        let request = self.request(Method::POST, "/api/transactions/");
        let request = request.basic_auth("sandbox-id", Some("sandbox-password"));
        answer(
            request
                .header("x-belvo-request-mode", "async")
                .body(body.to_string()),
        )
        .await
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Answer {
        answer(
            self.request(method, &format!("/_control{path}"))
                .body(body.to_string()),
        )
        .await
        .unwrap()
    }

    /// A link with so many rows up to the end of June 2026.
    pub(crate) async fn link(&self, transactions: usize) -> String {
        let body =
            json!({ "transactions": transactions, "today": "2026-06-30", "external_id": "user-1" });
        let link = self.control(Method::POST, "/links", body).await.json();
        link["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn rule(&self, rule: Value) {
        let answer = self.control(Method::POST, "/rules", rule).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }

    /// All rows of a link as the bank has them.
    pub(crate) async fn truth(&self, link: &str) -> Vec<Value> {
        let answer = self
            .control(
                Method::GET,
                &format!("/links/{link}/transactions"),
                Value::Null,
            )
            .await;
        answer.json().as_array().unwrap().clone()
    }

    pub(crate) async fn journal(&self) -> Value {
        self.control(Method::GET, "/log", Value::Null).await.json()
    }

    /// The rows of every page from `target` on.
    pub(crate) async fn walk(&self, target: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut next = Some(target.to_owned());
        while let Some(target) = next {
            let page = self.get(&target).await.json();
            rows.extend(page["results"].as_array().unwrap().iter().cloned());
            next = page["next"].as_str().map(str::to_owned);
        }
        rows
    }
}

/// Sends a request as it is.
pub(crate) async fn answer(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer {
        status,
        headers,
        text: response.text().await?,
    })
}

/// Asks until the answer is there.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(ask: impl Fn() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.unwrap()
}

/// The ids of rows, in their order.
pub(crate) fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}
