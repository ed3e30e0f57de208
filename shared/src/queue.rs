//! The FIFO queue between the webhook and the collection: one message per delivery, one group per
//! link, so that the work of a link is serial and links do not wait for each other
//! (docs/decisions/0003). What an invocation leaves undone comes back through it as a continuation;
//! what is given up goes to its dead-letter queue with the reason.

use std::time::Duration;

use aws_sdk_sqs::{
    error::SdkError,
    operation::{
        change_message_visibility::ChangeMessageVisibilityError, send_message::SendMessageError,
    },
    types::MessageAttributeValue,
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    aws::SdkConfig,
    belvo::{LINK_DELETED, Notification, NotificationError, json_fault},
    domain::{AccountId, LinkId, Progress, RequestId, RequestRecord, Resource, Timestamp},
};

/// The longest time SQS hides a message, twelve hours (`ChangeMessageVisibility`, SQS API
/// reference).
const LONGEST_WAIT: Duration = Duration::from_hours(12);

/// What stands in for a webhook's code where a link was silent.
pub const SILENT: &str = "silent";

/// Whether a message asks to look for overdue requests: the schedule of template.yaml sends
/// `{"kind": "sweep", …}`.
#[must_use]
pub fn is_sweep(message: &str) -> bool {
    #[derive(Deserialize)]
    struct Sweep {
        kind: String,
    }
    serde_json::from_str::<Sweep>(message).is_ok_and(|message| message.kind == "sweep")
}

/// One webhook on its way to the collection.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// SHA-256 of the webhook's bytes: the same for every redelivery of them.
    pub id: String,
    /// What the log lines of this work share, from the webhook on: Belvo's request id, else API
    /// Gateway's.
    pub correlation_id: String,
    /// When the webhook came in.
    pub received_at: Timestamp,
    /// What the webhook says.
    pub notification: Notification,
    /// The webhook's JSON as Belvo sent it.
    pub webhook: Box<RawValue>,
    /// What is left of a collection that this webhook, perhaps with others, has begun.
    pub unfinished: Option<Unfinished>,
    /// Set where no webhook has come: the request is overdue, and this is when it will be so again.
    pub overdue: Option<Timestamp>,
}

/// A collection that outlasted an invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The retrievals it ends.
    pub requests: Vec<RequestId>,
    /// One account, or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Whether the link's rows are to be counted afterwards.
    pub counts_after: bool,
    /// When it may go on: Belvo, or the back-off after a failure, asks for a wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// How far it has come.
    pub progress: Progress,
}

/// A message of the queue.
#[derive(Serialize, Deserialize)]
struct Message {
    delivery_id: String,
    correlation_id: String,
    received_at: Timestamp,
    webhook: Box<RawValue>,
    kind: Kind,
    /// Continuations only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unfinished: Option<Unfinished>,
    /// What stands in for the webhook of an overdue request only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overdue: Option<Timestamp>,
}

/// What a message says, for whoever reads the queue.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Webhook,
    Overdue,
    Continuation,
}

impl Kind {
    fn of(unfinished: Option<&Unfinished>, overdue: Option<Timestamp>) -> Self {
        match (unfinished, overdue) {
            (Some(_), _) => Self::Continuation,
            (None, Some(_)) => Self::Overdue,
            (None, None) => Self::Webhook,
        }
    }
}

/// A message that is no delivery.
#[derive(Debug, Error)]
pub enum DeliveryError {
    /// The message was not written by this pipeline.
    #[error("the message is not a delivery: {0}")]
    NotADelivery(String),
    /// The webhook in it is not one of Belvo's.
    #[error("the webhook is not a notification")]
    NotANotification(#[from] NotificationError),
}

/// SQS did not do what it was asked for.
#[derive(Debug, Error)]
pub enum QueueError {
    /// The message was not accepted.
    #[error("the queue did not accept the message")]
    Send(#[source] Box<SdkError<SendMessageError>>),
    /// The message comes back by the queue's own visibility timeout instead.
    #[error("the queue did not change when the message comes back")]
    Visibility(#[source] Box<SdkError<ChangeMessageVisibilityError>>),
    /// The message could not be written as JSON.
    #[error("the message could not be written")]
    Encoding(#[source] serde_json::Error),
}

impl Delivery {
    /// A delivery of a webhook's body that came in now. `gateway_request_id` correlates it if it
    /// names no request.
    pub fn of_webhook(body: &str, gateway_request_id: &str) -> Result<Self, NotificationError> {
        let notification = Notification::parse(body)?;
        let webhook = RawValue::from_string(body.trim().to_owned())
            .map_err(|error| NotificationError::NotJson(json_fault(&error)))?;
        let correlation_id = notification
            .request_id
            .as_ref()
            .map_or_else(|| gateway_request_id.to_owned(), ToString::to_string);
        let id = hex::encode(Sha256::digest(body));
        Ok(Self {
            id,
            correlation_id,
            received_at: Timestamp::now(),
            notification,
            webhook,
            unfinished: None,
            overdue: None,
        })
    }

    /// Stands in for the webhook when Belvo answered a request with its data at once.
    pub fn of_ready_request(
        resource: Resource,
        link: &LinkId,
        id: &RequestId,
    ) -> Result<Self, NotificationError> {
        let webhook = json!({
            "webhook_type": resource.webhook_type(), "webhook_code": "answered_at_once",
            "link_id": link, "request_id": id
        });
        Self::of_webhook(&webhook.to_string(), id.as_str())
    }

    /// Stands in for the webhook when Belvo no longer has a link.
    pub fn of_deleted_link(link: &LinkId) -> Result<Self, NotificationError> {
        let webhook =
            json!({"webhook_type": "LINK", "webhook_code": LINK_DELETED, "link_id": link});
        Self::of_webhook(&webhook.to_string(), link.as_str())
    }

    /// Stands in for the webhook of a link of which nothing was heard, and that is looked after
    /// again at `next`.
    pub fn of_silent_link(link: &LinkId, next: Timestamp) -> Result<Self, NotificationError> {
        let webhook = json!({
            "webhook_type": Resource::TRANSACTIONS.webhook_type(), "webhook_code": SILENT, "link_id": link,
            "data": { "next": next }
        });
        let delivery = Self::of_webhook(&webhook.to_string(), link.as_str())?;
        Ok(Self {
            overdue: Some(next),
            ..delivery
        })
    }

    /// Stands in for the webhook of a request that is overdue, and will be so again at `next`.
    pub fn of_overdue_request(
        record: &RequestRecord,
        next: Timestamp,
    ) -> Result<Self, NotificationError> {
        let webhook = json!({
            "webhook_type": record.resource.webhook_type(), "webhook_code": "overdue",
            "link_id": record.link, "request_id": record.id, "data": { "next": next }
        });
        let delivery = Self::of_webhook(&webhook.to_string(), record.id.as_str())?;
        Ok(Self {
            overdue: Some(next),
            ..delivery
        })
    }

    /// Reads a message of the queue.
    pub fn parse(message: &str) -> Result<Self, DeliveryError> {
        let message: Message = serde_json::from_str(message)
            .map_err(|error| DeliveryError::NotADelivery(json_fault(&error)))?;
        let sha256 = message.delivery_id.len() == 64
            && message
                .delivery_id
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit());
        if !sha256 || message.kind != Kind::of(message.unfinished.as_ref(), message.overdue) {
            return Err(DeliveryError::NotADelivery(
                "its parts do not fit together".to_owned(),
            ));
        }
        Ok(Self {
            id: message.delivery_id,
            correlation_id: message.correlation_id,
            received_at: message.received_at,
            notification: Notification::parse(message.webhook.get())?,
            webhook: message.webhook,
            unfinished: message.unfinished,
            overdue: message.overdue,
        })
    }

    fn message(&self) -> Result<String, QueueError> {
        let message = Message {
            kind: Kind::of(self.unfinished.as_ref(), self.overdue),
            delivery_id: self.id.clone(),
            correlation_id: self.correlation_id.clone(),
            received_at: self.received_at,
            webhook: self.webhook.clone(),
            unfinished: self.unfinished.clone(),
            overdue: self.overdue,
        };
        serde_json::to_string(&message).map_err(QueueError::Encoding)
    }

    /// What SQS drops repetitions by, for five minutes. A webhook with a request id says the same
    /// thing each time it is sent. One without may say "there is news" twice with the same bytes,
    /// and the second must not be dropped after the first was collected, so each is its own
    /// (docs/decisions/0003). A continuation is one step of one collection.
    fn deduplication_id(&self) -> String {
        if let Some(Unfinished { progress, .. }) = &self.unfinished {
            return format!(
                "{}-{}-{}",
                &self.id[..32],
                progress.started_at.unix_millis(),
                progress.parts
            );
        }
        match self.notification.request_id {
            Some(_) => self.id.clone(),
            None => format!("{}-{}", &self.id[..32], uuid::Uuid::new_v4().simple()),
        }
    }
}

/// The queue.
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    /// The queue at `url`.
    #[must_use]
    pub fn new(aws: &SdkConfig, url: String) -> Self {
        Self {
            client: aws_sdk_sqs::Client::new(aws),
            url,
        }
    }

    /// Opens the connection that the first message will use. A failure shows again, with its
    /// reason, on that message.
    pub async fn warm_up(&self) {
        let _ = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .send()
            .await;
    }

    /// Puts a delivery into the group of its link. When this returns `Ok`, SQS holds the message
    /// durably.
    pub async fn send(&self, delivery: &Delivery) -> Result<(), QueueError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(delivery.message()?)
            .message_group_id(delivery.notification.link.as_str())
            .message_deduplication_id(delivery.deduplication_id())
            .send()
            .await
            .map_err(|error| QueueError::Send(Box::new(error)))?;
        Ok(())
    }

    /// Lets a message come back after `wait` instead of the queue's visibility timeout.
    pub async fn retry_after(
        &self,
        receipt_handle: &str,
        wait: Duration,
    ) -> Result<(), QueueError> {
        let seconds = i32::try_from(wait.min(LONGEST_WAIT).as_secs()).unwrap_or(i32::MAX);
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(seconds)
            .send()
            .await
            .map_err(|error| QueueError::Visibility(Box::new(error)))?;
        Ok(())
    }
}

/// The dead-letter queue of [`Queue`].
pub struct DeadLetters {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl DeadLetters {
    /// The dead-letter queue at `url`.
    #[must_use]
    pub fn new(aws: &SdkConfig, url: String) -> Self {
        Self {
            client: aws_sdk_sqs::Client::new(aws),
            url,
        }
    }

    /// Puts a message that is given up, as it is, beside the reason (attributes `reason` and
    /// `receives`), so that moving it back to the queue tries it again. May be repeated: a second
    /// copy is as harmless as a second delivery.
    pub async fn put(
        &self,
        body: &str,
        group: &str,
        reason: &str,
        receives: u32,
    ) -> Result<(), QueueError> {
        // SQS takes attributes of 256 KB; the reason is for a person.
        let reason: String = reason.chars().take(1_000).collect();
        let attribute = |kind: &str, value: String| {
            let value = MessageAttributeValue::builder()
                .data_type(kind)
                .string_value(value)
                .build();
            value.map_err(|error| QueueError::Send(Box::new(SdkError::construction_failure(error))))
        };
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_group_id(group)
            .message_deduplication_id(uuid::Uuid::new_v4().to_string())
            .message_attributes("reason", attribute("String", reason)?)
            .message_attributes("receives", attribute("Number", receives.to_string())?)
            .send()
            .await
            .map_err(|error| QueueError::Send(Box::new(error)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Days;

    const WITH_ID: &str = r#"{"webhook_type":"TRANSACTIONS","webhook_code":"historical_update",
        "link_id":"16f68516-bcbc-4cf7-b815-c500d4204e28","request_id":"4363b08b51eb43509c745df5ac92a7f6"}"#;
    const WITHOUT_ID: &str = r#"{"webhook_type":"TRANSACTIONS","webhook_code":"transactions_updated",
        "link_id":"16f68516-bcbc-4cf7-b815-c500d4204e28"}"#;

    fn delivery(body: &str) -> Delivery {
        Delivery::of_webhook(body, "gateway").unwrap()
    }

    #[test]
    fn a_redelivered_webhook_is_the_same_message() {
        let id = |body: &str| delivery(body).deduplication_id();
        assert_eq!(id(WITH_ID), id(WITH_ID));
        assert_ne!(id(WITH_ID), id(&WITH_ID.replace("4363", "4364")));
    }

    #[test]
    fn news_without_a_request_id_are_never_dropped() {
        let (one, other) = (
            delivery(WITHOUT_ID).deduplication_id(),
            delivery(WITHOUT_ID).deduplication_id(),
        );
        assert_ne!(one, other);
        assert!(one.len() <= 128, "SQS takes 128 characters");
    }

    #[test]
    fn a_delivery_is_correlated_by_its_request_or_else_by_its_invocation() {
        assert_eq!(
            delivery(WITH_ID).correlation_id,
            "4363b08b51eb43509c745df5ac92a7f6"
        );
        assert_eq!(delivery(WITHOUT_ID).correlation_id, "gateway");
    }

    #[test]
    fn a_delivery_survives_the_queue() {
        let sent = delivery(WITH_ID);
        let read = Delivery::parse(&sent.message().unwrap()).unwrap();
        assert_eq!(
            (&read.id, &read.correlation_id, read.received_at),
            (&sent.id, &sent.correlation_id, sent.received_at)
        );
        assert_eq!(
            (read.webhook.get(), read.notification),
            (WITH_ID, sent.notification)
        );
    }

    #[test]
    fn a_continuation_survives_the_queue_and_is_one_message_however_often_it_is_sent() {
        let at = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        let unfinished = |started_at| Unfinished {
            requests: vec![RequestId::parse("r").unwrap()],
            account: None,
            counts_after: false,
            not_before: None,
            progress: Progress::new(Days::ALL, true, started_at),
        };
        let continuation = |started_at| Delivery {
            unfinished: Some(unfinished(started_at)),
            ..delivery(WITHOUT_ID)
        };
        let read = Delivery::parse(&continuation(at).message().unwrap()).unwrap();
        assert_eq!(read.unfinished, Some(unfinished(at)));
        assert_eq!(
            continuation(at).deduplication_id(),
            continuation(at).deduplication_id()
        );
        assert_ne!(
            continuation(at).deduplication_id(),
            continuation(at.plus_seconds(1)).deduplication_id()
        );
    }

    #[test]
    fn a_webhook_cannot_pass_for_an_overdue_request() {
        let record = json!({
            "id": "r", "link": "16f68516-bcbc-4cf7-b815-c500d4204e28", "resource": "transactions"
        });
        let next = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        let overdue =
            Delivery::of_overdue_request(&serde_json::from_value(record).unwrap(), next).unwrap();
        let read = Delivery::parse(&overdue.message().unwrap()).unwrap();
        assert_eq!(read.overdue, Some(next));
        assert_eq!(
            delivery(read.webhook.get()).overdue,
            None,
            "the same bytes as a webhook"
        );
    }

    #[test]
    fn only_the_schedules_message_is_a_sweep() {
        assert!(is_sweep(r#"{"kind":"sweep","at":"2026-03-01T00:00:00Z"}"#));
        assert!(
            !is_sweep(&delivery(WITH_ID).message().unwrap())
                && !is_sweep("sweep")
                && !is_sweep("{}")
        );
    }

    /// What SQS must take for one message when it is sent twice, and what it must not.
    #[test]
    fn each_kind_of_message_is_told_from_others_by_its_deduplication_id() {
        let next = |second| {
            Timestamp::parse("2026-03-01T00:00:00Z")
                .unwrap()
                .plus_seconds(second)
        };
        let link = LinkId::parse("16f68516-bcbc-4cf7-b815-c500d4204e28").unwrap();
        let ready = |id: &str| {
            let id = RequestId::parse(id).unwrap();
            Delivery::of_ready_request(Resource::TRANSACTIONS, &link, &id)
        };
        let overdue = |id: &str, second| {
            let record = json!({"id": id, "link": link, "resource": "transactions"});
            Delivery::of_overdue_request(&serde_json::from_value(record).unwrap(), next(second))
        };
        let sent_once = [
            (
                delivery(WITH_ID),
                delivery(WITH_ID),
                delivery(&WITH_ID.replace("4363", "4364")),
            ),
            (
                ready("a").unwrap(),
                ready("a").unwrap(),
                ready("b").unwrap(),
            ),
            (
                overdue("a", 0).unwrap(),
                overdue("a", 0).unwrap(),
                overdue("a", 1).unwrap(),
            ),
            (
                overdue("a", 0).unwrap(),
                overdue("a", 0).unwrap(),
                overdue("b", 0).unwrap(),
            ),
        ];
        for (one, again, other) in sent_once {
            assert_eq!(one.deduplication_id(), again.deduplication_id(), "{one:?}");
            assert_ne!(one.deduplication_id(), other.deduplication_id(), "{one:?}");
        }

        let each_its_own = [
            delivery(WITHOUT_ID),
            Delivery::of_deleted_link(&link).unwrap(),
            Delivery::of_silent_link(&link, next(0)).unwrap(),
        ];
        for message in each_its_own {
            assert_ne!(
                message.deduplication_id(),
                message.deduplication_id(),
                "{message:?}"
            );
        }
    }

    #[test]
    fn what_is_no_delivery_is_refused_without_repeating_it() {
        let error = Delivery::parse("\"secret\"").unwrap_err();
        assert!(
            matches!(error, DeliveryError::NotADelivery(_))
                && !error.to_string().contains("secret"),
            "{error}"
        );
        let id = "0".repeat(64);
        let stray = |kind: &str, id: &str| {
            format!(
                r#"{{"kind":"{kind}","delivery_id":"{id}","correlation_id":"c",
                "received_at":"2026-03-01T00:00:00Z","webhook":{{}}}}"#
            )
        };
        assert!(matches!(
            Delivery::parse(&stray("webhook", &id)),
            Err(DeliveryError::NotANotification(_))
        ));
        for message in [
            stray("webhook", "d"),
            stray("continuation", &id),
            stray("other", &id),
        ] {
            assert!(
                matches!(
                    Delivery::parse(&message),
                    Err(DeliveryError::NotADelivery(_))
                ),
                "{message}"
            );
        }
    }
}
