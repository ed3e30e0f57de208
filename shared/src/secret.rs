//! Secrets: read once per execution environment, read again after a rotation, and never printed.

use std::{
    fmt,
    time::{Duration, Instant},
};

use aws_sdk_secretsmanager::{error::SdkError, operation::get_secret_value::GetSecretValueError};
use serde::{Deserialize, de::DeserializeOwned};
use subtle::ConstantTimeEq;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::aws::SdkConfig;

/// At most one extra read per this span, however often callers suspect a rotation: a stranger who keeps sending wrong
/// webhooks must not turn them into calls to Secrets Manager.
const LEAST_AGE: Duration = Duration::from_secs(30);

/// Text that cannot be printed: its `Debug` shows nothing of it, and it has no `Display`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// The text, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `candidate` is this text, in a time that does not depend on where they differ. The empty secret matches
    /// nothing.
    #[must_use]
    pub fn matches(&self, candidate: &[u8]) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(candidate))
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// Why a secret could not be had. The value appears in no variant.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The secret exists but nobody has put a value into it, or it does not exist.
    #[error("the secret {0} has no value; put one with `aws secretsmanager put-secret-value`")]
    Empty(String),
    /// The value is not the JSON document that is expected.
    #[error("the secret {0} is not the JSON document that docs and template describe")]
    Malformed(String),
    /// Secrets Manager did not answer.
    #[error("the secret {0} could not be read")]
    Unavailable(String, #[source] Box<SdkError<GetSecretValueError>>),
}

/// A secret in Secrets Manager, holding a JSON document of type `T`.
pub struct CachedSecret<T> {
    client: aws_sdk_secretsmanager::Client,
    arn: String,
    least_age: Duration,
    cache: Mutex<Option<(Instant, T)>>,
}

impl<T: DeserializeOwned + Clone> CachedSecret<T> {
    /// A secret that is read when it is first needed.
    #[must_use]
    pub fn new(aws: &SdkConfig, arn: String) -> Self {
        Self { client: aws_sdk_secretsmanager::Client::new(aws), arn, least_age: LEAST_AGE, cache: Mutex::new(None) }
    }

    /// The same secret, read again after a suspicion if the known value is this old; 30 seconds unless said.
    #[must_use]
    pub fn with_least_age(self, least_age: Duration) -> Self {
        Self { least_age, ..self }
    }

    /// The value, read at most once per execution environment.
    pub async fn get(&self) -> Result<T, SecretError> {
        let mut cache = self.cache.lock().await;
        if let Some((_, value)) = &*cache {
            return Ok(value.clone());
        }
        self.read_into(&mut cache).await
    }

    /// The value as it is now, for a caller whom the known value failed: a rotation may have replaced it. `None` if it
    /// was read a moment ago.
    pub async fn reread(&self) -> Result<Option<T>, SecretError> {
        let mut cache = self.cache.lock().await;
        if cache.as_ref().is_some_and(|(read_at, _)| read_at.elapsed() < self.least_age) {
            return Ok(None);
        }
        self.read_into(&mut cache).await.map(Some)
    }

    async fn read_into(&self, cache: &mut Option<(Instant, T)>) -> Result<T, SecretError> {
        let answer = self.client.get_secret_value().secret_id(&self.arn).send().await.map_err(|error| {
            match error.as_service_error() {
                Some(GetSecretValueError::ResourceNotFoundException(_)) => SecretError::Empty(self.arn.clone()),
                _ => SecretError::Unavailable(self.arn.clone(), Box::new(error)),
            }
        })?;
        let text = answer.secret_string().ok_or_else(|| SecretError::Empty(self.arn.clone()))?;
        let value: T = serde_json::from_str(text).map_err(|_| SecretError::Malformed(self.arn.clone()))?;
        *cache = Some((Instant::now(), value.clone()));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", SecretText::from("Bearer abc")), "SecretText(..)");
    }

    #[test]
    fn a_secret_matches_itself_only() {
        let secret = SecretText::from("Bearer abc");
        assert!(secret.matches(b"Bearer abc"));
        assert!(!secret.matches(b"Bearer abd"));
        assert!(!secret.matches(b"Bearer ab"));
        assert!(!secret.matches(b"bearer abc"));
    }

    #[test]
    fn an_empty_secret_matches_nothing() {
        assert!(!SecretText::from("").matches(b""));
    }
}
