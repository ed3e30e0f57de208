//! The FIFO queue between the webhook and the collection: one message per delivery, one group per link, so that the
//! work of a link is serial and links do not wait for each other (decision 3 of the design).

use std::time::Duration;

use aws_sdk_sqs::{
    error::SdkError,
    operation::{change_message_visibility::ChangeMessageVisibilityError, send_message::SendMessageError},
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    aws::SdkConfig,
    belvo::{Notification, NotificationError},
    domain::{LinkId, RequestId, Resource, Timestamp},
};

/// The longest time SQS hides a message, twelve hours (`ChangeMessageVisibility`, SQS API reference).
const LONGEST_WAIT: Duration = Duration::from_hours(12);

/// One webhook on its way to the collection.
#[derive(Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// SHA-256 of the webhook's bytes: the same for every redelivery of them.
    pub delivery_id: String,
    /// What the log lines of this work share, from the webhook on: Belvo's request id, else API Gateway's.
    pub correlation_id: String,
    /// When the webhook came in.
    pub received_at: Timestamp,
    /// The webhook as Belvo sent it.
    pub webhook: Box<RawValue>,
}

/// A message that is no delivery.
#[derive(Debug, Error)]
pub enum DeliveryError {
    /// The message was not written by this pipeline.
    #[error("the message is not a delivery")]
    NotADelivery(#[source] serde_json::Error),
    /// The webhook in it is not one of Belvo's.
    #[error("the webhook in the message is not a notification")]
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
    /// A delivery of the webhook in `body`, which must be JSON.
    pub fn of_webhook(body: &[u8], correlation_id: String) -> Result<Self, DeliveryError> {
        let webhook = serde_json::from_slice(body).map_err(DeliveryError::NotADelivery)?;
        let delivery_id = hex::encode(Sha256::digest(body));
        Ok(Self { delivery_id, correlation_id, received_at: Timestamp::now(), webhook })
    }

    /// Stands in for the webhook when Belvo answered a request with its data at once.
    pub fn of_ready_request(resource: Resource, link: &LinkId, id: &RequestId) -> Result<Self, DeliveryError> {
        let webhook = json!({
            "webhook_type": resource.webhook_type(), "webhook_code": "answered_at_once",
            "link_id": link, "request_id": id
        });
        Self::of_webhook(webhook.to_string().as_bytes(), id.to_string())
    }

    /// Reads a message of the queue.
    pub fn parse(message: &str) -> Result<(Self, Notification), DeliveryError> {
        let delivery: Self = serde_json::from_str(message).map_err(DeliveryError::NotADelivery)?;
        let notification = Notification::parse(delivery.webhook.get().as_bytes())?;
        Ok((delivery, notification))
    }

    /// What SQS drops repetitions by, for five minutes. A webhook with a request id says the same thing each time it is
    /// sent. One without may say "there is news" twice with the same bytes, and the second must not be dropped after
    /// the first was collected, so each is its own (docs/decisions/0003).
    fn deduplication_id(&self, notification: &Notification) -> String {
        match notification.request_id {
            Some(_) => self.delivery_id.clone(),
            None => format!("{}-{}", &self.delivery_id[..32], uuid::Uuid::new_v4().simple()),
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
        Self { client: aws_sdk_sqs::Client::new(aws), url }
    }

    /// Opens the connection that the first message will use. A failure shows again, with its reason, on that message.
    pub async fn warm_up(&self) {
        let _ = self.client.get_queue_attributes().queue_url(&self.url).send().await;
    }

    /// Puts a delivery into the group of its link. When this returns `Ok`, SQS holds the message durably.
    pub async fn send(&self, delivery: &Delivery, notification: &Notification) -> Result<(), QueueError> {
        let body = serde_json::to_string(delivery).map_err(QueueError::Encoding)?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_group_id(notification.link.as_str())
            .message_deduplication_id(delivery.deduplication_id(notification))
            .send()
            .await
            .map_err(|error| QueueError::Send(Box::new(error)))?;
        Ok(())
    }

    /// Lets a message come back after `wait` instead of the queue's visibility timeout.
    pub async fn retry_after(&self, receipt_handle: &str, wait: Duration) -> Result<(), QueueError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const WITH_ID: &str = r#"{"webhook_type":"TRANSACTIONS","webhook_code":"historical_update",
        "link_id":"16f68516-bcbc-4cf7-b815-c500d4204e28","request_id":"4363b08b51eb43509c745df5ac92a7f6"}"#;
    const WITHOUT_ID: &str = r#"{"webhook_type":"TRANSACTIONS","webhook_code":"transactions_updated",
        "link_id":"16f68516-bcbc-4cf7-b815-c500d4204e28"}"#;

    fn deduplication_id(body: &str) -> String {
        let delivery = Delivery::of_webhook(body.as_bytes(), "c".to_owned()).unwrap();
        let notification = Notification::parse(body.as_bytes()).unwrap();
        delivery.deduplication_id(&notification)
    }

    #[test]
    fn a_redelivered_webhook_is_the_same_message() {
        assert_eq!(deduplication_id(WITH_ID), deduplication_id(WITH_ID));
        assert_ne!(deduplication_id(WITH_ID), deduplication_id(&WITH_ID.replace("4363", "4364")));
    }

    #[test]
    fn news_without_a_request_id_are_never_dropped() {
        let (one, other) = (deduplication_id(WITHOUT_ID), deduplication_id(WITHOUT_ID));
        assert_ne!(one, other);
        assert!(one.len() <= 128, "SQS takes 128 characters");
    }

    #[test]
    fn a_delivery_survives_the_queue() {
        let sent = Delivery::of_webhook(WITH_ID.as_bytes(), "c".to_owned()).unwrap();
        let (read, notification) = Delivery::parse(&serde_json::to_string(&sent).unwrap()).unwrap();
        assert_eq!((read.delivery_id, read.correlation_id), (sent.delivery_id, sent.correlation_id));
        assert_eq!(read.webhook.get(), WITH_ID);
        assert_eq!(notification.code, "historical_update");
    }

    #[test]
    fn what_is_no_delivery_is_refused() {
        assert!(matches!(Delivery::parse("{}"), Err(DeliveryError::NotADelivery(_))));
        let stray = r#"{"delivery_id":"d","correlation_id":"c","received_at":"2026-03-01T00:00:00Z","webhook":{}}"#;
        assert!(matches!(Delivery::parse(stray), Err(DeliveryError::NotANotification(_))));
    }
}
