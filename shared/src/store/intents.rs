//! Intents, in the Requests table: an item `intent#<fingerprint>` is written before a retrieval is sent, so that an equal one
//! is not sent while the first is under way, nor while nobody knows whether Belvo acted on it. As long as that is unknown, the
//! item stands in the index `by_link`, after all requests.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;

use super::{
    Requests, StoreError,
    error::was_written,
    item::{number, request_id, text, timestamp},
    requests::BY_LINK,
};
use crate::{
    belvo::Retrieval,
    domain::{LinkId, RequestId, Timestamp},
};

/// The longest that sending takes: above the 29 seconds of the function that does it.
pub(super) const SENDING_S: i64 = 60;
/// How long it may stay unknown whether Belvo acted, in seconds. Belvo's own limit for a retrieval is five minutes.
const UNKNOWN_S: i64 = 1_800;
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
    /// An equal one was sent and not answered. Belvo may be at it; nobody knows before its webhook, or this time.
    Unknown {
        /// From when on it may be sent again.
        until: Timestamp,
    },
}

impl Requests {
    /// Asks for the right to send a retrieval. Of several at once, one gets it.
    pub async fn intend(&self, retrieval: &Retrieval, at: Timestamp) -> Result<Intention, StoreError> {
        for _ in 0..RACES {
            if self.take(retrieval, at, "attribute_not_exists(pk)", None).await? {
                return Ok(Intention::Begun);
            }
            let Some(known) = self.item(key(retrieval)).await? else { continue };
            let since = timestamp(&known, "since").unwrap_or(at);
            let taken = match request_id(&known, "request") {
                Some(id) if !self.has_ended(&id, since, at).await? => return Ok(Intention::InFlight(id)),
                Some(id) => self.take(retrieval, at, "#request = :known", Some(id.as_str())).await?,
                None if at < since.plus_seconds(SENDING_S) => return Ok(Intention::Sending),
                None if at < since.plus_seconds(UNKNOWN_S) => {
                    return Ok(Intention::Unknown { until: since.plus_seconds(UNKNOWN_S) });
                }
                None => {
                    let condition = "since = :known AND attribute_not_exists(#request)";
                    self.take(retrieval, at, condition, Some(&since.to_string())).await?
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
        self.settle(key(retrieval), id).send().await?;
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

    /// Lets a request of which nobody here knows settle the one intent of its link that is unknown, if there is just one.
    /// Called when a webhook names such a request.
    pub async fn claim(&self, link: &LinkId, id: &RequestId, at: Timestamp) -> Result<(), StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_LINK)
            .key_condition_expression("#link = :link AND listed_at BETWEEN :open AND :unanswered")
            .expression_attribute_names("#link", "link")
            .expression_attribute_values(":link", text(link.as_str()))
            .expression_attribute_values(":open", text(OPEN))
            .expression_attribute_values(":unanswered", text(format!("{OPEN}{}", at.plus_seconds(-SENDING_S))))
            .send()
            .await?;
        let open = answer.items.unwrap_or_default();
        let [intent] = open.as_slice() else { return Ok(()) };
        let Some(pk) = intent.get("pk").and_then(|pk| pk.as_s().ok()) else { return Ok(()) };
        let still_open = "attribute_exists(pk) AND attribute_not_exists(#request)";
        was_written(self.settle(pk, id).condition_expression(still_open).send().await).map(|_| ())
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
                "SET #link = :link, since = :at, listed_at = :listed_at, expires_at = :expires_at REMOVE #request",
            )
            .condition_expression(condition)
            .expression_attribute_names("#link", "link")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":link", text(retrieval.link.as_str()))
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":listed_at", text(format!("{OPEN}{at}")))
            .expression_attribute_values(":expires_at", number(expires_at));
        if let Some(known) = known {
            update = update.expression_attribute_values(":known", text(known));
        }
        was_written(update.send().await)
    }

    /// Whether an equal retrieval may be sent after this one. One whose record could not be written is waited for as long as
    /// one that nobody answered.
    async fn has_ended(&self, id: &RequestId, since: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        Ok(match self.get(id).await? {
            Some(record) => record.status().is_terminal(),
            None => now >= since.plus_seconds(UNKNOWN_S),
        })
    }

    /// The update by which an intent becomes a request, and is no longer open.
    fn settle(&self, pk: impl Into<String>, id: &RequestId) -> UpdateItemFluentBuilder {
        self.update_item(pk)
            .update_expression("SET #request = :request REMOVE listed_at")
            .expression_attribute_names("#request", "request")
            .expression_attribute_values(":request", text(id.as_str()))
    }
}

fn key(retrieval: &Retrieval) -> String {
    format!("intent#{}", retrieval.fingerprint())
}
