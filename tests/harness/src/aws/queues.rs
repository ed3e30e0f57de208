//! SQS: the FIFO queue of the pipeline and its dead-letter queue ("Amazon SQS FIFO queues", SQS
//! developer guide). Within a group, a message is received only when all before it are gone.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use super::lock;
use crate::Refusal;

/// How the address of the dead-letter queue ends; every other one is that of the pipeline's queue.
pub const DEAD_LETTERS: &str = "/dead-letters.fifo";
/// How long a received message is hidden (template.yaml).
const VISIBILITY: Duration = Duration::from_mins(30);
/// How long a second message with the same id is dropped.
const DEDUPLICATED: Duration = Duration::from_mins(5);
/// The most messages that are received at once.
const BATCH: usize = 10;

/// Both queues.
#[derive(Default)]
pub struct Queues {
    main: Mutex<Fifo>,
    dead_letters: Mutex<Fifo>,
    changed: Notify,
}

#[derive(Default)]
struct Fifo {
    /// In their order.
    messages: BTreeMap<u64, Message>,
    /// What was received and when it shows again, if it has not done so yet.
    hidden: BTreeSet<(Instant, u64)>,
    /// When each deduplication id of a group was last used, and by which message.
    recent: HashMap<(String, String), (Instant, String)>,
    sent: u64,
    received: u64,
}

/// A message in a queue.
#[derive(Clone)]
pub struct Message {
    /// SQS's id of it.
    pub id: String,
    /// Its text.
    pub body: String,
    /// Its group: a link.
    pub group: String,
    /// As they were sent.
    pub attributes: Value,
    /// How often it was received.
    pub receives: u32,
    /// Of the latest receive.
    pub receipt: String,
    /// Whether SQS moved it here, which says no reason.
    pub is_moved: bool,
    visible_at: Instant,
}

impl Queues {
    /// Answers an operation.
    pub fn perform(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let request: Value = serde_json::from_slice(body)?;
        let url = request["QueueUrl"].as_str().unwrap_or_default();
        let queue = if url.ends_with(DEAD_LETTERS) {
            &self.dead_letters
        } else {
            &self.main
        };
        let mut queue = lock(queue);
        let answer = match operation {
            "SendMessage" => queue.send(&request),
            "ChangeMessageVisibility" => queue.change_visibility(&request)?,
            "GetQueueAttributes" => queue.attributes(),
            "ReceiveMessage" => queue.answer_received(&request),
            "DeleteMessage" => {
                queue.delete(request["ReceiptHandle"].as_str().unwrap_or_default());
                Value::Object(Map::new())
            }
            _ => return Err(Refusal::unsupported(operation)),
        };
        drop(queue);
        self.changed.notify_waiters();
        Ok(serde_json::to_vec(&answer)?)
    }

    /// Receives a batch once there are messages, as a trigger does. What was received more often
    /// than `most` goes to the dead-letter queue instead.
    pub async fn receive(&self, most: u32) -> Vec<Message> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let batch = self.receive_now(most);
            if !batch.is_empty() {
                return batch;
            }
            let next_visible = lock(&self.main).next_visible();
            match next_visible {
                Some(at) => {
                    let _ = tokio::time::timeout_at(at, changed).await;
                }
                None => changed.await,
            }
        }
    }

    fn receive_now(&self, most: u32) -> Vec<Message> {
        let (batch, dead) = lock(&self.main).receive(BATCH, most);
        let mut dead_letters = lock(&self.dead_letters);
        for letter in dead {
            dead_letters.append(letter);
        }
        batch
    }

    /// Deletes a message that was received with this receipt, if it is still hidden.
    pub fn delete(&self, receipt: &str) {
        lock(&self.main).delete(receipt);
        self.changed.notify_waiters();
    }

    /// Shows a message again that was received with this receipt and is still hidden, as SQS does
    /// half an hour later.
    pub fn show(&self, receipt: &str) {
        lock(&self.main).hide_until(receipt, Instant::now());
        self.changed.notify_waiters();
    }

    /// Puts a message into the pipeline's queue, as another service does.
    pub fn put(&self, body: &str, group: &str) {
        let request = json!({
            "MessageBody": body,
            "MessageGroupId": group,
            "MessageDeduplicationId": Uuid::new_v4().to_string(),
        });
        lock(&self.main).send(&request);
        self.changed.notify_waiters();
    }

    /// How many messages are in the pipeline's queue, those in flight included.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.main).messages.len()
    }

    /// Takes all dead letters.
    #[must_use]
    pub fn take_dead_letters(&self) -> Vec<Message> {
        let mut dead_letters = lock(&self.dead_letters);
        dead_letters.hidden.clear();
        let messages = std::mem::take(&mut dead_letters.messages);
        messages.into_values().collect()
    }
}

impl Fifo {
    fn send(&mut self, request: &Value) -> Value {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let (body, group) = (text("MessageBody"), text("MessageGroupId"));
        let now = Instant::now();
        let key = (group.clone(), text("MessageDeduplicationId"));
        let known = self.recent.get(&key);
        let known = known.filter(|(at, _)| now - *at < DEDUPLICATED);
        let id = if let Some((_, id)) = known {
            id.clone()
        } else {
            let id = Uuid::new_v4().to_string();
            self.recent.insert(key, (now, id.clone()));
            self.append(Message {
                id: id.clone(),
                body: body.clone(),
                group,
                attributes: request["MessageAttributes"].clone(),
                receives: 0,
                receipt: String::new(),
                is_moved: false,
                visible_at: now,
            });
            id
        };
        json!({
            "MD5OfMessageBody": hex::encode(Md5::digest(&body)),
            "MessageId": id,
            "SequenceNumber": "1",
        })
    }

    /// Puts a message behind all others.
    fn append(&mut self, message: Message) {
        self.sent += 1;
        self.messages.insert(self.sent, message);
    }

    /// So many messages at most, and what has been received too often, which goes to the
    /// dead-letter queue. Of a group of which a message is in flight, nothing is received.
    fn receive(&mut self, count: usize, most: u32) -> (Vec<Message>, Vec<Message>) {
        let now = Instant::now();
        let in_flight = self.in_flight(now).map(|number| &self.messages[&number]);
        let locked: HashSet<_> = in_flight.map(|one| one.group.clone()).collect();
        let is_free = |(_, message): &(&u64, &Message)| !locked.contains(&message.group);
        let numbers = self.messages.iter().filter(is_free);
        let numbers: Vec<_> = numbers.map(|(number, _)| *number).take(count).collect();
        let (mut batch, mut dead) = (Vec::new(), Vec::new());
        for number in numbers {
            if self.messages[&number].receives >= most {
                dead.extend(self.remove(number).map(|message| Message {
                    is_moved: true,
                    ..message
                }));
            } else {
                batch.extend(self.take(number, now));
            }
        }
        (batch, dead)
    }

    /// Receives one message.
    fn take(&mut self, number: u64, now: Instant) -> Option<Message> {
        let message = self.messages.get_mut(&number)?;
        self.hidden.remove(&(message.visible_at, number));
        self.received += 1;
        message.receives += 1;
        message.visible_at = now + VISIBILITY;
        message.receipt = format!("{}-{}", message.id, self.received);
        self.hidden.insert((message.visible_at, number));
        Some(message.clone())
    }

    fn remove(&mut self, number: u64) -> Option<Message> {
        let message = self.messages.remove(&number)?;
        self.hidden.remove(&(message.visible_at, number));
        Some(message)
    }

    fn delete(&mut self, receipt: &str) {
        if let Some(number) = self.received_with(receipt) {
            self.remove(number);
        }
    }

    /// The messages that are hidden.
    fn in_flight(&self, now: Instant) -> impl Iterator<Item = u64> {
        let later = self.hidden.range((now, u64::MAX)..);
        later.map(|(_, number)| *number)
    }

    /// The hidden message that was received with this receipt.
    fn received_with(&self, receipt: &str) -> Option<u64> {
        let mut in_flight = self.in_flight(Instant::now());
        in_flight.find(|number| self.messages[number].receipt == receipt)
    }

    /// Whether there is such a message.
    fn hide_until(&mut self, receipt: &str, at: Instant) -> bool {
        let Some(number) = self.received_with(receipt) else {
            return false;
        };
        if let Some(message) = self.messages.get_mut(&number) {
            self.hidden.remove(&(message.visible_at, number));
            message.visible_at = at;
            self.hidden.insert((at, number));
        }
        true
    }

    fn change_visibility(&mut self, request: &Value) -> Result<Value, Refusal> {
        let receipt = request["ReceiptHandle"].as_str().unwrap_or_default();
        let seconds = request["VisibilityTimeout"].as_u64().unwrap_or_default();
        let at = Instant::now() + Duration::from_secs(seconds);
        if self.hide_until(receipt, at) {
            return Ok(Value::Object(Map::new()));
        }
        Err(Refusal {
            status: 400,
            body: json!({"__type": "com.amazonaws.sqs#MessageNotInflight"}).to_string(),
            is_of_throughput: false,
        })
    }

    fn attributes(&self) -> Value {
        let hidden = self.in_flight(Instant::now()).count();
        let waiting = self.messages.len() - hidden;
        json!({"Attributes": {
            "ApproximateNumberOfMessages": waiting.to_string(),
            "ApproximateNumberOfMessagesNotVisible": hidden.to_string(),
        }})
    }

    /// What `ReceiveMessage` answers, which moves nothing to the dead-letter queue.
    fn answer_received(&mut self, request: &Value) -> Value {
        let count = request["MaxNumberOfMessages"].as_u64().unwrap_or(1);
        let (messages, _) = self.receive(usize::try_from(count).unwrap_or(1), u32::MAX);
        let messages: Vec<_> = messages.iter().map(Message::answer).collect();
        json!({ "Messages": messages })
    }

    /// When the next hidden message becomes visible.
    fn next_visible(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut later = self.hidden.range((now, u64::MAX)..);
        later.next().map(|(at, _)| *at)
    }
}

impl Message {
    /// The message as a trigger passes it to a function.
    #[must_use]
    pub fn event(&self) -> Value {
        let attributes = self.attributes.as_object().into_iter().flatten();
        let attributes: Map<_, _> = attributes
            .map(|(name, value)| {
                let value = json!({
                    "stringValue": value["StringValue"],
                    "dataType": value["DataType"],
                    "stringListValues": [],
                    "binaryListValues": [],
                });
                (name.clone(), value)
            })
            .collect();
        json!({
            "messageId": self.id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": self.receives.to_string(),
                "MessageGroupId": self.group,
            },
            "messageAttributes": attributes,
            "md5OfBody": hex::encode(Md5::digest(&self.body)),
            "eventSource": "aws:sqs",
            "awsRegion": "us-east-1",
        })
    }

    /// The message as `ReceiveMessage` answers it.
    fn answer(&self) -> Value {
        let mut answer = json!({
            "MessageId": self.id,
            "ReceiptHandle": self.receipt,
            "Body": self.body,
            "MD5OfBody": hex::encode(Md5::digest(&self.body)),
            "Attributes": {"MessageGroupId": self.group},
        });
        if self.is_moved {
            answer["Attributes"]["DeadLetterQueueSourceArn"] = json!("the pipeline's queue");
        }
        if self.attributes.is_object() {
            answer["MessageAttributes"] = self.attributes.clone();
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bodies(queues: &Queues) -> Vec<String> {
        let messages = queues.receive(2).await.into_iter();
        messages.map(|message| message.body).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_gives_nothing_more_until_what_it_gave_is_deleted_or_shows_again() {
        let queues = Queues::default();
        for (body, group) in [("one", "a"), ("two", "a")] {
            queues.put(body, group);
        }
        let batch = queues.receive(2).await;
        queues.put("three", "a");
        queues.put("other", "b");
        assert_eq!(bodies(&queues).await, ["other"]);

        queues.delete(&batch[0].receipt);
        queues.show(&batch[1].receipt);
        assert_eq!(bodies(&queues).await, ["two", "three"]);
        // Nobody deletes them: half an hour later, what was received twice is dead-lettered.
        assert_eq!(bodies(&queues).await, ["three", "other"]);
        assert_eq!(queues.count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_sqs_has_moved_says_where_it_comes_from() {
        let queues = Queues::default();
        queues.put("one", "a");
        queues.put("after it", "b");
        let batch = queues.receive(1).await;
        queues.delete(&batch[1].receipt);
        queues.show(&batch[0].receipt);
        queues.put("next", "c");
        assert_eq!(queues.receive(1).await[0].body, "next");

        let request = json!({"QueueUrl": format!("http://sqs{DEAD_LETTERS}")}).to_string();
        let answer = queues.perform("ReceiveMessage", request.as_bytes());
        let answer: Value = serde_json::from_slice(&answer.ok().unwrap()).unwrap();
        let letter = &answer["Messages"][0];
        assert_eq!(letter["Body"], "one");
        assert!(letter["Attributes"]["DeadLetterQueueSourceArn"].is_string());
    }
}
