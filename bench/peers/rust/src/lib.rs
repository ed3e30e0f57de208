//! What the functions share: secrets, answers and times; for `request` and `collect` also Belvo's
//! API and the record of a retrieval.

mod belvo;
mod record;

use std::{env, num::NonZeroUsize, time::Duration};

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_secretsmanager_caching::SecretsManagerCachingClient;
use chrono::{DateTime, SecondsFormat, Utc};
use lambda_http::{Error, Response, http::header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::{
    belvo::{Belvo, Row},
    record::{Record, item, object},
};

/// A secret is read again after this time.
const GREATEST_AGE: Duration = Duration::from_mins(5);

/// An environment variable, or an error that names it.
#[expect(
    clippy::disallowed_methods,
    reason = "the rule is for the functions that are shipped"
)]
pub fn variable(name: &str) -> Result<String, Error> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}

/// The configuration of the AWS clients of `request` and `collect`.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .read_timeout(Duration::from_secs(5))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .load()
        .await
}

/// A secret that holds a JSON document.
pub struct Secret {
    client: SecretsManagerCachingClient,
    arn: String,
}

impl Secret {
    pub async fn new(config: &SdkConfig, arn: String) -> Result<Self, Error> {
        let client = aws_sdk_secretsmanager::config::Builder::from(config);
        let client = SecretsManagerCachingClient::from_builder(
            client,
            NonZeroUsize::MIN,
            GREATEST_AGE,
            false,
        );
        Ok(Self {
            client: client.await?,
            arn,
        })
    }

    /// The document, at most five minutes old.
    pub async fn get<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let value = self.client.get_secret_value(&self.arn, None, None, false);
        let value = value.await.map_err(|error| error.to_string())?;
        let text = value.secret_string.ok_or("the secret has no text")?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// An answer in JSON.
pub fn answer(status: u16, body: &Value) -> Result<Response<String>, Error> {
    let answer = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json");
    Ok(answer.body(body.to_string())?)
}

/// An instant as it is stored: in UTC, with milliseconds.
#[must_use]
pub fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// An id as records have it: without hyphens, in lower case.
#[must_use]
pub fn plain_id(id: &str) -> String {
    id.replace('-', "").to_lowercase()
}
