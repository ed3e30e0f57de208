//! AWS inside the process: DynamoDB is a dynoxide in memory, SQS takes every message, and Secrets
//! Manager has the webhook's secret and no other. No call leaves the process, so that one input
//! takes a fraction of a millisecond, and always the same way.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use serde_json::{Value, json};
use test_harness::{perform, tables_of_template};

/// The whole value with which Belvo authenticates here.
pub(crate) const AUTHORIZATION: &str = "Bearer fuzzing-0123456789abcdefghijkl";
/// The secret that holds it. No other secret has a value.
pub(crate) const WEBHOOK_SECRET: &str = "webhook";

/// The services, and what was sent to the queue.
#[derive(Clone)]
pub(crate) struct Aws {
    database: Database,
    queued: Arc<Mutex<Vec<String>>>,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aws")
    }
}

impl Aws {
    /// With the tables of template.yaml, which are empty.
    pub(crate) fn new() -> Self {
        let database = Database::memory().expect("a database");
        for table in tables_of_template() {
            let table = serde_json::from_value(table).expect("a table");
            database.create_table(table).expect("a new table");
        }
        Self {
            database,
            queued: Arc::default(),
        }
    }

    /// The configuration of clients that call these services.
    pub(crate) fn config(&self) -> SdkConfig {
        let keys = Credentials::new("fuzzing", "fuzzing", None, None, "fuzzing");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .retry_config(RetryConfig::disabled())
            .endpoint_url("http://127.0.0.1:1")
            .http_client(self.clone())
            .build()
    }

    /// The bodies of the messages that were queued since this was last asked.
    pub(crate) fn take_queued(&self) -> Vec<String> {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut queued)
    }

    fn answer(&self, target: &str, body: &[u8]) -> (u16, String) {
        match target.split_once('.') {
            Some(("AmazonSQS", "SendMessage")) => (200, self.queue(body)),
            Some(("secretsmanager", "GetSecretValue")) => secret(body),
            Some(("DynamoDB_20120810", operation)) => {
                match perform(&self.database, operation, body) {
                    Ok(performed) => (200, text(performed.answer)),
                    Err(refusal) => (refusal.status, refusal.body),
                }
            }
            _ => panic!("nobody should call {target}"),
        }
    }

    fn queue(&self, body: &[u8]) -> String {
        let message: Value = serde_json::from_slice(body).expect("JSON");
        let text = message["MessageBody"].as_str().expect("a body");
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        queued.push(text.to_owned());
        json!({"MessageId": "fuzzing"}).to_string()
    }
}

fn text(answer: Vec<u8>) -> String {
    String::from_utf8(answer).expect("JSON")
}

fn secret(body: &[u8]) -> (u16, String) {
    let asked: Value = serde_json::from_slice(body).expect("JSON");
    if asked["SecretId"] == WEBHOOK_SECRET {
        let value = json!({"current": AUTHORIZATION}).to_string();
        let answer = json!({"Name": "webhook", "SecretString": value, "VersionId": "1"});
        return (200, answer.to_string());
    }
    let problem = json!({"__type": "ResourceNotFoundException", "message": "no such secret"});
    (400, problem.to_string())
}

impl HttpClient for Aws {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().expect("a body in memory");
        let (status, answer) = self.answer(target, body);
        let status = StatusCode::try_from(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer))))
    }
}
