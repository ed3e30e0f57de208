//! Secrets Manager.

use std::cell::RefCell;

use serde_json::{Value, json};
use test_harness::Refusal;
use uuid::Uuid;

use crate::settings::{AUTHORIZATION, BELVO_SECRET, WEBHOOK_SECRET};

/// Both secrets, each with its version.
pub(crate) struct Secrets {
    belvo: RefCell<Secret>,
    webhook: RefCell<Secret>,
}

struct Secret {
    value: Value,
    version: Uuid,
}

impl Secret {
    fn new(value: Value) -> RefCell<Self> {
        let version = Uuid::new_v4();
        RefCell::new(Self { value, version })
    }
}

impl Secrets {
    pub(crate) fn new() -> Self {
        let keys = belvo_sandbox::Config::default();
        let belvo = json!({
            "secret_id": keys.secret_id,
            "secret_password": keys.secret_password,
        });
        Self {
            belvo: Secret::new(belvo),
            webhook: Secret::new(json!({ "current": AUTHORIZATION })),
        }
    }

    /// Answers `GetSecretValue`.
    pub(crate) fn value(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let request: Value = serde_json::from_slice(body)?;
        let secret = match request["SecretId"].as_str() {
            Some(BELVO_SECRET) => &self.belvo,
            Some(WEBHOOK_SECRET) => &self.webhook,
            _ => return Err(Refusal::unsupported("another secret")),
        };
        let secret = secret.borrow();
        let answer = json!({
            "ARN": request["SecretId"],
            "Name": request["SecretId"],
            "SecretString": secret.value.to_string(),
            "VersionId": secret.version.to_string(),
        });
        Ok(serde_json::to_vec(&answer)?)
    }

    /// Puts the same keys of Belvo's as a new version.
    pub(crate) fn put_keys_again(&self) {
        self.belvo.borrow_mut().version = Uuid::new_v4();
    }

    /// Lets webhooks carry `new`, and the value before it.
    pub(crate) fn rotate_authorization(&self, new: &str) {
        let mut webhook = self.webhook.borrow_mut();
        let previous = webhook.value["current"].take();
        *webhook = Secret {
            value: json!({"current": new, "previous": previous}),
            version: Uuid::new_v4(),
        };
    }

    /// What webhooks carry.
    pub(crate) fn authorization(&self) -> String {
        let webhook = self.webhook.borrow();
        webhook.value["current"]
            .as_str()
            .expect("a text")
            .to_owned()
    }
}
