//! The queue and its dead-letter queue in SQS.

use std::time::Duration;

use aws_sdk_sqs::{
    error::SdkError,
    operation::{
        change_message_visibility::ChangeMessageVisibilityError,
        get_queue_attributes::GetQueueAttributesError,
        send_message::{SendMessageError, builders::SendMessageFluentBuilder},
    },
    types::{
        MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
        QueueAttributeName,
    },
};
use thiserror::Error;
use uuid::Uuid;

use super::Task;
use crate::{
    advice::{Advice, FIRST_RETRY},
    aws::SdkConfig,
    telemetry::Trace,
};

/// The longest time SQS hides a message, twelve hours (`ChangeMessageVisibility`, SQS API
/// reference).
const LONGEST_WAIT: Duration = Duration::from_hours(12);

/// A failed call to SQS.
#[derive(Debug, Error)]
pub enum QueueError {
    #[error("the queue did not accept the message")]
    Send(#[source] Box<SdkError<SendMessageError>>),
    /// The message is retried after the queue's own visibility timeout instead.
    #[error("the queue did not set the message's retry delay")]
    Visibility(#[source] Box<SdkError<ChangeMessageVisibilityError>>),
    #[error("the queue did not say how many messages wait in it")]
    Attributes(#[source] Box<SdkError<GetQueueAttributesError>>),
    #[error("the message could not be written")]
    Encoding(#[source] serde_json::Error),
}

impl QueueError {
    /// What the caller does about it.
    #[must_use]
    pub fn advice(&self) -> Advice {
        Advice::Retry(FIRST_RETRY)
    }
}

#[derive(Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    #[must_use]
    pub fn new(aws: &SdkConfig, url: String) -> Self {
        Self {
            client: aws_sdk_sqs::Client::new(aws),
            url,
        }
    }

    /// Opens the connection that the first message will use. A failure shows again, with its
    /// reason, when that message is sent.
    pub async fn warm_up(&self) {
        let _ = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .send()
            .await;
    }

    /// Puts a task into the group of its link. When this returns `Ok`, SQS holds the message
    /// durably.
    pub async fn send(&self, task: &Task) -> Result<(), QueueError> {
        let body = body(task)?;
        let message = message(&self.client, &self.url, &body, task.group());
        sent(message, task.deduplication_id()).await
    }

    /// Puts a received message into its group once more, to be processed from the beginning.
    pub async fn send_again(&self, body: &str, group: &str) -> Result<(), QueueError> {
        let message = message(&self.client, &self.url, body, group);
        sent(message, unique_id()).await
    }

    /// About how many messages wait to be received.
    pub async fn waiting(&self) -> Result<usize, QueueError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(name.clone())
            .send()
            .await
            .map_err(|error| QueueError::Attributes(Box::new(error)))?;
        let number = answer.attributes.as_ref().and_then(|all| all.get(&name));
        Ok(number.and_then(|number| number.parse().ok()).unwrap_or(0))
    }

    /// Releases a message to be retried after `wait` instead of after the queue's visibility
    /// timeout.
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
#[derive(Clone)]
pub struct DeadLetters {
    client: aws_sdk_sqs::Client,
    url: String,
}

/// A message in a group. It carries on the trace that it is sent in.
fn message(
    client: &aws_sdk_sqs::Client,
    url: &str,
    body: &str,
    group: &str,
) -> SendMessageFluentBuilder {
    let message = client
        .send_message()
        .queue_url(url)
        .message_body(body)
        .message_group_id(group);
    let trace = Trace::current().and_then(|trace| {
        let value = MessageSystemAttributeValue::builder().data_type("String");
        value.string_value(trace.header()).build().ok()
    });
    match trace {
        Some(trace) => message
            .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace),
        None => message,
    }
}

/// Sends a message, unless it is a duplicate of one with the same id. When this returns `Ok`, SQS
/// holds it durably.
async fn sent(
    message: SendMessageFluentBuilder,
    deduplication_id: String,
) -> Result<(), QueueError> {
    let message = message.message_deduplication_id(deduplication_id);
    let answer = message.send().await;
    answer.map_err(|error| QueueError::Send(Box::new(error)))?;
    Ok(())
}

/// The id of a message that is a duplicate of no other.
fn unique_id() -> String {
    Uuid::new_v4().to_string()
}

/// The text of a message. SQS refuses two characters that Belvo's webhooks may have (`SendMessage`,
/// Amazon SQS API reference); as escapes, they mean the same to a reader of JSON.
fn body(task: &Task) -> Result<String, QueueError> {
    let text = serde_json::to_string(task).map_err(QueueError::Encoding)?;
    Ok(text
        .replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff"))
}

impl DeadLetters {
    #[must_use]
    pub fn new(aws: &SdkConfig, url: String) -> Self {
        Self {
            client: aws_sdk_sqs::Client::new(aws),
            url,
        }
    }

    /// Dead-letters a message unchanged, with the reason and the number of receives in the
    /// attributes `reason` and `receives`, so that moving it back to the queue retries it. Safe to
    /// repeat: a second copy is as harmless as a second delivery.
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
        let message = message(&self.client, &self.url, body, group)
            .message_attributes("reason", attribute("String", reason)?)
            .message_attributes("receives", attribute("Number", receives.to_string())?);
        sent(message, unique_id()).await
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;
    use crate::queue::Delivery;

    #[test]
    fn characters_that_sqs_refuses_travel_as_escapes() {
        let webhook =
            "{\"webhook_type\": \"LINK\", \"webhook_code\": \"x\u{ffff}\u{fffe}\u{fffd}\",
            \"link_id\": \"16f68516-bcbc-4cf7-b815-c500d4204e28\"}";
        let delivery = Delivery::new(webhook, "gateway", Timestamp::now()).unwrap();
        let sent = body(&Task::Webhook(delivery)).unwrap();
        assert!(!sent.contains(['\u{fffe}', '\u{ffff}']), "{sent}");
        let Ok(Task::Webhook(received)) = serde_json::from_str(&sent) else {
            panic!("{sent}");
        };
        assert_eq!(received.webhook.code, "x\u{ffff}\u{fffe}\u{fffd}");
    }
}
