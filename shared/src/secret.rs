//! Secrets: read once per execution environment, read again after a rotation, and never printed.

use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::{error::SdkError, operation::get_secret_value::GetSecretValueError};
pub use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::aws::SdkConfig;

/// A value is read again after this time, so that a withdrawn one is not trusted for longer.
const GREATEST_AGE: Duration = Duration::from_mins(5);
/// At most one extra read in this time, however often callers suspect a rotation: a stranger who
/// keeps sending wrong webhooks must not cause as many calls to Secrets Manager.
const LEAST_AGE: Duration = Duration::from_secs(30);

/// Whether `candidate` is the secret, in a time that does not depend on where they differ. The
/// empty secret matches nothing.
#[must_use]
pub fn matches(secret: &SecretString, candidate: &[u8]) -> bool {
    let secret = secret.expose_secret().as_bytes();
    !secret.is_empty() && bool::from(secret.ct_eq(candidate))
}

/// Why a secret could not be read. The value appears in no variant.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The secret has no value yet, or does not exist.
    #[error("the secret {0} has no value; put one with `aws secretsmanager put-secret-value`")]
    Empty(String),
    /// The value is not the expected JSON document.
    #[error("the secret {0} is not the JSON document that README.md describes")]
    Malformed(String),
    #[error("the secret {0} could not be read")]
    Unavailable(String, #[source] Box<SdkError<GetSecretValueError>>),
}

/// A secret in Secrets Manager, holding a JSON document of type `T`.
pub struct CachedSecret<T> {
    client: aws_sdk_secretsmanager::Client,
    arn: String,
    /// A value is not read again before this age, even if a rotation is suspected.
    least_age: Duration,
    /// A value is always read again after this age.
    greatest_age: Duration,
    cache: Mutex<Option<(Instant, Version<T>)>>,
}

/// One version of a secret.
#[derive(Clone)]
pub struct Version<T> {
    pub value: T,
    id: String,
}

impl<T: DeserializeOwned + Clone> CachedSecret<T> {
    /// A secret that is read when it is first needed.
    #[must_use]
    pub fn new(aws: &SdkConfig, arn: String) -> Self {
        Self {
            client: aws_sdk_secretsmanager::Client::new(aws),
            arn,
            least_age: LEAST_AGE,
            greatest_age: GREATEST_AGE,
            cache: Mutex::new(None),
        }
    }

    /// The same secret, read again no sooner than `least_age` and no later than `greatest_age`.
    #[must_use]
    pub fn with_ages(self, least_age: Duration, greatest_age: Duration) -> Self {
        Self {
            least_age,
            greatest_age,
            ..self
        }
    }

    /// The value, at most a few minutes old; an older one only while Secrets Manager does not
    /// answer.
    pub async fn get(&self) -> Result<Version<T>, SecretError> {
        let mut cache = self.cache.lock().await;
        match cache.as_ref() {
            Some((read_at, known)) if read_at.elapsed() < self.greatest_age => Ok(known.clone()),
            Some((_, known)) => {
                let known = known.clone();
                Ok(self.read_into(&mut cache).await.unwrap_or(known))
            }
            None => self.read_into(&mut cache).await,
        }
    }

    /// A version newer than `failed`, if the secret was rotated since that was read. `None` if it
    /// was not, or if it was just read again.
    pub async fn newer_than(&self, failed: &Version<T>) -> Result<Option<Version<T>>, SecretError> {
        let mut cache = self.cache.lock().await;
        let known = match cache.as_ref() {
            Some((read_at, known))
                if known.id != failed.id || read_at.elapsed() < self.least_age =>
            {
                known.clone()
            }
            _ => self.read_into(&mut cache).await?,
        };
        Ok((known.id != failed.id).then_some(known))
    }

    async fn read_into(
        &self,
        cache: &mut Option<(Instant, Version<T>)>,
    ) -> Result<Version<T>, SecretError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.arn)
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(GetSecretValueError::ResourceNotFoundException(_)) => {
                    SecretError::Empty(self.arn.clone())
                }
                _ => SecretError::Unavailable(self.arn.clone(), Box::new(error)),
            })?;
        let text = answer
            .secret_string()
            .ok_or_else(|| SecretError::Empty(self.arn.clone()))?;
        let value: T =
            serde_json::from_str(text).map_err(|_| SecretError::Malformed(self.arn.clone()))?;
        let version = Version {
            value,
            id: answer.version_id.unwrap_or_default(),
        };
        *cache = Some((Instant::now(), version.clone()));
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[test]
    fn a_secret_is_not_printed() {
        let printed = format!("{:?}", secret("Bearer abc"));
        assert!(!printed.contains("Bearer"), "{printed}");
    }

    #[test]
    fn a_secret_matches_itself_only() {
        let known = secret("Bearer abc");
        assert!(matches(&known, b"Bearer abc"));
        for candidate in [&b"Bearer abd"[..], b"Bearer ab", b"bearer abc", b""] {
            assert!(!matches(&known, candidate));
        }
    }

    #[test]
    fn an_empty_secret_matches_nothing() {
        assert!(!matches(&secret(""), b""));
    }
}
