//! A receiver of webhooks that answers as it is told and remembers what it got.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};

use crate::harness::DEADLINE;

pub(crate) const AUTHORIZATION: &str = "Bearer the-registered-value";
const PATH: &str = "/_aws/execute-api/abc123/$default/webhooks/belvo";

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
}

pub(crate) struct Receiver {
    address: String,
    inbox: Arc<Inbox>,
}

struct Inbox {
    /// Statuses of the next answers, last one first; then 202. 0 stands for no answer.
    answers: Mutex<Vec<u16>>,
    deliveries: watch::Sender<Vec<Delivery>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::answering(&[]).await
    }

    /// Answers with these statuses first; 0 never answers.
    pub(crate) async fn answering(statuses: &[u16]) -> Self {
        let answers = Mutex::new(statuses.iter().rev().copied().collect());
        let inbox = Arc::new(Inbox {
            answers,
            deliveries: watch::channel(Vec::new()).0,
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

    /// The first `count` deliveries, as soon as there are so many.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        let mut deliveries = self.inbox.deliveries.subscribe();
        let enough = deliveries.wait_for(|deliveries| deliveries.len() >= count);
        tokio::time::timeout(DEADLINE, enough)
            .await
            .unwrap()
            .unwrap()
            .clone()
    }

    pub(crate) fn received(&self) -> usize {
        self.inbox.deliveries.borrow().len()
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 10_000_000).await.unwrap();
    let authorization = parts
        .headers
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    let text = String::from_utf8(body.to_vec()).unwrap();
    let answer = inbox.answers.lock().unwrap().pop().unwrap_or(202);
    inbox.deliveries.send_modify(|deliveries| {
        deliveries.push(Delivery {
            path: parts.uri.path().to_owned(),
            authorization,
            text,
        });
    });
    if answer == 0 {
        std::future::pending::<()>().await;
    }
    StatusCode::from_u16(answer).unwrap()
}
