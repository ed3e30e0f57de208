//! The environment of the functions, read once at cold start by this module alone. A missing or
//! malformed variable ends the start and is named.

use std::net::IpAddr;

use lambda_http::{http::StatusCode, tracing::subscriber::filter::LevelFilter};
use thiserror::Error;
use url::Url;

use crate::domain::Limits;

/// A variable that keeps a function from starting.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The variable is not set, or empty.
    #[error("the environment variable {0} is not set; Lambda or template.yaml sets it")]
    Missing(&'static str),
    /// The variable is set to something unusable.
    #[error("the environment variable {name} {reason}")]
    Invalid {
        /// Name of the variable.
        name: &'static str,
        /// What it must be.
        reason: &'static str,
    },
}

/// Environment of `request`.
#[derive(Debug)]
pub struct RequestConfig {
    /// Root of Belvo's API.
    pub belvo_base_url: Url,
    /// Secret that holds Belvo's API keys.
    pub belvo_secret_arn: String,
    /// Table of requests.
    pub requests_table: String,
    /// FIFO queue of webhooks.
    pub queue_url: String,
    /// Retrievals of a link in a month.
    pub limits: Limits,
    /// Seconds after which a request is looked after if no webhook has come.
    pub request_due_s: u32,
    /// The hosted Connect Widget.
    pub widget_url: Url,
}

/// Environment of `webhook`.
#[derive(Debug)]
pub struct WebhookConfig {
    /// Secret that holds the authorization Belvo sends.
    pub webhook_secret_arn: String,
    /// FIFO queue of webhooks.
    pub queue_url: String,
    /// Status of an acknowledgement: 200 or 202. Belvo's pages disagree on whether only 200 stops
    /// its retries.
    pub ack_status: StatusCode,
    /// Addresses that may send webhooks; none listed means any.
    pub allowed_source_ips: Vec<IpAddr>,
}

/// Environment of `collect`.
#[derive(Debug)]
pub struct CollectConfig {
    /// Root of Belvo's API.
    pub belvo_base_url: Url,
    /// Secret that holds Belvo's API keys.
    pub belvo_secret_arn: String,
    /// Table of requests.
    pub requests_table: String,
    /// Table of transactions and accounts.
    pub transactions_table: String,
    /// FIFO queue of webhooks.
    pub queue_url: String,
    /// Where messages go that are given up.
    pub dead_letter_queue_url: String,
    /// Receives after which a message is given up.
    pub attempts: u32,
    /// The longest time a message waits before it is tried again, in seconds.
    pub longest_retry_s: u32,
    /// Pages that one environment reads from Belvo in any 30 seconds.
    pub pages_per_30_s: u32,
    /// A listing of more rows is fetched in parts.
    pub rows_per_part: u32,
    /// Seconds after which a request is looked after if no webhook has come.
    pub request_due_s: u32,
    /// Seconds after which a request expires that Belvo has no rows for.
    pub request_expires_s: u32,
}

/// Environment of `query`.
#[derive(Debug)]
pub struct QueryConfig {
    /// Table of requests.
    pub requests_table: String,
    /// Table of transactions and accounts.
    pub transactions_table: String,
    /// Retrievals of a link in a month.
    pub limits: Limits,
}

/// Where the AWS clients of every function find AWS.
#[derive(Debug)]
pub(crate) struct AwsConfig {
    /// `AWS_REGION`, which Lambda sets ("Lambda environment variables", AWS Lambda developer
    /// guide).
    pub(crate) region: String,
    /// `AWS_ENDPOINT_URL`, in place of AWS's own endpoints, which a local AWS sets
    /// ("Service-specific endpoints", AWS SDKs and tools reference guide).
    pub(crate) endpoint_url: Option<String>,
}

impl AwsConfig {
    /// Reads the process's environment.
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        Self::read(&process_environment)
    }

    fn read(env: Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            region: text(env, "AWS_REGION")?,
            endpoint_url: text(env, "AWS_ENDPOINT_URL").ok(),
        })
    }
}

impl RequestConfig {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&process_environment)
    }

    fn read(env: Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            belvo_base_url: belvo_base_url(env)?,
            belvo_secret_arn: text(env, "BELVO_SECRET_ARN")?,
            requests_table: text(env, "REQUESTS_TABLE")?,
            queue_url: text(env, "QUEUE_URL")?,
            limits: limits(env)?,
            request_due_s: number(env, "REQUEST_DUE_S")?,
            widget_url: safe_url(env, "WIDGET_URL")?,
        })
    }
}

impl WebhookConfig {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&process_environment)
    }

    fn read(env: Environment<'_>) -> Result<Self, ConfigError> {
        let ack_status = match text(env, "ACK_STATUS")?.as_str() {
            "200" => StatusCode::OK,
            "202" => StatusCode::ACCEPTED,
            _ => {
                return Err(ConfigError::Invalid {
                    name: "ACK_STATUS",
                    reason: "must be 200 or 202",
                });
            }
        };
        let invalid_ips = ConfigError::Invalid {
            name: "ALLOWED_SOURCE_IPS",
            reason: "must be IP addresses separated by commas, or empty",
        };
        let allowed_source_ips = env("ALLOWED_SOURCE_IPS")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|ip| !ip.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| invalid_ips)?;
        Ok(Self {
            webhook_secret_arn: text(env, "WEBHOOK_SECRET_ARN")?,
            queue_url: text(env, "QUEUE_URL")?,
            ack_status,
            allowed_source_ips,
        })
    }
}

impl CollectConfig {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&process_environment)
    }

    fn read(env: Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            belvo_base_url: belvo_base_url(env)?,
            belvo_secret_arn: text(env, "BELVO_SECRET_ARN")?,
            requests_table: text(env, "REQUESTS_TABLE")?,
            transactions_table: text(env, "TRANSACTIONS_TABLE")?,
            queue_url: text(env, "QUEUE_URL")?,
            dead_letter_queue_url: text(env, "DEAD_LETTER_QUEUE_URL")?,
            attempts: number(env, "ATTEMPTS")?,
            longest_retry_s: number(env, "LONGEST_RETRY_S")?,
            pages_per_30_s: number(env, "PAGES_PER_30_S")?,
            rows_per_part: number(env, "ROWS_PER_PART")?,
            request_due_s: number(env, "REQUEST_DUE_S")?,
            request_expires_s: number(env, "REQUEST_EXPIRES_S")?,
        })
    }
}

impl QueryConfig {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&process_environment)
    }

    fn read(env: Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            requests_table: text(env, "REQUESTS_TABLE")?,
            transactions_table: text(env, "TRANSACTIONS_TABLE")?,
            limits: limits(env)?,
        })
    }
}

/// The certificate, in PEM, of the authority that a benchmark trusts besides; empty where it speaks
/// no TLS.
#[cfg(feature = "measured")]
pub(crate) fn bench_authority() -> Vec<u8> {
    process_environment("BENCH_AUTHORITY")
        .and_then(|file| std::fs::read(file).ok())
        .unwrap_or_default()
}

/// The least severe level to log: `LOG_LEVEL`, or `INFO`.
#[must_use]
pub fn log_level() -> LevelFilter {
    process_environment("LOG_LEVEL")
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO)
}

type Environment<'a> = &'a dyn Fn(&'static str) -> Option<String>;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn process_environment(name: &'static str) -> Option<String> {
    std::env::var(name).ok()
}

fn text(env: Environment<'_>, name: &'static str) -> Result<String, ConfigError> {
    env(name)
        .filter(|value| !value.is_empty())
        .ok_or(ConfigError::Missing(name))
}

fn limits(env: Environment<'_>) -> Result<Limits, ConfigError> {
    Ok(Limits {
        long: number(env, "LONG_RETRIEVALS_PER_MONTH")?,
        short: number(env, "SHORT_RETRIEVALS_PER_MONTH")?,
    })
}

fn number(env: Environment<'_>, name: &'static str) -> Result<u32, ConfigError> {
    text(env, name)?.parse().map_err(|_| ConfigError::Invalid {
        name,
        reason: "must be a number",
    })
}

/// Belvo's API: an origin.
fn belvo_base_url(env: Environment<'_>) -> Result<Url, ConfigError> {
    const NAME: &str = "BELVO_BASE_URL";
    let url = safe_url(env, NAME)?;
    if url.path() == "/" {
        Ok(url)
    } else {
        Err(ConfigError::Invalid {
            name: NAME,
            reason: "must have no path",
        })
    }
}

/// Belvo is spoken to over TLS; plain HTTP is for a sandbox on this machine.
fn safe_url(env: Environment<'_>, name: &'static str) -> Result<Url, ConfigError> {
    let invalid = || ConfigError::Invalid {
        name,
        reason: "must be an https:// URL without a query, or http:// on 127.0.0.1",
    };
    let url = Url::parse(&text(env, name)?).map_err(|_| invalid())?;
    let loopback = url
        .host_str()
        .is_some_and(|host| host == "127.0.0.1" || host == "localhost");
    let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    if safe && url.query().is_none() && url.username().is_empty() {
        Ok(url)
    } else {
        Err(invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "has the shape of the environment")]
    fn whole(name: &'static str) -> Option<String> {
        let value = match name {
            "BELVO_BASE_URL" => "https://sandbox.belvo.com",
            "WIDGET_URL" => "https://widget.belvo.io/",
            "ACK_STATUS" => "202",
            "PAGES_PER_30_S" => "36",
            "ROWS_PER_PART" => "10000",
            "REQUEST_DUE_S" => "1800",
            "REQUEST_EXPIRES_S" => "86400",
            "LONG_RETRIEVALS_PER_MONTH" => "8",
            "SHORT_RETRIEVALS_PER_MONTH" => "240",
            "ATTEMPTS" => "30",
            "LONGEST_RETRY_S" => "900",
            "ALLOWED_SOURCE_IPS" => "3.130.254.46, 18.220.61.186",
            _ => name,
        };
        Some(value.to_owned())
    }

    #[test]
    fn a_whole_environment_is_read() {
        assert_eq!(
            RequestConfig::read(&whole).unwrap().belvo_base_url.as_str(),
            "https://sandbox.belvo.com/"
        );
        assert_eq!(
            WebhookConfig::read(&whole)
                .unwrap()
                .allowed_source_ips
                .len(),
            2
        );
        assert_eq!(
            CollectConfig::read(&whole).unwrap().transactions_table,
            "TRANSACTIONS_TABLE"
        );
        assert_eq!(
            QueryConfig::read(&whole).unwrap().requests_table,
            "REQUESTS_TABLE"
        );
        assert_eq!(
            AwsConfig::read(&whole).unwrap().endpoint_url.as_deref(),
            Some("AWS_ENDPOINT_URL")
        );
    }

    #[test]
    fn a_missing_variable_is_named() {
        for missing in [
            "BELVO_SECRET_ARN",
            "REQUESTS_TABLE",
            "TRANSACTIONS_TABLE",
            "QUEUE_URL",
            "BELVO_BASE_URL",
        ] {
            let env = |name| whole(name).filter(|_| name != missing);
            assert_eq!(
                CollectConfig::read(&env).unwrap_err(),
                ConfigError::Missing(missing)
            );
        }
        let nothing = |_| None;
        assert_eq!(
            AwsConfig::read(&nothing).unwrap_err(),
            ConfigError::Missing("AWS_REGION")
        );
    }

    #[test]
    fn keys_are_not_sent_over_plain_http_to_another_machine() {
        let read = |url: &'static str| {
            belvo_base_url(&move |_| Some(url.to_owned())).map(|url| url.to_string())
        };
        assert_eq!(
            read("http://127.0.0.1:4000").unwrap(),
            "http://127.0.0.1:4000/"
        );
        for url in [
            "http://sandbox.belvo.com",
            "http://127.0.0.1.evil.example",
            "ftp://127.0.0.1",
            "https://a/b",
            "x",
        ] {
            assert!(read(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_malformed_setting_says_what_it_must_be() {
        let env = |name| {
            if name == "ACK_STATUS" {
                Some("204".to_owned())
            } else {
                whole(name)
            }
        };
        assert!(
            WebhookConfig::read(&env)
                .unwrap_err()
                .to_string()
                .contains("ACK_STATUS must be 200 or 202")
        );
        let env = |name| {
            if name == "ALLOWED_SOURCE_IPS" {
                Some("here".to_owned())
            } else {
                whole(name)
            }
        };
        assert!(
            WebhookConfig::read(&env)
                .unwrap_err()
                .to_string()
                .contains("ALLOWED_SOURCE_IPS")
        );
    }
}
