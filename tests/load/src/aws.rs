//! The AWS that the functions call, inside this process: tables, queues, secrets and a bus. The
//! queue fails some of what they send.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use dynoxide::Database;
use function_processes::events::AUTHORIZATION;
use serde_json::json;
use test_harness::{
    Refusal,
    aws::{bus::Bus, queues::Queues, secrets::Secrets, stream},
};
use tokio::sync::Notify;

use crate::{
    figures::QueueFailures,
    trouble::{QueueFailure, Trouble},
};

/// What DynamoDB takes as a batch to write, in bytes.
const LARGEST_REQUEST: usize = 16 * 1_024 * 1_024;

pub(crate) struct Aws {
    pub(crate) tables: Database,
    /// The position before anything in the stream of requests.
    pub(crate) start_of_stream: String,
    pub(crate) queues: Queues,
    /// Notified when a table was written to.
    pub(crate) written: Notify,
    secrets: Secrets,
    bus: Bus,
    trouble: Arc<Trouble>,
    refused: AtomicU64,
    stored: AtomicU64,
}

impl Aws {
    pub(crate) fn new(trouble: Arc<Trouble>) -> Self {
        let (tables, start_of_stream) = stream::large_database();
        Self {
            tables,
            start_of_stream,
            queues: Queues::default(),
            written: Notify::new(),
            secrets: Secrets::of(AUTHORIZATION),
            bus: Bus::default(),
            trouble,
            refused: AtomicU64::new(0),
            stored: AtomicU64::new(0),
        }
    }

    /// How often the queue has failed so far.
    pub(crate) fn queue_failures(&self) -> QueueFailures {
        QueueFailures {
            refused: self.refused.load(Ordering::Relaxed),
            stored: self.stored.load(Ordering::Relaxed),
        }
    }

    fn perform(&self, service: &str, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        match service {
            "DynamoDB_20120810" => {
                let performed = test_harness::perform(&self.tables, operation, body)?;
                // The stream has news of writes only.
                if !matches!(operation, "BatchGetItem" | "GetItem" | "Query") {
                    self.written.notify_one();
                }
                Ok(performed.answer)
            }
            "AmazonSQS" => self.queue(operation, body),
            "secretsmanager" => self.secrets.value(body),
            "AWSEvents" => self.bus.put(body, || false),
            _ => Err(Refusal::unsupported(service)),
        }
    }

    fn queue(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let failure = Some(operation)
            .filter(|operation| *operation == "SendMessage")
            .and_then(|_| self.trouble.queue_failure());
        let Some(failure) = failure else {
            return self.queues.perform(operation, body);
        };
        if failure.is_stored {
            self.queues.perform(operation, body)?;
            self.stored.fetch_add(1, Ordering::Relaxed);
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        Err(failed(failure))
    }
}

/// What the queue answers in place of an acknowledgement.
fn failed(failure: QueueFailure) -> Refusal {
    let (status, code) = if failure.is_passing {
        (503, "ServiceUnavailable")
    } else {
        (400, "com.amazonaws.sqs#OverLimit")
    };
    Refusal {
        status,
        body: json!({ "__type": code }).to_string(),
        is_of_throughput: false,
    }
}

/// What answers all calls of AWS.
pub(crate) fn router(aws: Arc<Aws>) -> Router {
    Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
        .with_state(aws)
}

async fn answer(State(aws): State<Arc<Aws>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok());
    let Some((service, operation)) = target.unwrap_or_default().split_once('.') else {
        // A warm-up, which only opens a connection.
        return StatusCode::NOT_FOUND.into_response();
    };
    let (status, body) = match aws.perform(service, operation, &body) {
        Ok(answer) => (200, answer),
        Err(refusal) => (refusal.status, refusal.body.into_bytes()),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
    (status, json, body).into_response()
}
