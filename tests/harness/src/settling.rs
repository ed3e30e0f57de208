//! Bringing a run to rest.

use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    Link, Stack,
    invariants::{Acknowledged, announce, has_collected_all},
};

/// How long a message held by a killed function stays hidden, in seconds.
const VISIBILITY_S: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// How a run came to rest.
pub struct Settled {
    /// Messages that were redriven from the dead-letter queue.
    pub redriven: usize,
    /// The webhooks that were sent meanwhile.
    pub acknowledged: Acknowledged,
}

/// Makes the messages of a killed function visible again soon.
pub async fn shorten_visibility(stack: &Stack) {
    aws_sdk_sqs::Client::new(&stack.aws)
        .set_queue_attributes()
        .queue_url(&stack.queue_url)
        .attributes(
            QueueAttributeName::VisibilityTimeout,
            VISIBILITY_S.to_string(),
        )
        .send()
        .await
        .unwrap();
}

/// Sends a webhook for every link once more, redrives the dead letters, and waits until no message
/// is left. Twice, because what is marked in one link depends on what the other links have become.
pub async fn settle(stack: &Stack, links: &[Link<'_>]) -> Settled {
    let mut redriven = calm(stack).await;
    let mut acknowledged = Acknowledged::new();
    for _ in 0..2 {
        let mut last = Vec::new();
        for link in links {
            let id = announce(stack, link, &stack.authorization, &mut acknowledged).await;
            last.push((link, id));
        }
        redriven += calm(stack).await;
        for (link, id) in last {
            has_collected_all(stack, link, &id).await;
        }
    }
    Settled {
        redriven,
        acknowledged,
    }
}

/// Waits until both queues are empty. Dead letters are redriven, except those that our functions
/// did not write; each must have its reason.
pub async fn calm(stack: &Stack) -> usize {
    let sqs = aws_sdk_sqs::Client::new(&stack.aws);
    let mut redriven = 0;
    loop {
        for message in take(&sqs, &stack.dead_letter_queue_url).await {
            let reason = message
                .message_attributes()
                .and_then(|attributes| attributes.get("reason"));
            let moved_by_sqs = attribute(
                &message,
                &MessageSystemAttributeName::DeadLetterQueueSourceArn,
            );
            assert!(reason.is_some() || moved_by_sqs.is_some(), "{message:?}");
            let body: Value =
                serde_json::from_str(message.body().unwrap_or_default()).unwrap_or_default();
            if body["task"].is_object() {
                redriven += 1;
                move_back(&sqs, stack, &message).await;
            }
        }
        if count(&sqs, &stack.queue_url).await == 0
            && count(&sqs, &stack.dead_letter_queue_url).await == 0
        {
            return redriven;
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

async fn take(sqs: &aws_sdk_sqs::Client, url: &str) -> Vec<Message> {
    let received = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let messages = received.messages.unwrap_or_default();
    for message in &messages {
        let receipt = message.receipt_handle().unwrap();
        sqs.delete_message()
            .queue_url(url)
            .receipt_handle(receipt)
            .send()
            .await
            .unwrap();
    }
    messages
}

/// What the console's "Start DLQ redrive" does.
async fn move_back(sqs: &aws_sdk_sqs::Client, stack: &Stack, message: &Message) {
    sqs.send_message()
        .queue_url(&stack.queue_url)
        .message_body(message.body().unwrap())
        .message_group_id(attribute(message, &MessageSystemAttributeName::MessageGroupId).unwrap())
        .message_deduplication_id(Uuid::new_v4().to_string())
        .send()
        .await
        .unwrap();
}

fn attribute(message: &Message, name: &MessageSystemAttributeName) -> Option<String> {
    message.attributes()?.get(name).cloned()
}

/// How many messages are in the pipeline's queue, those in flight included.
pub async fn queued(stack: &Stack) -> u64 {
    count(&aws_sdk_sqs::Client::new(&stack.aws), &stack.queue_url).await
}

/// Messages of a queue, including those in flight.
async fn count(sqs: &aws_sdk_sqs::Client, url: &str) -> u64 {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let answer = sqs
        .get_queue_attributes()
        .queue_url(url)
        .set_attribute_names(Some(names.to_vec()))
        .send()
        .await
        .unwrap();
    let attributes = answer.attributes.unwrap_or_default();
    names
        .iter()
        .map(|name| attributes[name].parse::<u64>().unwrap())
        .sum()
}
