//! Belvo's API.

use std::time::Duration;

use aws_config::SdkConfig;
use lambda_http::Error;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url, header::RETRY_AFTER, redirect::Policy,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::sleep;

use crate::{Secret, variable};

/// Only reading is repeated: a POST that is sent twice may cost two retrievals.
const READS: u32 = 4;
const PASSING: [u16; 4] = [429, 502, 503, 504];

/// A row as Belvo sends it.
pub type Row = Map<String, Value>;

pub struct Belvo {
    http: Client,
    transactions: Url,
    keys: Secret,
}

/// User and password of the Basic authentication.
#[derive(Deserialize)]
struct Keys {
    secret_id: String,
    secret_password: String,
}

/// A page of a listing.
#[derive(Deserialize)]
struct Page {
    next: Option<String>,
    results: Vec<Row>,
}

impl Belvo {
    /// A client for the API that the environment names.
    pub async fn from_env(config: &SdkConfig) -> Result<Self, Error> {
        let http = Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30))
            .redirect(Policy::none())
            .build()?;
        let base = Url::parse(&variable("BELVO_BASE_URL")?)?;
        Ok(Self {
            http,
            transactions: base.join("/api/transactions/")?,
            keys: Secret::new(config, variable("BELVO_SECRET_ARN")?).await?,
        })
    }

    /// Reads the keys, so that the first invocation finds them.
    pub async fn warm_up(&self) -> Result<(), Error> {
        self.keys.get::<Keys>().await.map(|_| ())
    }

    /// Asks for a retrieval in the asynchronous mode.
    pub async fn retrieve(&self, retrieval: &Value) -> Result<Response, Error> {
        let request = self.http.post(self.transactions.clone()).json(retrieval);
        self.send(request.header("X-Belvo-Request-Mode", "async"))
            .await
    }

    /// The address of a link's first page, of all days or since one.
    #[must_use]
    pub fn listing(&self, link: &str, since: Option<&str>) -> Url {
        let mut url = self.transactions.clone();
        url.query_pairs_mut()
            .append_pair("link", link)
            .append_pair("page_size", "1000")
            .extend_pairs(since.map(|day| ("value_date__gte", day)));
        url
    }

    /// The rows of a page, with amounts as exact as Belvo writes them, and the next page's address.
    pub async fn page(&self, url: Url) -> Result<(Vec<Row>, Option<Url>), Error> {
        // A body must not choose where the keys are sent.
        if url.origin() != self.transactions.origin() {
            return Err("Belvo's next page is on another host".into());
        }
        let Page { next, results } = self.read(url).await?.json().await?;
        let next = next.map(|next| Url::parse(&next)).transpose()?;
        Ok((results, next))
    }

    async fn read(&self, url: Url) -> Result<Response, Error> {
        let mut attempt = 1;
        loop {
            let response = self.send(self.http.get(url.clone())).await?;
            let status = response.status();
            if status == StatusCode::OK {
                return Ok(response);
            }
            if attempt == READS || !PASSING.contains(&status.as_u16()) {
                return Err(format!("Belvo answered {status}").into());
            }
            sleep(pause(&response, attempt)).await;
            attempt += 1;
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let keys: Keys = self.keys.get().await?;
        let request = request.basic_auth(keys.secret_id, Some(keys.secret_password));
        Ok(request.send().await?)
    }
}

/// How long to wait before a page is read again: as Belvo says, or longer and longer.
fn pause(response: &Response, attempt: u32) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER);
    let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(
        Duration::from_millis(500) * 2_u32.pow(attempt),
        Duration::from_secs,
    )
}
