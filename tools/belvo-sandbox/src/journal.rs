//! What happened: every call of the API, every retrieval, every webhook with each of its attempts.
//! Keys and `Authorization` values are never kept.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::resource::Resource;

/// What happened since the start of the sandbox or since the journal was last cleared.
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
    /// The body of a POST that starts a retrieval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Value>,
    /// The request id that a 202 carried, or would have carried had no rule replaced it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// Absent until the call is answered, which may never happen.
    pub(crate) status: Option<u16>,
}

/// One webhook on its way to the receiver.
#[derive(Clone, Serialize)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    pub(crate) link: Option<String>,
    /// The exact bytes that are sent.
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
    /// The body of the receiver's answer.
    pub(crate) answer: String,
}

/// What happened about one link, or in total.
#[derive(Clone, Copy, Default)]
struct Counts {
    gets: u64,
    account_gets: u64,
    posts: u64,
    deliveries: u64,
    retrievals: u64,
}

impl Journal {
    /// Records a call that has come in and returns its id, for [`Journal::answered`].
    pub(crate) fn called(&mut self, call: Call) -> u64 {
        let id = self.next_id();
        let at = now();
        self.calls.push(Call { id, at, ..call });
        id
    }

    /// Records the answer of a call; `status` is `None` if the answer was never sent.
    pub(crate) fn answered(&mut self, id: u64, status: Option<u16>, request_id: Option<String>) {
        let mut newest_first = self.calls.iter_mut().rev();
        if let Some(call) = newest_first.find(|call| call.id == id) {
            call.status = status;
            call.request_id = request_id;
        }
    }

    /// Counts one retrieval.
    pub(crate) fn retrieved(&mut self, link: &str) {
        *self.retrievals.entry(link.to_owned()).or_default() += 1;
    }

    /// Records a webhook that is about to be sent and returns its id, for [`Journal::attempted`].
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

    /// Records one POST of a delivery.
    pub(crate) fn attempted(&mut self, delivery: u64, attempt: Attempt) {
        let mut newest_first = self.deliveries.iter_mut().rev();
        if let Some(delivery) = newest_first.find(|known| known.id == delivery) {
            delivery.attempts.push(attempt);
        }
    }

    /// The delivery with this id, or the last one if no id is given.
    pub(crate) fn delivery(&self, id: Option<u64>) -> Option<&Delivery> {
        let mut newest_first = self.deliveries.iter().rev();
        newest_first.find(|delivery| id.is_none_or(|id| delivery.id == id))
    }

    /// Forgets everything. Ids are not used again.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            last_id: self.last_id,
            ..Self::default()
        };
    }

    /// All calls and deliveries.
    pub(crate) fn report(&self) -> Value {
        let calls = self.calls.iter();
        let (gets, rest): (Vec<_>, Vec<_>) = calls.partition(|call| call.is_page());
        let (posts, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|call| call.is_retrieval());
        let deliveries: Vec<Value> = self.deliveries.iter().map(Delivery::report).collect();
        json!({
            "retrievals": self.retrievals,
            "gets": gets,
            "posts": posts,
            "others": others,
            "deliveries": deliveries,
        })
    }

    /// How often each thing happened, in total and per link.
    pub(crate) fn counters(&self) -> Value {
        let links = self.counts_by_link();
        let mut counters = Counts::default();
        for counts in links.values() {
            counters.add(*counts);
        }

        let tokens = self.calls.iter().filter(|call| call.path == "/api/token/");
        let attempts = self
            .deliveries
            .iter()
            .map(|delivery| delivery.attempts.len());
        let links = links.iter().filter(|(link, _)| !link.is_empty());
        let links = links.map(|(link, counts)| ((*link).to_owned(), counts.report()));

        let mut report = counters.report();
        report["tokens"] = json!(tokens.count());
        report["attempts"] = json!(attempts.sum::<usize>());
        report["links"] = Value::Object(links.collect::<Map<_, _>>());
        report
    }

    /// Counts for each link. Calls and deliveries without a link are counted under the empty name.
    fn counts_by_link(&self) -> BTreeMap<&str, Counts> {
        let mut links: BTreeMap<&str, Counts> = BTreeMap::new();
        for call in &self.calls {
            let counts = links.entry(call.link.as_deref().unwrap_or_default());
            counts.or_default().add(Counts {
                gets: u64::from(call.is_page()),
                account_gets: u64::from(call.lists_accounts()),
                posts: u64::from(call.is_retrieval()),
                ..Counts::default()
            });
        }
        for delivery in &self.deliveries {
            let counts = links.entry(delivery.link.as_deref().unwrap_or_default());
            counts.or_default().deliveries += 1;
        }
        for (link, count) in &self.retrievals {
            links.entry(link).or_default().retrievals = *count;
        }
        links
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

impl Call {
    pub(crate) fn is_page(&self) -> bool {
        self.method == "GET" && Resource::is_listing(&self.path)
    }

    fn lists_accounts(&self) -> bool {
        self.method == "GET" && self.path == "/api/accounts/"
    }

    pub(crate) fn is_retrieval(&self) -> bool {
        self.method == "POST" && Resource::is_listing(&self.path)
    }
}

impl Delivery {
    /// The delivery with its body, as JSON if it is JSON.
    fn report(&self) -> Value {
        let mut report = serde_json::to_value(self).unwrap_or_default();
        let body = serde_json::from_str(&self.text);
        report["body"] = body.unwrap_or_else(|_| json!(self.text));
        report
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.gets += other.gets;
        self.account_gets += other.account_gets;
        self.posts += other.posts;
        self.deliveries += other.deliveries;
        self.retrievals += other.retrievals;
    }

    fn report(self) -> Value {
        json!({
            "gets": self.gets,
            "account_gets": self.account_gets,
            "posts": self.posts,
            "deliveries": self.deliveries,
            "retrievals": self.retrievals,
        })
    }
}

/// The time of day. Only the journal uses it: no data depends on the clock.
pub(crate) fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.format(&Rfc3339).unwrap_or_default()
}
