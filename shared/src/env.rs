//! Readers of a function's environment. Each function reads its own variables once, at cold start;
//! a missing or malformed one stops the start with an error that names it.

use domain::{Limits, UnknownLinks};
use thiserror::Error;
use url::Url;

/// A variable that keeps a function from starting.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EnvError {
    #[error("the environment variable {0} is not set; Lambda or template.yaml sets it")]
    Missing(&'static str),
    #[error("the environment variable {name} {reason}")]
    Invalid {
        name: &'static str,
        reason: &'static str,
    },
}

/// The variables of a process, or of a test.
pub struct Environment<'a>(&'a dyn Fn(&'static str) -> Option<String>);

impl Environment<'static> {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self(&process_variable)
    }
}

impl<'a> Environment<'a> {
    #[must_use]
    pub fn new(variable: &'a dyn Fn(&'static str) -> Option<String>) -> Self {
        Self(variable)
    }

    /// A variable that may be missing; an empty one is missing.
    #[must_use]
    pub fn optional(&self, name: &'static str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A required variable.
    pub fn text(&self, name: &'static str) -> Result<String, EnvError> {
        self.optional(name).ok_or(EnvError::Missing(name))
    }

    pub fn number(&self, name: &'static str) -> Result<u32, EnvError> {
        let invalid = EnvError::Invalid {
            name,
            reason: "must be a number",
        };
        self.text(name)?.parse().map_err(|_| invalid)
    }

    /// How many retrievals a month has.
    pub fn limits(&self) -> Result<Limits, EnvError> {
        Ok(Limits {
            long: self.number("LONG_RETRIEVALS_PER_MONTH")?,
            short: self.number("SHORT_RETRIEVALS_PER_MONTH")?,
        })
    }

    /// What becomes of webhooks about unknown links.
    pub fn unknown_links(&self) -> Result<UnknownLinks, EnvError> {
        let name = "UNKNOWN_LINKS";
        let reason = "must be collect or hold";
        UnknownLinks::parse(&self.text(name)?).ok_or(EnvError::Invalid { name, reason })
    }

    /// An address that is reached over TLS, or a plain HTTP server on this machine.
    pub fn url(&self, name: &'static str) -> Result<Url, EnvError> {
        let invalid = EnvError::Invalid {
            name,
            reason: "must be an https:// URL without a query, or http:// on 127.0.0.1",
        };
        Url::parse(&self.text(name)?)
            .ok()
            .filter(is_safe)
            .ok_or(invalid)
    }

    /// A URL as in [`Self::url`], without a path.
    pub fn origin(&self, name: &'static str) -> Result<Url, EnvError> {
        let url = self.url(name)?;
        if url.path() == "/" {
            Ok(url)
        } else {
            Err(EnvError::Invalid {
                name,
                reason: "must have no path",
            })
        }
    }
}

fn is_safe(url: &Url) -> bool {
    let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
    let is_encrypted = url.scheme() == "https" || (url.scheme() == "http" && is_local);
    is_encrypted && url.query().is_none() && url.username().is_empty()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn process_variable(name: &'static str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(value: &str, read: impl FnOnce(Environment<'_>) -> T) -> T {
        read(Environment::new(&|_| Some(value.to_owned())))
    }

    #[test]
    fn an_empty_variable_is_a_missing_one() {
        let empty = with("", |environment| environment.text("NAME"));
        assert_eq!(empty, Err(EnvError::Missing("NAME")));
    }

    #[test]
    fn a_malformed_variable_is_named() {
        let error = with("many", |environment| environment.number("NAME")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable NAME must be a number"
        );
    }

    #[test]
    fn keys_travel_encrypted_or_not_at_all() {
        let accepted = |url| with(url, |environment| environment.url("URL")).is_ok();
        assert!(accepted("https://sandbox.belvo.com"));
        assert!(accepted("http://127.0.0.1:8085/widget/"));
        for url in [
            "http://sandbox.belvo.com",
            "http://localhost.evil.example",
            "ftp://127.0.0.1",
            "https://user@sandbox.belvo.com",
            "https://sandbox.belvo.com?key=1",
            "sandbox.belvo.com",
        ] {
            assert!(!accepted(url), "{url}");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        let accepted = |url| with(url, |environment| environment.origin("URL")).is_ok();
        assert!(accepted("https://sandbox.belvo.com/"));
        assert!(!accepted("https://sandbox.belvo.com/api/"));
    }
}
