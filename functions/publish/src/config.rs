//! The function's environment, which template.yaml sets.

use shared::env::{EnvError, Environment};

#[derive(Debug)]
pub struct Config {
    /// The bus that events are put on.
    pub event_bus_name: String,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, EnvError> {
        Self::read(&Environment::of_process())
    }

    fn read(environment: &Environment<'_>) -> Result<Self, EnvError> {
        Ok(Self {
            event_bus_name: environment.text("EVENT_BUS_NAME")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read() {
        let config = Config::read(&Environment::new(&|name| Some(name.to_owned()))).unwrap();
        assert_eq!(config.event_bus_name, "EVENT_BUS_NAME");
        let error = Config::read(&Environment::new(&|_| None)).unwrap_err();
        assert_eq!(error, EnvError::Missing("EVENT_BUS_NAME"));
    }
}
