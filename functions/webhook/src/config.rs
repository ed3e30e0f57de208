//! The function's environment, which template.yaml sets.

use std::net::IpAddr;

use lambda_http::http::StatusCode;
use shared::env::{EnvError, Environment};

const ACK_STATUS: &str = "ACK_STATUS";
const ALLOWED_SOURCE_IPS: &str = "ALLOWED_SOURCE_IPS";

#[derive(Debug)]
pub struct Config {
    /// Secret that holds the authorization that Belvo sends.
    pub webhook_secret_arn: String,
    pub queue_url: String,
    /// Status of an acknowledgement: 200 or 202. Belvo's pages disagree on whether only 200 stops
    /// its retries.
    pub ack_status: StatusCode,
    /// Addresses that may send webhooks; none listed means any.
    pub allowed_source_ips: Vec<IpAddr>,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvError> {
        Self::read(&Environment::of_process())
    }

    fn read(environment: &Environment<'_>) -> Result<Self, EnvError> {
        Ok(Self {
            webhook_secret_arn: environment.text("WEBHOOK_SECRET_ARN")?,
            queue_url: environment.text("QUEUE_URL")?,
            ack_status: ack_status(environment)?,
            allowed_source_ips: allowed_source_ips(environment)?,
        })
    }
}

fn ack_status(environment: &Environment<'_>) -> Result<StatusCode, EnvError> {
    match environment.text(ACK_STATUS)?.as_str() {
        "200" => Ok(StatusCode::OK),
        "202" => Ok(StatusCode::ACCEPTED),
        _ => Err(EnvError::Invalid {
            name: ACK_STATUS,
            reason: "must be 200 or 202",
        }),
    }
}

fn allowed_source_ips(environment: &Environment<'_>) -> Result<Vec<IpAddr>, EnvError> {
    let list = environment.optional(ALLOWED_SOURCE_IPS).unwrap_or_default();
    let ips = list.split(',').map(str::trim).filter(|ip| !ip.is_empty());
    ips.map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| EnvError::Invalid {
            name: ALLOWED_SOURCE_IPS,
            reason: "must be IP addresses separated by commas, or empty",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ack_status: &str, ips: &str) -> Result<Config, EnvError> {
        let variable = |name| {
            let value = match name {
                ACK_STATUS => ack_status,
                ALLOWED_SOURCE_IPS => ips,
                name => name,
            };
            Some(value.to_owned())
        };
        Config::read(&Environment::new(&variable))
    }

    #[test]
    fn the_environment_is_read() {
        let config = read("202", "3.130.254.46, 18.220.61.186").unwrap();
        assert_eq!(config.queue_url, "QUEUE_URL");
        assert_eq!(
            (config.ack_status.as_u16(), config.allowed_source_ips.len()),
            (202, 2)
        );
        assert!(read("200", "").unwrap().allowed_source_ips.is_empty());
    }

    #[test]
    fn a_malformed_setting_says_what_it_must_be() {
        let error = |ack_status, ips| read(ack_status, ips).unwrap_err().to_string();
        assert!(error("204", "").contains("ACK_STATUS must be 200 or 202"));
        assert!(error("202", "here").contains("ALLOWED_SOURCE_IPS must be IP addresses"));
    }
}
