//! The fake Belvo, in process.

use std::net::SocketAddr;

use anyhow::Context;
use belvo_sandbox::{Config, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

/// Secret id and password of the API keys.
pub(crate) fn keys() -> Value {
    let Config {
        secret_id,
        secret_password,
        ..
    } = Config::default();
    json!({"secret_id": secret_id, "secret_password": secret_password})
}

/// A running sandbox and what the measurements do with it.
pub(crate) struct Belvo {
    sandbox: Sandbox,
    http: reqwest::Client,
}

impl Belvo {
    /// A sandbox that functions reach by `http` or, through a front, by `https`.
    pub(crate) async fn start(scheme: &'static str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            sandbox: belvo_sandbox::start(Config {
                scheme,
                ..Config::default()
            })
            .await?,
            http,
        })
    }

    pub(crate) fn url(&self) -> String {
        self.sandbox.url().to_owned()
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self
            .sandbox
            .url()
            .strip_prefix("http://")
            .context("an address")?
            .parse()?)
    }

    /// A link with so many rows in its last year.
    pub(crate) async fn link(&self, rows: usize) -> anyhow::Result<String> {
        let link = self
            .control(Method::POST, "links", Some(json!({"transactions": rows})))
            .await?;
        Ok(link["id"].as_str().context("a link id")?.to_owned())
    }

    /// The rows of a link, as Belvo has them.
    pub(crate) async fn rows(&self, link: &str) -> anyhow::Result<Vec<Value>> {
        let rows = self
            .control(Method::GET, &format!("links/{link}/transactions"), None)
            .await?;
        Ok(rows.as_array().context("rows")?.clone())
    }

    /// Changes so many rows of a link, spread evenly over its days.
    pub(crate) async fn amend(&self, link: &str, count: usize) -> anyhow::Result<()> {
        let rows = self.rows(link).await?;
        for row in rows.iter().step_by((rows.len() / count).max(1)).take(count) {
            let id = row["id"].as_str().context("a row id")?;
            let path = format!("links/{link}/transactions/{id}");
            self.control(
                Method::PATCH,
                &path,
                Some(json!({"description": "amended"})),
            )
            .await?;
        }
        Ok(())
    }

    /// Adds so many rows of today to a link.
    pub(crate) async fn add_today(&self, link: &str, count: usize) -> anyhow::Result<()> {
        let today = time::OffsetDateTime::now_utc().date().to_string();
        let rows = json!({"count": count, "date": today});
        self.control(
            Method::POST,
            &format!("links/{link}/transactions"),
            Some(rows),
        )
        .await?;
        Ok(())
    }

    /// Pages that were asked for so far.
    pub(crate) async fn gets(&self) -> anyhow::Result<u64> {
        self.counter("gets").await
    }

    /// Retrievals that were asked for so far.
    pub(crate) async fn retrievals(&self) -> anyhow::Result<u64> {
        self.counter("retrievals").await
    }

    async fn counter(&self, name: &str) -> anyhow::Result<u64> {
        self.control(Method::GET, "counters", None).await?[name]
            .as_u64()
            .with_context(|| format!("a counter of {name}"))
    }

    async fn control(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self
            .http
            .request(method, format!("{}/_control/{path}", self.sandbox.url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}
