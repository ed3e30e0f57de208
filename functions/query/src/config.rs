//! The function's environment, which template.yaml sets.

use domain::Limits;
use shared::env::{EnvError, Environment};

#[derive(Debug)]
pub struct Config {
    pub requests_table: String,
    pub transactions_table: String,
    pub limits: Limits,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvError> {
        Self::read(&Environment::of_process())
    }

    fn read(environment: &Environment<'_>) -> Result<Self, EnvError> {
        Ok(Self {
            requests_table: environment.text("REQUESTS_TABLE")?,
            transactions_table: environment.text("TRANSACTIONS_TABLE")?,
            limits: environment.limits()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "has the shape of the environment")]
    fn variable(name: &'static str) -> Option<String> {
        let is_limit = name.ends_with("_PER_MONTH");
        Some(if is_limit { "8" } else { name }.to_owned())
    }

    #[test]
    fn the_environment_is_read() {
        let config = Config::read(&Environment::new(&variable)).unwrap();
        assert_eq!(config.transactions_table, "TRANSACTIONS_TABLE");
        assert_eq!((config.limits.long, config.limits.short), (8, 8));
    }

    #[test]
    fn a_missing_variable_is_named() {
        let without = |name| variable(name).filter(|_| name != "TRANSACTIONS_TABLE");
        let error = Config::read(&Environment::new(&without)).unwrap_err();
        assert_eq!(error, EnvError::Missing("TRANSACTIONS_TABLE"));
    }
}
