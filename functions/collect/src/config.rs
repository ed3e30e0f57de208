//! The function's environment, which template.yaml sets.

use domain::{Deadlines, ScrubPeriod, UnknownLinks};
use shared::env::{EnvError, Environment};
use url::Url;

#[derive(Debug)]
pub struct Config {
    /// Root of Belvo's API.
    pub belvo_base_url: Url,
    /// Secret that holds Belvo's API keys.
    pub belvo_secret_arn: String,
    pub requests_table: String,
    pub transactions_table: String,
    pub queue_url: String,
    pub dead_letter_queue_url: String,
    /// Receives after which a message is dead-lettered.
    pub attempts: u32,
    /// The longest time a message waits before it is retried, in seconds.
    pub longest_retry_s: u32,
    /// Requests that one environment sends to Belvo in any 30 seconds.
    pub belvo_calls_per_30_s: u32,
    pub deadlines: Deadlines,
    pub scrubs: ScrubPeriod,
    pub unknown_links: UnknownLinks,
    /// Days for which entries of the change log are kept.
    pub changes_days: u32,
    /// Days for which webhooks are kept.
    pub webhook_retention_days: u32,
    /// Days for which requests of erased links are kept.
    pub request_retention_days: u32,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvError> {
        Self::read(&Environment::of_process())
    }

    fn read(environment: &Environment<'_>) -> Result<Self, EnvError> {
        Ok(Self {
            belvo_base_url: environment.origin("BELVO_BASE_URL")?,
            belvo_secret_arn: environment.text("BELVO_SECRET_ARN")?,
            requests_table: environment.text("REQUESTS_TABLE")?,
            transactions_table: environment.text("TRANSACTIONS_TABLE")?,
            queue_url: environment.text("QUEUE_URL")?,
            dead_letter_queue_url: environment.text("DEAD_LETTER_QUEUE_URL")?,
            attempts: environment.number("ATTEMPTS")?,
            longest_retry_s: environment.number("LONGEST_RETRY_S")?,
            belvo_calls_per_30_s: environment.number("BELVO_CALLS_PER_30_S")?,
            deadlines: Deadlines {
                due_s: environment.number("REQUEST_DUE_S")?,
                expires_s: environment.number("REQUEST_EXPIRES_S")?,
            },
            scrubs: ScrubPeriod::of_days(environment.number("SCRUB_DAYS")?),
            unknown_links: environment.unknown_links()?,
            changes_days: environment.number("CHANGES_DAYS")?,
            webhook_retention_days: environment.number("WEBHOOK_RETENTION_DAYS")?,
            request_retention_days: environment.number("REQUEST_RETENTION_DAYS")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "has the shape of the environment")]
    fn variable(name: &'static str) -> Option<String> {
        let value = match name {
            "BELVO_BASE_URL" => "https://sandbox.belvo.com",
            "ATTEMPTS" | "BELVO_CALLS_PER_30_S" => "30",
            "LONGEST_RETRY_S" => "900",
            "REQUEST_DUE_S" => "1800",
            "REQUEST_EXPIRES_S" => "86400",
            "SCRUB_DAYS" => "7",
            "UNKNOWN_LINKS" => "hold",
            "CHANGES_DAYS" => "90",
            "WEBHOOK_RETENTION_DAYS" => "60",
            "REQUEST_RETENTION_DAYS" => "45",
            name => name,
        };
        Some(value.to_owned())
    }

    #[test]
    fn the_environment_is_read() {
        let config = Config::read(&Environment::new(&variable)).unwrap();
        assert_eq!(config.transactions_table, "TRANSACTIONS_TABLE");
        assert_eq!((config.attempts, config.deadlines.due_s), (30, 1_800));
        assert_eq!(config.scrubs, ScrubPeriod::of_days(7));
        assert_eq!(config.unknown_links, UnknownLinks::Hold);
        assert_eq!(config.changes_days, 90);
        assert_eq!(config.webhook_retention_days, 60);
        assert_eq!(config.request_retention_days, 45);
    }

    #[test]
    fn a_missing_variable_is_named() {
        for missing in [
            "BELVO_BASE_URL",
            "BELVO_SECRET_ARN",
            "REQUESTS_TABLE",
            "TRANSACTIONS_TABLE",
            "QUEUE_URL",
        ] {
            let without = |name| variable(name).filter(|_| name != missing);
            let error = Config::read(&Environment::new(&without)).unwrap_err();
            assert_eq!(error, EnvError::Missing(missing));
        }
    }
}
