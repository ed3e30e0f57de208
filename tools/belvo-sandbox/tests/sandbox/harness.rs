//! A running sandbox and a client for it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::{future::Future, sync::Arc, time::Duration};

use belvo_sandbox::{Config, Control, Sandbox, Violation, Webhook, start};
use reqwest::{
    Client, Method, RequestBuilder,
    header::{CONTENT_TYPE, HeaderMap},
    redirect::Policy,
};
use serde_json::{Value, json};

use crate::receiver::{AUTHORIZATION, Receiver};

/// How long anything may take that should happen at once.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct Harness {
    sandbox: Sandbox,
    http: Client,
    /// For what has to succeed; [`Harness::control`] shows what a call is answered with.
    pub(crate) control: Control,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) headers: HeaderMap,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        self.json()[0]["code"].as_str().unwrap().to_owned()
    }

    /// The request id of a 202.
    pub(crate) fn request_id(&self) -> String {
        self.json()["request_id"].as_str().unwrap().to_owned()
    }

    /// The id of an object.
    pub(crate) fn id(&self) -> String {
        id(&self.json()).to_owned()
    }
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        let sandbox = start(config).await.unwrap();
        Self {
            http: client(),
            control: Control::new(sandbox.url()).unwrap(),
            sandbox,
        }
    }

    /// A sandbox that delivers to `receiver` and retries at once.
    pub(crate) async fn delivering_to(receiver: &Receiver) -> Self {
        let webhook = Webhook {
            url: receiver.url(),
            authorization: Some(AUTHORIZATION.to_owned()),
        };
        Self::start_with(Config {
            webhook: Some(webhook),
            webhook_delay_ms: 1,
            webhook_retry_ms: 1,
            ..Config::default()
        })
        .await
    }

    pub(crate) fn url(&self) -> &str {
        self.sandbox.url()
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.sandbox.violations()
    }

    pub(crate) async fn stop(self) {
        self.sandbox.stop().await.unwrap();
    }

    /// A request without keys; `target` is a path or a whole address.
    pub(crate) fn request(&self, method: Method, target: &str) -> RequestBuilder {
        let address = if target.starts_with('/') {
            format!("{}{target}", self.url())
        } else {
            target.to_owned()
        };
        self.http.request(method, address)
    }

    /// A request with the right keys.
    pub(crate) fn authorized(&self, method: Method, target: &str) -> RequestBuilder {
        let request = self.request(method, target);
        request.basic_auth("sandbox-id", Some("sandbox-password"))
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.try_get(target).await.unwrap()
    }

    pub(crate) async fn try_get(&self, target: &str) -> reqwest::Result<Answer> {
        answer(self.authorized(Method::GET, target)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.authorized(Method::POST, path);
        answer(with_json(request, body)).await.unwrap()
    }

    pub(crate) async fn post_async(&self, path: &str, body: &Value) -> reqwest::Result<Answer> {
        let request = self.authorized(Method::POST, path);
        let request = request.header("x-belvo-request-mode", "async");
        answer(with_json(request, body)).await
    }

    /// An asynchronous retrieval of June 2026.
    pub(crate) async fn retrieve(&self, link: &str) -> Answer {
        self.try_retrieve(link).await.unwrap()
    }

    pub(crate) async fn try_retrieve(&self, link: &str) -> reqwest::Result<Answer> {
        let body = json!({ "link": link, "date_from": "2026-06-01", "date_to": "2026-06-30" });
        self.post_async("/api/transactions/", &body).await
    }

    /// A link as the API shows it.
    pub(crate) async fn shown(&self, link: &str) -> Value {
        self.get(&format!("/api/links/{link}/")).await.json()
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.request(method, &format!("/_control{path}"));
        answer(request.body(body.to_string())).await.unwrap()
    }

    /// Creates a link with these settings.
    pub(crate) async fn create(&self, settings: Value) -> Answer {
        self.control(Method::POST, "/links", settings).await
    }

    /// Creates a link with rows up to the end of June 2026.
    pub(crate) async fn link(&self, transactions: usize) -> String {
        let today = "2026-06-30";
        let settings =
            json!({ "transactions": transactions, "today": today, "external_id": "user-1" });
        self.control.link(settings).await.unwrap()
    }

    pub(crate) async fn patch(&self, path: &str, changes: Value) -> Answer {
        self.control(Method::PATCH, path, changes).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.control(Method::DELETE, path, Value::Null).await
    }

    pub(crate) async fn notify(&self, link: &str, fields: Value) -> Answer {
        let path = format!("/links/{link}/notify");
        self.control(Method::POST, &path, fields).await
    }

    pub(crate) async fn rule(&self, rule: Value) {
        self.control.rule(rule).await.unwrap();
    }

    /// A rule that takes effect once.
    pub(crate) async fn once(&self, on: &str, action: Value) {
        let rule = json!({ "on": on, "times": 1, "action": action });
        self.rule(rule).await;
    }

    /// A rule that takes effect every time.
    pub(crate) async fn always(&self, on: &str, action: Value) {
        self.rule(json!({ "on": on, "action": action })).await;
    }

    /// What the control API shows at this path.
    pub(crate) async fn look(&self, path: &str) -> Value {
        self.control(Method::GET, path, Value::Null).await.json()
    }

    /// All rows of a link as the bank has them.
    pub(crate) async fn truth(&self, link: &str) -> Vec<Value> {
        self.control.rows(link).await.unwrap()
    }

    pub(crate) async fn journal(&self) -> Value {
        self.control.log().await.unwrap()
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

/// A client that follows no redirects and times out at the deadline.
fn client() -> Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
        .timeout(DEADLINE)
        .build()
        .unwrap()
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

/// Asks again and again until there is an answer.
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

/// The id of a row, an account or a link.
pub(crate) fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

/// The ids of rows, in their order.
pub(crate) fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(id).collect()
}

/// A request with a JSON body.
pub(crate) fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    let request = request.header(CONTENT_TYPE, "application/json");
    request.body(body.to_string())
}
