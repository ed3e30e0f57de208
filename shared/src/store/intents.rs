//! Intents to send a retrieval. An intent is written before its retrieval is sent, so that no
//! identical one is sent while the first is in flight or while it is unknown whether Belvo acted on
//! it. While that is unknown, the item is in the index `by_link`, behind all requests.
//! `domain/intent.rs` decides what an intent means.

use domain::{
    Conflict, Intent, LinkId, RequestId, Resolution, Resource, Retrieval, Timestamp, Unconfirmed,
    Window,
};
use serde_json::{Value, json};

use super::{
    Requests, StoreError,
    error::was_written,
    item::{Item, attribute, document, request_id, text, timestamp},
    retention::{INTENT_DAYS, expires_at},
    table::{self, OPEN, RACES, Table},
};

#[derive(Clone)]
pub struct Intents {
    table: Table,
    requests: Requests,
}

/// The outcome of beginning an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntentOutcome {
    /// The retrieval is ours to send.
    Begun,
    /// An identical one was sent and has not ended.
    InFlight(RequestId),
    /// An identical one is being sent.
    Sending,
    /// An identical one was sent but not answered. Belvo may be working on it until this time, or
    /// until its webhook arrives.
    Unknown { until: Timestamp },
}

/// What a stored intent must still be for another one to replace it.
enum Replaces {
    Nothing,
    /// An intent that became this request.
    Request(RequestId),
    /// An open intent of this time.
    Open(Timestamp),
}

impl Intents {
    pub(super) fn new(table: Table, requests: Requests) -> Self {
        Self { table, requests }
    }

    /// Acquires the right to send a retrieval. Of several concurrent callers, one gets it.
    pub async fn begin(
        &self,
        retrieval: &Retrieval,
        at: Timestamp,
    ) -> Result<IntentOutcome, StoreError> {
        for _ in 0..RACES {
            if self.take(retrieval, at, Replaces::Nothing).await? {
                return Ok(IntentOutcome::Begun);
            }
            let Some(known) = self.table.item(key(retrieval)).await? else {
                continue;
            };
            let request = request_id(&known, "request");
            let intent = self.intent(&known, request.as_ref(), at).await?;

            let replaces = match (intent.conflict(at), request) {
                (Conflict::Sending, _) => return Ok(IntentOutcome::Sending),
                (Conflict::Unknown { until }, _) => return Ok(IntentOutcome::Unknown { until }),
                (Conflict::InFlight, Some(id)) => return Ok(IntentOutcome::InFlight(id)),
                (Conflict::None, Some(id)) => Replaces::Request(id),
                (Conflict::InFlight | Conflict::None, None) => Replaces::Open(intent.since),
            };
            if self.take(retrieval, at, replaces).await? {
                return Ok(IntentOutcome::Begun);
            }
        }
        Ok(IntentOutcome::Sending)
    }

    /// Records the request that an intent became when Belvo accepted it.
    pub async fn settle(&self, retrieval: &Retrieval, id: &RequestId) -> Result<(), StoreError> {
        self.table
            .update(key(retrieval))
            .update_expression(
                "SET #request = :request REMOVE listed_at, claimed_at, unanswered_at",
            )
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":request", text(id.as_str()))
            .send()
            .await?;
        Ok(())
    }

    /// Records that sending the intent of `at` ended without an answer of Belvo.
    pub async fn unanswered(
        &self,
        retrieval: &Retrieval,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let outcome = self
            .table
            .update(key(retrieval))
            .update_expression("SET unanswered_at = :now")
            .condition_expression("since = :at")
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":now", text(now.to_string()))
            .send()
            .await;
        was_written(outcome).map(|_| ())
    }

    /// Takes back the intent of `at`, on which Belvo definitely did not act: what a webhook may
    /// have claimed it for was something else.
    pub async fn withdraw(&self, retrieval: &Retrieval, at: Timestamp) -> Result<(), StoreError> {
        let outcome = self
            .table
            .delete(key(retrieval))
            .condition_expression(
                "since = :at AND (attribute_not_exists(#request) OR attribute_exists(claimed_at))",
            )
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":at", text(at.to_string()))
            .send()
            .await;
        was_written(outcome).map(|_| ())
    }

    /// Lets a request that is unknown here settle the open intent of its link and resource, if
    /// there is exactly one, and returns whether it did. Called when Belvo names such a request. If
    /// Belvo answers the intent after all, its answer counts.
    pub async fn claim(
        &self,
        link: &LinkId,
        resource: Resource,
        id: &RequestId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let may_be_claimed = |item: &Item| {
            let of_resource = item
                .get("resource")
                .and_then(|name| name.as_s().ok())
                .is_some_and(|name| name == resource.name());
            let since = timestamp(item, "since");
            of_resource && since.is_some_and(|since| Intent::open(since).may_be_claimed(at))
        };
        let mut open = self.table.open_intents(link.as_str()).await?;
        open.retain(may_be_claimed);

        let [intent] = open.as_slice() else {
            return Ok(false);
        };
        let value = |name: &str| intent.get(name).and_then(|value| value.as_s().ok());
        let (Some(pk), Some(since)) = (value("pk"), value("since")) else {
            return Ok(false);
        };
        let claim = self
            .table
            .update(pk)
            .update_expression("SET #request = :request, claimed_at = :at REMOVE listed_at")
            // The index may lag: by now it may be settled, withdrawn, or another intent.
            .condition_expression("since = :since AND attribute_not_exists(#request)")
            .expression_attribute_values(":since", text(since))
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":request", text(id.as_str()))
            .expression_attribute_values(":at", text(at.to_string()));
        was_written(claim.send().await)
    }

    /// The retrievals of a link that are being sent, or that Belvo may or may not have accepted,
    /// newest first. Read from an index that may lag slightly behind the table.
    pub async fn unconfirmed(&self, link: &LinkId) -> Result<Vec<Unconfirmed>, StoreError> {
        let open = self.table.open_intents(link.as_str()).await?;
        let read = |item| serde_json::from_value(Value::Object(document(item)?)).ok();
        Ok(open.into_iter().filter_map(read).collect())
    }

    /// What an item says, together with the record of its request.
    async fn intent(
        &self,
        item: &Item,
        request: Option<&RequestId>,
        at: Timestamp,
    ) -> Result<Intent, StoreError> {
        let resolution = match request {
            None => Resolution::Open,
            Some(id) => Resolution::Request {
                status: self.requests.get(id).await?.map(|record| record.status()),
                claimed: item.contains_key("claimed_at"),
            },
        };
        Ok(Intent {
            since: timestamp(item, "since").unwrap_or(at),
            unanswered: item.contains_key("unanswered_at"),
            resolution,
        })
    }

    /// Takes over an intent, unless what it replaces has changed.
    async fn take(
        &self,
        retrieval: &Retrieval,
        at: Timestamp,
        replaces: Replaces,
    ) -> Result<bool, StoreError> {
        let (condition, known) = match replaces {
            Replaces::Nothing => ("attribute_not_exists(pk)", None),
            Replaces::Request(id) => ("#request = :known", Some(id.to_string())),
            Replaces::Open(since) => (
                "since = :known AND attribute_not_exists(#request)",
                Some(since.to_string()),
            ),
        };
        let mut update = self
            .table
            .update(key(retrieval))
            .update_expression(
                "SET #link = :link, #resource = :resource, date_from = :from, date_to = :to, \
                 account = :account, #type = :type, since = :at, listed_at = :listed_at, \
                 expires_at = :expires REMOVE #request, claimed_at, unanswered_at",
            )
            .condition_expression(condition)
            .expression_attribute_names("#link", "link")
            .expression_attribute_names("#resource", "resource")
            .expression_attribute_names("#type", "type")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":listed_at", text(format!("{OPEN}{at}")))
            .expression_attribute_values(":expires", expires_at(at, INTENT_DAYS));
        for (name, value) in shown(retrieval) {
            let value = attribute(&value.to_string()).ok_or(StoreError::Corrupt(table::NAME))?;
            update = update.expression_attribute_values(name, value);
        }
        if let Some(known) = known {
            update = update.expression_attribute_values(":known", text(known));
        }
        was_written(update.send().await)
    }
}

/// The retrieval as the item of its intent shows it; `null` for what it does not specify.
fn shown(retrieval: &Retrieval) -> [(&'static str, Value); 6] {
    [
        (":link", json!(retrieval.link)),
        (":resource", json!(retrieval.resource)),
        (":from", json!(retrieval.window.map(Window::from))),
        (":to", json!(retrieval.window.map(Window::to))),
        (":account", json!(retrieval.account)),
        (":type", json!(retrieval.direction)),
    ]
}

fn key(retrieval: &Retrieval) -> String {
    format!("intent#{}", retrieval.intent_key())
}
