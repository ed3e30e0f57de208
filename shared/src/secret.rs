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
/// At most one read in this time while a value is known, however often callers suspect a rotation,
/// and whether or not Secrets Manager answers: a stranger who keeps sending wrong webhooks must not
/// cause as many calls to it, nor must every call wait for it while it hangs.
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
    cache: Mutex<Option<Known<T>>>,
}

/// A version that was read.
struct Known<T> {
    read_at: Instant,
    /// When it was last tried to read another one.
    tried_at: Instant,
    version: Version<T>,
}

/// What there is after a version that was not accepted.
pub enum Newer<T> {
    /// The secret was rotated since that was read.
    Version(Version<T>),
    /// It was not.
    Same,
    /// It may have been: it is not read again for this long.
    TooSoon(Duration),
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
        let Some(known) = cache.as_ref() else {
            return self.read_into(&mut cache).await;
        };
        let version = known.version.clone();
        let is_fresh = known.read_at.elapsed() < self.greatest_age;
        if is_fresh || known.tried_at.elapsed() < self.least_age {
            return Ok(version);
        }
        match self.read_into(&mut cache).await {
            Err(SecretError::Unavailable(..)) => Ok(version),
            outcome => outcome,
        }
    }

    /// A version newer than `failed`, if the secret was rotated since that was read.
    pub async fn newer_than(&self, failed: &Version<T>) -> Result<Newer<T>, SecretError> {
        let mut cache = self.cache.lock().await;
        if let Some(known) = cache.as_ref() {
            if known.version.id != failed.id {
                return Ok(Newer::Version(known.version.clone()));
            }
            let wait = self.least_age.saturating_sub(known.tried_at.elapsed());
            if !wait.is_zero() {
                return Ok(Newer::TooSoon(wait));
            }
        }
        let version = self.read_into(&mut cache).await?;
        Ok(if version.id == failed.id {
            Newer::Same
        } else {
            Newer::Version(version)
        })
    }

    async fn read_into(&self, cache: &mut Option<Known<T>>) -> Result<Version<T>, SecretError> {
        if let Some(known) = cache {
            known.tried_at = Instant::now();
        }
        let version = self.read().await?;
        let now = Instant::now();
        *cache = Some(Known {
            read_at: now,
            tried_at: now,
            version: version.clone(),
        });
        Ok(version)
    }

    async fn read(&self) -> Result<Version<T>, SecretError> {
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
        Ok(Version {
            value,
            id: answer.version_id.unwrap_or_default(),
        })
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
