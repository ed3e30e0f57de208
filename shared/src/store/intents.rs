//! Intents, in the Requests table: an item `intent#<fingerprint>` is written before a retrieval is
//! sent, so that an equal one is not sent while the first is under way, nor while nobody knows
//! whether Belvo acted on it. As long as that is unknown, the item stands in the index `by_link`,
//! after all requests. What follows from an intent is decided in `domain/lifecycle.rs`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Requests, StoreError,
    error::was_written,
    item::{Item, attribute, document, number, request_id, text, timestamp},
    requests::BY_LINK,
};
use crate::{
    belvo::Retrieval,
    domain::{
        AccountId, Answer, Before, Direction, Intent, LinkId, RequestId, Resource, Timestamp,
        Window,
    },
};

/// How long an intent is kept for those who ask for the same again.
const KEPT_S: i64 = 7 * 24 * 60 * 60;
/// Before the time of an open intent in `listed_at`: after every request.
pub(super) const OPEN: &str = "~";
/// How often a lost race for an intent is run again.
const RACES: usize = 4;

/// What became of the wish to send a retrieval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intention {
    /// It is ours to send.
    Begun,
    /// An equal one was sent and has not ended.
    InFlight(RequestId),
    /// An equal one is being sent at this moment.
    Sending,
    /// An equal one was sent and not answered. Belvo may be at it; nobody knows before its webhook,
    /// or this time.
    Unknown {
        /// From when on it may be sent again.
        until: Timestamp,
    },
}

/// A retrieval of which nobody here knows whether Belvo accepted it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// What it brings.
    pub resource: Resource,
    /// Which days.
    #[serde(flatten)]
    pub window: Option<Window>,
    /// One account, or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Of invoices, those of one direction.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// When its sending began.
    pub since: Timestamp,
}

impl Unconfirmed {
    /// The intent that it is.
    #[must_use]
    pub fn intent(&self) -> Intent {
        Intent::open(self.since)
    }
}

impl Requests {
    /// Asks for the right to send a retrieval. Of several at once, one gets it.
    pub async fn intend(
        &self,
        retrieval: &Retrieval,
        at: Timestamp,
    ) -> Result<Intention, StoreError> {
        for _ in 0..RACES {
            if self
                .take(retrieval, at, "attribute_not_exists(pk)", None)
                .await?
            {
                return Ok(Intention::Begun);
            }
            let Some(known) = self.item(key(retrieval)).await? else {
                continue;
            };
            let since = timestamp(&known, "since").unwrap_or(at);
            let id = request_id(&known, "request");
            let answer = match &id {
                None => Answer::None,
                Some(id) => {
                    let status = self.get(id).await?.map(|record| record.status());
                    Answer::Request {
                        status,
                        claimed: known.contains_key("claimed_at"),
                    }
                }
            };
            let taken = match (Intent { since, answer }.before(at), id) {
                (Before::Sending, _) => return Ok(Intention::Sending),
                (Before::Unknown(until), _) => return Ok(Intention::Unknown { until }),
                (Before::InFlight, Some(id)) => return Ok(Intention::InFlight(id)),
                (Before::Over, Some(id)) => {
                    self.take(retrieval, at, "#request = :known", Some(id.as_str()))
                        .await?
                }
                (Before::InFlight | Before::Over, None) => {
                    let condition = "since = :known AND attribute_not_exists(#request)";
                    self.take(retrieval, at, condition, Some(&since.to_string()))
                        .await?
                }
            };
            if taken {
                return Ok(Intention::Begun);
            }
        }
        Ok(Intention::Sending)
    }

    /// Records what Belvo accepted an intent as.
    pub async fn sent(&self, retrieval: &Retrieval, id: &RequestId) -> Result<(), StoreError> {
        self.update_item(key(retrieval))
            .update_expression("SET #request = :request REMOVE listed_at, claimed_at")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":request", text(id.as_str()))
            .send()
            .await?;
        Ok(())
    }

    /// Takes back the intent of `at`, which Belvo surely did not act on.
    pub async fn withdraw(&self, retrieval: &Retrieval, at: Timestamp) -> Result<(), StoreError> {
        let outcome = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("pk", text(key(retrieval)))
            .condition_expression("since = :at AND attribute_not_exists(#request)")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":at", text(at.to_string()))
            .send()
            .await;
        was_written(outcome).map(|_| ())
    }

    /// Lets a request of which nobody here knows settle the one intent of its link and resource
    /// that is unknown, if there is just one. Called when a webhook names such a request. It may be
    /// another one, so that the intent keeps its time.
    pub async fn claim(
        &self,
        link: &LinkId,
        resource: Resource,
        id: &RequestId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut open = self.open_intents(link).await?;
        open.retain(|item| {
            item.get("resource")
                .and_then(|name| name.as_s().ok())
                .is_some_and(|name| name == resource.name())
        });
        open.retain(|item| {
            timestamp(item, "since").is_some_and(|since| Intent::open(since).may_be_claimed(at))
        });
        let [intent] = open.as_slice() else {
            return Ok(());
        };
        let Some(pk) = intent.get("pk").and_then(|pk| pk.as_s().ok()) else {
            return Ok(());
        };
        let claim = self
            .update_item(pk)
            .update_expression("SET #request = :request, claimed_at = :at REMOVE listed_at")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(#request)")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":request", text(id.as_str()))
            .expression_attribute_values(":at", text(at.to_string()));
        was_written(claim.send().await).map(|_| ())
    }

    /// The retrievals of a link that are being sent, or of which it is unknown whether Belvo
    /// accepted them, newest first. Read from an index that may lag behind the table by a moment.
    pub async fn unconfirmed(&self, link: &LinkId) -> Result<Vec<Unconfirmed>, StoreError> {
        let open = self.open_intents(link).await?;
        let read = |item| serde_json::from_value(Value::Object(document(item)?)).ok();
        Ok(open.into_iter().filter_map(read).collect())
    }

    /// The items of a link's intents that nothing has settled, newest first.
    async fn open_intents(&self, link: &LinkId) -> Result<Vec<Item>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_LINK)
            .key_condition_expression("#link = :link AND begins_with(listed_at, :open)")
            .expression_attribute_names("#link", "link")
            .expression_attribute_values(":link", text(link.as_str()))
            .expression_attribute_values(":open", text(OPEN))
            .scan_index_forward(false)
            .send()
            .await?;
        Ok(answer.items.unwrap_or_default())
    }

    /// Makes an intent ours if a condition over what is `known` of it holds.
    async fn take(
        &self,
        retrieval: &Retrieval,
        at: Timestamp,
        condition: &str,
        known: Option<&str>,
    ) -> Result<bool, StoreError> {
        let expires_at = at.plus_seconds(KEPT_S).unix_seconds();
        let mut update = self
            .update_item(key(retrieval))
            .update_expression(
                "SET #link = :link, #resource = :resource, date_from = :from, date_to = :to, account = :account, #type = :type, \
                 since = :at, \
                 listed_at = :listed_at, expires_at = :expires_at REMOVE #request, claimed_at",
            )
            .condition_expression(condition)
            .expression_attribute_names("#link", "link")
            .expression_attribute_names("#resource", "resource")
            .expression_attribute_names("#type", "type")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":link", text(retrieval.link.as_str()))
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":listed_at", text(format!("{OPEN}{at}")))
            .expression_attribute_values(":expires_at", number(expires_at));
        let shown = [
            (":resource", json!(retrieval.resource)),
            (":from", json!(retrieval.window.map(|window| window.from()))),
            (":to", json!(retrieval.window.map(|window| window.to()))),
            (":account", json!(retrieval.account)),
            (":type", json!(retrieval.direction)),
        ];
        for (name, value) in shown {
            let value = attribute(value).ok_or(StoreError::Corrupt("Requests"))?;
            update = update.expression_attribute_values(name, value);
        }
        if let Some(known) = known {
            update = update.expression_attribute_values(":known", text(known));
        }
        was_written(update.send().await)
    }
}

fn key(retrieval: &Retrieval) -> String {
    format!("intent#{}", retrieval.fingerprint())
}
