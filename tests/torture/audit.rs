//! The invariants that must hold once everything has settled.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use serde_json::{Value, json};
use test_harness::{Follower, Link, Stack, eventually};
use tokio::time::sleep;
use uuid::Uuid;

use crate::trouble::is_unstorable;

const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// How a run came to rest.
pub(crate) struct Settled {
    /// Messages that were redriven from the dead-letter queue.
    pub(crate) redriven: usize,
    /// The delivery ids of the webhooks that were sent meanwhile, by their links.
    acknowledged: BTreeMap<String, BTreeSet<String>>,
}

/// Sends a webhook for every link once more, redrives the dead letters, and waits until no message
/// is left. Twice, because what is marked in one link depends on what the other links have become.
pub(crate) async fn settle(stack: &Stack, links: &[Link<'_>]) -> Settled {
    let mut redriven = calm(stack).await;
    let mut acknowledged: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for _ in 0..2 {
        let mut last = Vec::new();
        for link in links {
            let id = Uuid::new_v4().to_string();
            let body = link
                .webhook("TRANSACTIONS", "historical_update", Some(&id))
                .to_string();
            let answer = stack.deliver(body, Some(&stack.authorization)).await;
            assert_eq!(answer.status, 202, "{answer:?}");
            let of_link = acknowledged.entry(link.id.clone()).or_default();
            of_link.extend(delivery_id(&answer.body));
            last.push((link, id));
        }
        redriven += calm(stack).await;
        for (link, id) in last {
            let record = stack.get(&format!("/requests/{id}")).await.body;
            assert_lacks(&record, unstorable(link).await.len());
        }
    }
    Settled {
        redriven,
        acknowledged,
    }
}

/// By what an acknowledgement says the webhook is archived.
fn delivery_id(acknowledgement: &Value) -> Option<String> {
    Some(acknowledgement["delivery_id"].as_str()?.to_owned())
}

/// Asserts that a request lacks this many rows and no other, because they cannot be stored.
fn assert_lacks(record: &Value, rows: usize) {
    let (status, verdict) = match rows {
        0 => ("collected", "complete".to_owned()),
        rows => ("incomplete", format!("short by {rows}")),
    };
    assert_eq!(
        (&record["status"], &record["verdict"]),
        (&json!(status), &json!(verdict)),
        "{record}"
    );
}

/// The ids of the sandbox's rows that cannot be stored.
async fn unstorable(link: &Link<'_>) -> BTreeSet<String> {
    let truth = link.truth().await.into_iter();
    let rows = truth.filter(|(_, row)| is_unstorable(row));
    rows.map(|(id, _)| id).collect()
}

/// Waits until both queues are empty. Dead letters are redriven, except those that our functions
/// did not write; each must have its reason.
async fn calm(stack: &Stack) -> usize {
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

/// The invariants, link by link.
pub(crate) async fn check(
    stack: &Stack,
    links: &[Link<'_>],
    settled: &Settled,
    follower: &Follower,
    logs: &str,
) {
    let mut rows = BTreeMap::new();
    let log = stack.sandbox.log().await.unwrap();
    for link in links {
        // I2 and I4: each row once, as Belvo has it, and none that Belvo does not have; a row that
        // cannot be stored is named.
        let unstorable = unstorable(link).await;
        assert_eq!(left_out(stack, link).await, unstorable, "{}", link.id);
        let stored = link.assert_equals_the_sandbox_but_for(&unstorable).await;
        // I10: whoever follows the changes has the same.
        follower
            .assert_equals_the_sandbox_but_for(link, &unstorable)
            .await;
        rows.insert(link.id.clone(), stored);
        every_notified_request_has_ended(stack, link).await;
        let mut acknowledged = acknowledged_by_log(link, &log);
        acknowledged.extend(settled.acknowledged[&link.id].iter().cloned());
        every_acknowledged_webhook_is_archived(stack, link, &acknowledged).await;
    }
    marks_are_right(stack, &rows).await;
    for link in links {
        histories_are_whole(stack, link, rows[&link.id].keys().take(3)).await;
    }
    nothing_secret_was_logged(stack, logs).await;
}

/// The ids of the rows that the link's record says are not stored.
async fn left_out(stack: &Stack, link: &Link<'_>) -> BTreeSet<String> {
    let record = stack.get(&format!("/links/{}", link.id)).await.body;
    let named = record["left_out"]["transactions"].as_array();
    let ids = named
        .into_iter()
        .flatten()
        .map(|row| row["id"].as_str().unwrap_or_default().to_owned());
    ids.collect()
}

/// Whether a request has ended; as incomplete, if each of its fetches was troubled or rows of it
/// cannot be stored.
fn has_ended(record: &Value) -> bool {
    ["collected", "failed", "incomplete"].contains(&record["status"].as_str().unwrap())
}

/// I1: whatever was acknowledged has ended, or ends once a late webhook has been processed.
async fn every_notified_request_has_ended(stack: &Stack, link: &Link<'_>) {
    let mut cursor = String::new();
    loop {
        let path = format!("/links/{}/requests?limit=100{cursor}", link.id);
        let page = eventually(&format!("the requests of {} to end", link.id), || async {
            let page = stack.get(&path).await.body;
            let ended = |record: &Value| record["notified_at"].is_null() || has_ended(record);
            page["requests"]
                .as_array()
                .unwrap()
                .iter()
                .all(ended)
                .then_some(page)
        })
        .await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return,
        }
    }
}

/// The delivery ids of a link's webhooks that the sandbox sent and that were acknowledged: none, if
/// each of them went wrong.
fn acknowledged_by_log(link: &Link<'_>, log: &Value) -> BTreeSet<String> {
    let deliveries = log["deliveries"].as_array().unwrap().iter();
    let of_link = deliveries.filter(|delivery| delivery["link"] == link.id.as_str());
    let attempts = of_link.flat_map(|delivery| delivery["attempts"].as_array().unwrap());
    let answers = attempts.filter_map(|attempt| attempt["answer"].as_str());
    let answers = answers.filter_map(|answer| serde_json::from_str::<Value>(answer).ok());
    answers.filter_map(|answer| delivery_id(&answer)).collect()
}

/// I1, too: by what senders were answered.
async fn every_acknowledged_webhook_is_archived(
    stack: &Stack,
    link: &Link<'_>,
    acknowledged: &BTreeSet<String>,
) {
    assert!(!acknowledged.is_empty(), "{}", link.id);
    let (mut archived, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/links/{}/webhooks?limit=100{cursor}", link.id);
        let page = stack.get(&path).await.body;
        let ids = page["webhooks"].as_array().unwrap().iter();
        // Of a webhook that names no request, the id also has the time of its receipt.
        archived.extend(ids.map(|webhook| webhook["id"].as_str().unwrap()[..64].to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let lost: Vec<_> = acknowledged.difference(&archived).collect();
    assert!(lost.is_empty(), "webhooks of {}: {lost:?}", link.id);
}

/// Of each transaction that several links hold under one day, all rows but one are marked as
/// duplicates of it.
async fn marks_are_right(stack: &Stack, rows: &BTreeMap<String, BTreeMap<String, Value>>) {
    let mut unmarked: BTreeMap<String, u32> = BTreeMap::new();
    let mut marked = BTreeMap::new();
    for (link, rows) in rows {
        let page = stack
            .get(&format!("/links/{link}/transactions?limit=500"))
            .await
            .body;
        let marks = page["same_as"].as_object().unwrap().clone();
        for (id, row) in rows {
            let Some(key) = institution_key(row) else {
                continue;
            };
            match marks.get(id) {
                Some(original) => {
                    marked.insert(id.clone(), (key, original.clone()));
                }
                None => *unmarked.entry(key).or_default() += 1,
            }
        }
    }
    let twice: Vec<_> = unmarked.iter().filter(|(_, rows)| **rows > 1).collect();
    assert!(twice.is_empty(), "not marked: {twice:?}");
    for (id, (name, original)) in marked {
        let older = &rows[original["link"].as_str().unwrap()];
        // Of one that cannot be stored, an earlier version is.
        let Some(older) = older.get(original["id"].as_str().unwrap()) else {
            continue;
        };
        // It may be on another day by now.
        let without_day = |name: &str| name.rsplit_once(' ').map(|(name, _)| name.to_owned());
        assert_eq!(
            without_day(&name),
            institution_key(older).as_deref().and_then(without_day),
            "{id} is not {original}"
        );
    }
}

/// What identifies a transaction at its institution, with its day.
fn institution_key(row: &Value) -> Option<String> {
    let (account, name) = (
        &row["account"]["internal_identification"],
        &row["internal_identification"],
    );
    (account.is_string() && name.is_string())
        .then(|| format!("{account} {name} {}", row["value_date"]))
}

/// The versions of a row follow one another, and the last one is what is listed.
async fn histories_are_whole(stack: &Stack, link: &Link<'_>, ids: impl Iterator<Item = &String>) {
    for id in ids {
        let history = stack
            .get(&format!("/links/{}/transactions/{id}/history", link.id))
            .await
            .body;
        let versions = history["versions"].as_array().unwrap();
        for pair in versions.windows(2) {
            let (until, from) = (
                pair[0]["until"].as_str().unwrap(),
                pair[1]["observed_at"].as_str().unwrap(),
            );
            let follows = if pair[0]["deleted"] == json!(true) {
                until <= from
            } else {
                until == from
            };
            assert!(follows, "{id} has a gap: {history}");
        }
        assert!(
            versions.last().unwrap()["until"].is_null(),
            "the last version of {id} has an end: {history}"
        );
    }
}

/// I7, for the known secrets.
async fn nothing_secret_was_logged(stack: &Stack, logs: &str) {
    assert!(!logs.contains(&stack.authorization));
    let keys = stack.belvo_keys().await;
    assert!(!logs.contains(keys["secret_password"].as_str().unwrap()));
}
