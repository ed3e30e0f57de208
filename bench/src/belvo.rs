//! The fake Belvo, inside this process.

use std::net::SocketAddr;

use anyhow::Context;
use belvo_sandbox::{Config, Control, Sandbox};
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
    pub(crate) control: Control,
    // Dropping it stops the sandbox.
    _server: Sandbox,
}

impl Belvo {
    /// Starts a sandbox whose pages link to each other by `http` or, for a front with TLS, by
    /// `https`.
    pub(crate) async fn start(scheme: &'static str) -> anyhow::Result<Self> {
        let config = Config {
            scheme,
            ..Config::default()
        };
        let server = belvo_sandbox::start(config).await?;
        Ok(Self {
            control: Control::new(server.url())?,
            _server: server,
        })
    }

    pub(crate) fn url(&self) -> String {
        self.control.url().to_owned()
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let url = self.control.url();
        let address = url
            .strip_prefix("http://")
            .with_context(|| format!("{url} is not plain HTTP"))?;
        Ok(address.parse()?)
    }

    /// Creates a link with this number of rows in its last year.
    pub(crate) async fn link(&self, rows: usize) -> anyhow::Result<String> {
        self.control.link(json!({"transactions": rows})).await
    }

    /// Creates a link with this number of rows of a resource.
    pub(crate) async fn link_with(&self, resource: &str, rows: usize) -> anyhow::Result<String> {
        if resource == "transactions" {
            return self.link(rows).await;
        }
        let spec = json!({"transactions": 0, "resources": {resource: rows}});
        self.control.link(spec).await
    }

    /// Puts a document into every row of a link's resource.
    pub(crate) async fn enlarge(
        &self,
        link: &str,
        resource: &str,
        document: &str,
    ) -> anyhow::Result<()> {
        for row in self.control.rows_of(link, resource).await? {
            let id = row["id"].as_str().context("the row has no id")?;
            let change = json!({"xml": document});
            self.control.patch_row(link, id, change).await?;
        }
        Ok(())
    }

    /// Changes `count` rows of a link, spread evenly over its days.
    pub(crate) async fn amend(&self, link: &str, count: usize) -> anyhow::Result<()> {
        let rows = self.control.rows(link).await?;
        let step = (rows.len() / count).max(1);
        for row in rows.iter().step_by(step).take(count) {
            let id = row["id"].as_str().context("the row has no id")?;
            let change = json!({"description": "amended"});
            self.control.patch_row(link, id, change).await?;
        }
        Ok(())
    }

    /// Adds `count` rows, dated today, to a link.
    pub(crate) async fn add_today(&self, link: &str, count: usize) -> anyhow::Result<()> {
        let today = time::OffsetDateTime::now_utc().date().to_string();
        self.control.add_rows(link, count, Some(&today)).await?;
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
        let counters = self.control.counters().await?;
        counters[name]
            .as_u64()
            .with_context(|| format!("the sandbox does not count {name}"))
    }
}
