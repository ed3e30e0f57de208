//! What happened: every call of the API, every retrieval, every webhook with each of its attempts.
//! Credentials and `Authorization` values are not part of it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::resource::Resource;

/// The record of a sandbox since its start or the last clearing.
#[derive(Default)]
pub(crate) struct Journal {
    retrievals: BTreeMap<String, u64>,
    calls: Vec<Call>,
    deliveries: Vec<Delivery>,
    last_id: u64,
}

/// One call of the Belvo API.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) at: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) page_size: Option<usize>,
    /// The body of a POST that asks for a retrieval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Value>,
    /// The request id a 202 carried, or would have carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// Absent while the call is not answered, which it may never be.
    pub(crate) status: Option<u16>,
}

/// One webhook event on its way to the receiver.
#[derive(Clone, Serialize)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    pub(crate) link: Option<String>,
    /// The very text that is sent.
    #[serde(skip)]
    pub(crate) text: String,
    /// Whether the registered `Authorization` value is sent.
    pub(crate) authorization_ok: bool,
    attempts: Vec<Attempt>,
}

/// One POST of a delivery.
#[derive(Clone, Serialize)]
pub(crate) struct Attempt {
    pub(crate) at: String,
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    pub(crate) latency_ms: u64,
    /// What the receiver answered.
    pub(crate) answer: String,
}

impl Journal {
    /// Notes a call that has come in; the id is for [`Journal::answered`].
    pub(crate) fn called(&mut self, call: Call) -> u64 {
        let id = self.next_id();
        self.calls.push(Call {
            id,
            at: now(),
            ..call
        });
        id
    }

    pub(crate) fn answered(&mut self, id: u64, status: Option<u16>, request_id: Option<String>) {
        if let Some(call) = self.calls.iter_mut().rev().find(|call| call.id == id) {
            call.status = status;
            call.request_id = request_id;
        }
    }

    pub(crate) fn retrieved(&mut self, link: &str) {
        *self.retrievals.entry(link.to_owned()).or_default() += 1;
    }

    /// Notes a webhook that is about to be sent.
    pub(crate) fn opened(
        &mut self,
        link: Option<String>,
        text: String,
        authorization_ok: bool,
    ) -> u64 {
        let id = self.next_id();
        self.deliveries.push(Delivery {
            id,
            link,
            text,
            authorization_ok,
            attempts: Vec::new(),
        });
        id
    }

    pub(crate) fn attempted(&mut self, delivery: u64, attempt: Attempt) {
        if let Some(delivery) = self
            .deliveries
            .iter_mut()
            .rev()
            .find(|known| known.id == delivery)
        {
            delivery.attempts.push(attempt);
        }
    }

    /// The delivery with this id, or the last one.
    pub(crate) fn delivery(&self, id: Option<u64>) -> Option<&Delivery> {
        self.deliveries
            .iter()
            .rev()
            .find(|delivery| id.is_none_or(|id| delivery.id == id))
    }

    /// Forgets everything; ids go on counting.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            last_id: self.last_id,
            ..Self::default()
        };
    }

    pub(crate) fn report(&self) -> Value {
        let (gets, rest): (Vec<_>, Vec<_>) = self.calls.iter().partition(|call| is_page(call));
        let (posts, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|call| is_retrieval(call));
        json!({
            "retrievals": self.retrievals,
            "gets": gets,
            "posts": posts,
            "others": rest,
            "deliveries": self.deliveries.iter().map(shown).collect::<Vec<_>>(),
        })
    }

    pub(crate) fn counters(&self) -> Value {
        let mut links: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
        for call in &self.calls {
            let entry = links
                .entry(call.link.as_deref().unwrap_or_default())
                .or_default();
            entry[0] += u64::from(is_page(call));
            entry[1] += u64::from(is_retrieval(call));
        }
        for delivery in &self.deliveries {
            links
                .entry(delivery.link.as_deref().unwrap_or_default())
                .or_default()[2] += 1;
        }
        for (link, count) in &self.retrievals {
            links.entry(link).or_default()[3] = *count;
        }
        let sum = |at: usize| links.values().map(|counts| counts[at]).sum::<u64>();
        json!({
            "gets": sum(0),
            "posts": sum(1),
            "deliveries": sum(2),
            "retrievals": sum(3),
            "tokens": self.calls.iter().filter(|call| call.path == "/api/token/").count(),
            "attempts": self.deliveries.iter().map(|delivery| delivery.attempts.len()).sum::<usize>(),
            "links": links.iter().filter(|(link, _)| !link.is_empty()).map(|(link, counts)| {
                let [gets, posts, deliveries, retrievals] = counts;
                let counts = json!({ "gets": gets, "posts": posts, "deliveries": deliveries, "retrievals": retrievals });
                ((*link).to_owned(), counts)
            }).collect::<serde_json::Map<_, _>>(),
        })
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// The time of day, for the journal only: no data depends on it.
pub(crate) fn now() -> String {
    OffsetDateTime::now_utc()
        .format(&Rfc3339)
        .unwrap_or_default()
}

fn is_page(call: &Call) -> bool {
    call.method == "GET" && is_listing(&call.path)
}

fn is_retrieval(call: &Call) -> bool {
    call.method == "POST" && is_listing(&call.path)
}

fn is_listing(path: &str) -> bool {
    Resource::at(path).is_some_and(|resource| resource.path == path)
}

/// The delivery with its body as JSON where it is JSON.
fn shown(delivery: &Delivery) -> Value {
    let mut shown = serde_json::to_value(delivery).unwrap_or_default();
    shown["body"] = serde_json::from_str(&delivery.text).unwrap_or_else(|_| json!(delivery.text));
    shown
}
