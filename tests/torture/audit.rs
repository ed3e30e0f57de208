//! What must hold when everything has calmed down.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use serde_json::{Value, json};
use tests::{Link, Stack};
use tokio::time::sleep;
use uuid::Uuid;

const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Announces every link once more, moves back what was given up, and waits until no message is left. Returns how many
/// messages were moved back.
pub(crate) async fn settle(stack: &Stack, links: &[Link<'_>]) -> usize {
    let mut redriven = calm(stack).await;
    let mut last = Vec::new();
    for link in links {
        let id = Uuid::new_v4().to_string();
        let body = link.webhook("TRANSACTIONS", "historical_update", Some(&id)).to_string();
        let answer = stack.deliver(body, Some(&stack.authorization)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        last.push(id);
    }
    redriven += calm(stack).await;
    for id in last {
        let record = stack.get(&format!("/requests/{id}")).await.body;
        assert_eq!((&record["status"], &record["verdict"]), (&json!("collected"), &json!("complete")), "{record}");
    }
    redriven
}

/// Waits until both queues are empty. What was given up is moved back, but for what no function of ours has written; all of
/// it has its reason.
async fn calm(stack: &Stack) -> usize {
    let sqs = aws_sdk_sqs::Client::new(&stack.aws);
    let mut redriven = 0;
    loop {
        for message in take(&sqs, &stack.dead_letter_queue_url).await {
            let reason = message.message_attributes().and_then(|attributes| attributes.get("reason"));
            let moved_by_sqs = attribute(&message, &MessageSystemAttributeName::DeadLetterQueueSourceArn);
            assert!(reason.is_some() || moved_by_sqs.is_some(), "{message:?}");
            let body: Value = serde_json::from_str(message.body().unwrap_or_default()).unwrap_or_default();
            if body["webhook"].is_object() {
                redriven += 1;
                move_back(&sqs, stack, &message).await;
            }
        }
        if count(&sqs, &stack.queue_url).await == 0 && count(&sqs, &stack.dead_letter_queue_url).await == 0 {
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
        sqs.delete_message().queue_url(url).receipt_handle(receipt).send().await.unwrap();
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

/// Messages of a queue, those under way included.
async fn count(sqs: &aws_sdk_sqs::Client, url: &str) -> u64 {
    let names =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    let answer =
        sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec())).send().await.unwrap();
    let attributes = answer.attributes.unwrap_or_default();
    names.iter().map(|name| attributes[name].parse::<u64>().unwrap()).sum()
}

/// The invariants, link by link.
pub(crate) async fn check(stack: &Stack, links: &[Link<'_>]) {
    let mut rows = BTreeMap::new();
    for link in links {
        // I2 and I4: each row once, as Belvo has it, and none that Belvo does not have.
        rows.insert(link.id.clone(), link.assert_equals_the_sandbox().await);
        every_announced_request_has_ended(stack, link).await;
    }
    for link in links {
        marks_are_right(stack, link, &rows).await;
        histories_are_whole(stack, link, rows[&link.id].keys().take(3)).await;
    }
    nothing_secret_was_logged(stack).await;
}

/// I1: whatever was acknowledged has ended.
async fn every_announced_request_has_ended(stack: &Stack, link: &Link<'_>) {
    let mut cursor = String::new();
    loop {
        let page = stack.get(&format!("/links/{}/requests?limit=100{cursor}", link.id)).await.body;
        for record in page["requests"].as_array().unwrap() {
            let ended = ["collected", "failed"].contains(&record["status"].as_str().unwrap());
            assert!(ended || record["notified_at"].is_null(), "announced and not ended: {record}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return,
        }
    }
}

/// What is marked as the same is the same movement of an older link.
async fn marks_are_right(stack: &Stack, link: &Link<'_>, rows: &BTreeMap<String, BTreeMap<String, Value>>) {
    let page = stack.get(&format!("/links/{}/transactions?limit=500", link.id)).await.body;
    for (id, twin) in page["same_as"].as_object().unwrap() {
        let twin_link = twin["link"].as_str().unwrap();
        assert_ne!(twin_link, link.id);
        // Belvo may no longer return the older one.
        let Some(elder) = rows[twin_link].get(twin["id"].as_str().unwrap()) else { continue };
        let name =
            |row: &Value| (row["internal_identification"].clone(), row["account"]["internal_identification"].clone());
        assert_eq!(name(&rows[&link.id][id]), name(elder), "{id} is not {twin}");
    }
}

/// The versions of a row follow one another, and the last one is what is listed.
async fn histories_are_whole(stack: &Stack, link: &Link<'_>, ids: impl Iterator<Item = &String>) {
    for id in ids {
        let history = stack.get(&format!("/links/{}/transactions/{id}/history", link.id)).await.body;
        let versions = history["versions"].as_array().unwrap();
        for pair in versions.windows(2) {
            let (until, from) = (pair[0]["until"].as_str().unwrap(), pair[1]["observed_at"].as_str().unwrap());
            let follows = if pair[0]["deleted"] == json!(true) { until <= from } else { until == from };
            assert!(follows, "{id} has a gap: {history}");
        }
        assert!(versions.last().unwrap()["until"].is_null(), "{id} is listed: {history}");
    }
}

/// I7, for what is known to be secret.
async fn nothing_secret_was_logged(stack: &Stack) {
    let logs = stack.function_logs().await;
    assert!(!logs.contains(&stack.authorization));
    let secrets = aws_sdk_secretsmanager::Client::new(&stack.aws);
    let keys = secrets.get_secret_value().secret_id(&stack.belvo_secret_arn).send().await.unwrap();
    let keys: Value = serde_json::from_str(keys.secret_string().unwrap()).unwrap();
    assert!(!logs.contains(keys["secret_password"].as_str().unwrap()));
}
