//! A client of the control API, for everything in Rust that drives a sandbox.

use anyhow::{Context, bail, ensure};
use reqwest::{ClientBuilder, Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::{firewall::Rate, sender};

/// Calls the control API of a sandbox, in this process or in another one. An answer other than 2xx
/// is an error that names the call, the status and the body.
#[derive(Clone, Debug)]
pub struct Control {
    url: String,
    http: reqwest::Client,
}

impl Control {
    /// A client of the sandbox at this origin, which has no slash at its end.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        Self::over(ClientBuilder::new(), url)
    }

    /// The same, with where its connections lead.
    pub fn over(connections: ClientBuilder, url: &str) -> anyhow::Result<Self> {
        let (url, http) = (url.to_owned(), sender::client(connections)?);
        Ok(Self { url, http })
    }

    /// The origin of the sandbox.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A call of `/_control/{path}`; the JSON of its answer, `null` if there is none.
    ///
    /// No `Value` holds half of a surrogate pair, which the sandbox sends where a text of it has
    /// `U+E000`: the answer has that character again.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> anyhow::Result<Value> {
        let (path, body) = (format!("/_control/{path}"), body.into());
        let call = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            let json = (CONTENT_TYPE, "application/json");
            request = request.header(json.0, json.1).body(body.to_string());
        }

        let unanswered = || format!("the sandbox did not answer {call}");
        let response = request.send().await.with_context(unanswered)?;
        let status = response.status();
        let text = response.text().await.with_context(unanswered)?;
        ensure!(
            status.is_success(),
            "the sandbox answered {status} to {call}: {text}"
        );
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text.replace(r"\ud800", "\u{e000}"))
            .with_context(|| format!("the answer to {call} is not JSON: {text}"))
    }

    /// Connects a user as described; returns the id of the link.
    pub async fn link(&self, spec: Value) -> anyhow::Result<String> {
        id(&self.call(Method::POST, "links", spec).await?)
    }

    /// The same user connects the same bank again; returns the id of the new link.
    pub async fn reconnect(&self, link: &str) -> anyhow::Result<String> {
        let path = format!("links/{link}/reconnect");
        id(&self.call(Method::POST, &path, None).await?)
    }

    /// Changes fields of a link.
    pub async fn patch_link(&self, link: &str, fields: Value) -> anyhow::Result<()> {
        self.patch(&format!("links/{link}"), fields).await
    }

    /// Makes an event happen to a link, such as `token_required`, with its webhook.
    pub async fn event(&self, link: &str, code: &str) -> anyhow::Result<()> {
        let (path, event) = (format!("links/{link}/event"), json!({ "code": code }));
        self.call(Method::POST, &path, event).await.map(drop)
    }

    /// Sends a webhook about a link, in which these fields replace the usual ones.
    pub async fn notify(&self, link: &str, fields: Value) -> anyhow::Result<()> {
        let path = format!("links/{link}/notify");
        self.call(Method::POST, &path, fields).await.map(drop)
    }

    /// All accounts of a link.
    pub async fn accounts(&self, link: &str) -> anyhow::Result<Vec<Value>> {
        self.list(&format!("links/{link}/accounts")).await
    }

    /// Opens accounts without a movement; returns their ids.
    pub async fn open_accounts(&self, link: &str, count: usize) -> anyhow::Result<Vec<String>> {
        self.add(&format!("links/{link}/accounts"), json!({ "count": count }))
            .await
    }

    /// Changes fields of an account.
    pub async fn patch_account(
        &self,
        link: &str,
        account: &str,
        fields: Value,
    ) -> anyhow::Result<()> {
        let path = format!("links/{link}/accounts/{account}");
        self.patch(&path, fields).await
    }

    /// All transactions of a link, newest first, each with its account.
    pub async fn rows(&self, link: &str) -> anyhow::Result<Vec<Value>> {
        self.rows_of(link, "transactions").await
    }

    /// All rows of a resource of a link.
    pub async fn rows_of(&self, link: &str, resource: &str) -> anyhow::Result<Vec<Value>> {
        self.list(&format!("links/{link}/resources/{resource}"))
            .await
    }

    /// Adds transactions, all on one day, `YYYY-MM-DD`, or spread over the link's days; returns
    /// their ids.
    pub async fn add_rows(
        &self,
        link: &str,
        count: usize,
        day: Option<&str>,
    ) -> anyhow::Result<Vec<String>> {
        let rows = json!({ "count": count, "date": day });
        self.add(&format!("links/{link}/transactions"), rows).await
    }

    /// Changes fields of a row, of whatever resource.
    pub async fn patch_row(&self, link: &str, row: &str, fields: Value) -> anyhow::Result<()> {
        self.patch(&row_path(link, row), fields).await
    }

    /// Adds a row of a resource as given, or puts it in the place of the one with its id.
    pub async fn put_row(&self, link: &str, resource: &str, row: Value) -> anyhow::Result<()> {
        let id = id(&row)?;
        let path = format!("links/{link}/resources/{resource}/{id}");
        self.call(Method::PUT, &path, row).await.map(drop)
    }

    /// Deletes a row, of whatever resource.
    pub async fn delete_row(&self, link: &str, row: &str) -> anyhow::Result<()> {
        let path = row_path(link, row);
        self.call(Method::DELETE, &path, None).await.map(drop)
    }

    /// Restores a deleted row, of whatever resource.
    pub async fn restore_row(&self, link: &str, row: &str) -> anyhow::Result<()> {
        let path = row_path(link, row);
        self.call(Method::POST, &path, None).await.map(drop)
    }

    /// Adds a rule of misbehaviour.
    pub async fn rule(&self, rule: Value) -> anyhow::Result<()> {
        self.call(Method::POST, "rules", rule).await.map(drop)
    }

    /// Removes all rules.
    pub async fn forget_rules(&self) -> anyhow::Result<()> {
        self.call(Method::DELETE, "rules", None).await.map(drop)
    }

    /// Sets how many requests the firewall admits in 30 seconds; `None` lifts the limit.
    pub async fn limit_requests(&self, requests_per_30_s: Option<u32>) -> anyhow::Result<()> {
        let limit = json!({ "requests_per_30_s": requests_per_30_s });
        self.call(Method::PUT, "rate", limit).await.map(drop)
    }

    /// What the firewall has counted.
    pub async fn rate(&self) -> anyhow::Result<Rate> {
        let rate = self.call(Method::GET, "rate", None).await?;
        Ok(serde_json::from_value(rate)?)
    }

    /// How often each thing happened, in total and per link.
    pub async fn counters(&self) -> anyhow::Result<Value> {
        self.call(Method::GET, "counters", None).await
    }

    /// Every call, retrieval and delivery.
    pub async fn log(&self) -> anyhow::Result<Value> {
        self.call(Method::GET, "log", None).await
    }

    async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        match self.call(Method::GET, path, None).await? {
            // Not by `from_value`, which reads 637558402205292.3 as 637558402205292.2.
            Value::Array(list) => Ok(list),
            other => bail!("no list is at {path}: {other}"),
        }
    }

    async fn add(&self, path: &str, new: Value) -> anyhow::Result<Vec<String>> {
        let mut added = self.call(Method::POST, path, new).await?;
        Ok(serde_json::from_value(added["ids"].take())?)
    }

    async fn patch(&self, path: &str, fields: Value) -> anyhow::Result<()> {
        self.call(Method::PATCH, path, fields).await.map(drop)
    }
}

/// Where a row is: its id is enough, so one path does for the rows of all resources.
fn row_path(link: &str, row: &str) -> String {
    format!("links/{link}/transactions/{row}")
}

fn id(of: &Value) -> anyhow::Result<String> {
    let id = of["id"].as_str().context("there is no id")?;
    Ok(id.to_owned())
}
