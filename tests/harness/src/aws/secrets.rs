//! Secrets Manager.

use std::sync::Mutex;

use serde_json::{Value, json};
use uuid::Uuid;

use super::lock;
use crate::Refusal;

/// The secret of Belvo's keys.
pub const BELVO_SECRET: &str = "belvo";
/// That of the webhook's authorization.
pub const WEBHOOK_SECRET: &str = "webhook";
/// What webhooks carry at first.
pub const AUTHORIZATION: &str = "Bearer simulated-0123456789abcdef-0123456789";

/// Both secrets, each with its version.
pub struct Secrets {
    belvo: Mutex<Secret>,
    webhook: Mutex<Secret>,
}

struct Secret {
    value: Value,
    version: Uuid,
}

impl Secret {
    fn new(value: Value) -> Mutex<Self> {
        let version = Uuid::new_v4();
        Mutex::new(Self { value, version })
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self::of(AUTHORIZATION)
    }
}

impl Secrets {
    /// The sandbox's keys, and this authorization.
    #[must_use]
    pub fn of(authorization: &str) -> Self {
        let keys = belvo_sandbox::Config::default();
        let belvo = json!({
            "secret_id": keys.secret_id,
            "secret_password": keys.secret_password,
        });
        Self {
            belvo: Secret::new(belvo),
            webhook: Secret::new(json!({ "current": authorization })),
        }
    }

    /// Answers `GetSecretValue`.
    pub fn value(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let request: Value = serde_json::from_slice(body)?;
        let secret = match request["SecretId"].as_str() {
            Some(BELVO_SECRET) => &self.belvo,
            Some(WEBHOOK_SECRET) => &self.webhook,
            _ => return Err(Refusal::unsupported("another secret")),
        };
        let secret = lock(secret);
        let answer = json!({
            "ARN": request["SecretId"],
            "Name": request["SecretId"],
            "SecretString": secret.value.to_string(),
            "VersionId": secret.version.to_string(),
        });
        Ok(serde_json::to_vec(&answer)?)
    }

    /// Puts the same keys of Belvo's as a new version.
    pub fn put_keys_again(&self) {
        lock(&self.belvo).version = Uuid::new_v4();
    }

    /// Lets webhooks carry `new`, and the value before it.
    pub fn rotate_authorization(&self, new: &str) {
        let mut webhook = lock(&self.webhook);
        let previous = webhook.value["current"].take();
        *webhook = Secret {
            value: json!({"current": new, "previous": previous}),
            version: Uuid::new_v4(),
        };
    }

    /// What webhooks carry.
    #[must_use]
    pub fn authorization(&self) -> String {
        let webhook = lock(&self.webhook);
        webhook.value["current"]
            .as_str()
            .expect("a text")
            .to_owned()
    }
}
