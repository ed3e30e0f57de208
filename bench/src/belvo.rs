//! The fake Belvo, inside this process.

use std::net::SocketAddr;

use anyhow::Context;
use belvo_sandbox::{Config, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

/// Secret id and password of the API keys.
pub(crate) fn keys() -> Value {
    let config = Config::default();
    json!({
        "secret_id": config.secret_id,
        "secret_password": config.secret_password,
    })
}

/// A running sandbox, and the changes that the measurements make to it.
pub(crate) struct Belvo {
    sandbox: Sandbox,
    http: reqwest::Client,
}

impl Belvo {
    /// Starts a sandbox whose pages link to each other by `http` or, for a front with TLS, by
    /// `https`.
    pub(crate) async fn start(scheme: &'static str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let config = Config {
            scheme,
            ..Config::default()
        };
        let sandbox = belvo_sandbox::start(config).await?;
        Ok(Self { sandbox, http })
    }

    pub(crate) fn url(&self) -> String {
        self.sandbox.url().to_owned()
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let url = self.sandbox.url();
        let address = url
            .strip_prefix("http://")
            .with_context(|| format!("{url} is not plain HTTP"))?;
        Ok(address.parse()?)
    }

    /// Creates a link with this number of rows in its last year.
    pub(crate) async fn link(&self, rows: usize) -> anyhow::Result<String> {
        let link = self
            .control(Method::POST, "links", Some(json!({"transactions": rows})))
            .await?;
        Ok(link["id"]
            .as_str()
            .context("the link has no id")?
            .to_owned())
    }

    /// Creates a link with this number of rows of a resource.
    pub(crate) async fn link_with(&self, resource: &str, rows: usize) -> anyhow::Result<String> {
        if resource == "transactions" {
            return self.link(rows).await;
        }
        let body = json!({"transactions": 0, "resources": {resource: rows}});
        let link = self.control(Method::POST, "links", Some(body)).await?;
        let link = link["id"].as_str().context("the link has no id")?;
        Ok(link.to_owned())
    }

    /// Puts a document into every row of a link's resource.
    pub(crate) async fn enlarge(
        &self,
        link: &str,
        resource: &str,
        document: &str,
    ) -> anyhow::Result<()> {
        let path = match resource {
            "transactions" => format!("links/{link}/transactions"),
            other => format!("links/{link}/resources/{other}"),
        };
        for row in self.rows_at(&path).await? {
            let id = row["id"].as_str().context("the row has no id")?;
            let (path, change) = (format!("{path}/{id}"), json!({"xml": document}));
            self.control(Method::PATCH, &path, Some(change)).await?;
        }
        Ok(())
    }

    /// The rows of a link, as Belvo has them.
    pub(crate) async fn rows(&self, link: &str) -> anyhow::Result<Vec<Value>> {
        self.rows_at(&format!("links/{link}/transactions")).await
    }

    async fn rows_at(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let rows = self.control(Method::GET, path, None).await?;
        Ok(rows
            .as_array()
            .context("the rows are not an array")?
            .clone())
    }

    /// Changes `count` rows of a link, spread evenly over its days.
    pub(crate) async fn amend(&self, link: &str, count: usize) -> anyhow::Result<()> {
        let rows = self.rows(link).await?;
        let step = (rows.len() / count).max(1);
        for row in rows.iter().step_by(step).take(count) {
            let id = row["id"].as_str().context("the row has no id")?;
            let path = format!("links/{link}/transactions/{id}");
            let change = json!({"description": "amended"});
            self.control(Method::PATCH, &path, Some(change)).await?;
        }
        Ok(())
    }

    /// Adds `count` rows, dated today, to a link.
    pub(crate) async fn add_today(&self, link: &str, count: usize) -> anyhow::Result<()> {
        let today = time::OffsetDateTime::now_utc().date().to_string();
        let rows = json!({"count": count, "date": today});
        let path = format!("links/{link}/transactions");
        self.control(Method::POST, &path, Some(rows)).await?;
        Ok(())
    }

    /// The number of pages requested so far, of rows and of accounts.
    pub(crate) async fn gets(&self) -> anyhow::Result<u64> {
        Ok(self.counter("gets").await? + self.counter("account_gets").await?)
    }

    /// The number of retrievals requested so far.
    pub(crate) async fn retrievals(&self) -> anyhow::Result<u64> {
        self.counter("retrievals").await
    }

    async fn counter(&self, name: &str) -> anyhow::Result<u64> {
        let counters = self.control(Method::GET, "counters", None).await?;
        counters[name]
            .as_u64()
            .with_context(|| format!("the sandbox does not count {name}"))
    }

    async fn control(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let url = format!("{}/_control/{path}", self.sandbox.url());
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}
