//! A receiver of webhooks that gives prepared answers and remembers what it got.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};

use crate::harness::DEADLINE;

pub(crate) const AUTHORIZATION: &str = "Bearer the-registered-value";
pub(crate) const PATH: &str = "/_aws/execute-api/abc123/$default/webhooks/belvo";

#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) text: String,
}

impl Delivery {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The request id in the form of a 202, without dashes.
    pub(crate) fn request_id(&self) -> String {
        let dashed = self.json()["request_id"].as_str().unwrap().to_owned();
        dashed.replace('-', "")
    }
}

pub(crate) struct Receiver {
    address: String,
    inbox: Arc<Inbox>,
}

struct Inbox {
    /// Statuses of the next answers, the last one first. 0 stands for no answer; when there are
    /// none left, the status is 202.
    answers: Mutex<Vec<u16>>,
    deliveries: watch::Sender<Vec<Delivery>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::answering(&[]).await
    }

    /// A receiver whose first answers have these statuses; 0 stands for no answer.
    pub(crate) async fn answering(statuses: &[u16]) -> Self {
        let answers = Mutex::new(statuses.iter().rev().copied().collect());
        let (deliveries, _) = watch::channel(Vec::new());
        let inbox = Arc::new(Inbox {
            answers,
            deliveries,
        });

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inbox }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}{PATH}", self.address)
    }

    /// All deliveries, as soon as there are at least `count`.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        let mut deliveries = self.inbox.deliveries.subscribe();
        let enough = deliveries.wait_for(|deliveries| deliveries.len() >= count);
        let enough = tokio::time::timeout(DEADLINE, enough).await.unwrap();
        enough.unwrap().clone()
    }

    pub(crate) fn received(&self) -> usize {
        self.inbox.deliveries.borrow().len()
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 10_000_000).await.unwrap();
    let authorization = parts.headers.get("authorization");
    let delivery = Delivery {
        path: parts.uri.path().to_owned(),
        authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
        text: String::from_utf8(body.to_vec()).unwrap(),
    };

    let status = inbox.answers.lock().unwrap().pop().unwrap_or(202);
    let deliveries = &inbox.deliveries;
    deliveries.send_modify(|deliveries| deliveries.push(delivery));
    if status == 0 {
        std::future::pending::<()>().await;
    }
    StatusCode::from_u16(status).unwrap()
}
