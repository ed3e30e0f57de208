//! SQS: the FIFO queue of the pipeline and its dead-letter queue ("Amazon SQS FIFO queues", SQS
//! developer guide). Within a group, a message is received only when all before it are gone.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    time::Duration,
};

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use test_harness::Refusal;
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use crate::settings::{ATTEMPTS, DEAD_LETTER_QUEUE_URL};

/// How long a received message is hidden (template.yaml).
const VISIBILITY: Duration = Duration::from_mins(30);
/// How long a second message with the same id is dropped.
const DEDUPLICATED: Duration = Duration::from_mins(5);
/// The most messages that are received at once.
const BATCH: usize = 10;

/// Both queues.
#[derive(Default)]
pub(crate) struct Queues {
    main: RefCell<Fifo>,
    dead_letters: RefCell<Fifo>,
    changed: Notify,
}

#[derive(Default)]
struct Fifo {
    /// In their order.
    messages: Vec<Message>,
    /// When each deduplication id of a group was last used, and by which message.
    recent: HashMap<(String, String), (Instant, String)>,
    received: u64,
}

/// A message in a queue.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) group: String,
    /// As they were sent.
    pub(crate) attributes: Value,
    pub(crate) receives: u32,
    pub(crate) receipt: String,
    /// Whether SQS moved it here, which says no reason.
    pub(crate) is_moved: bool,
    visible_at: Instant,
}

impl Queues {
    /// Answers an operation that a function asks for.
    pub(crate) fn perform(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let request: Value = serde_json::from_slice(body)?;
        let queue = if request["QueueUrl"] == DEAD_LETTER_QUEUE_URL {
            &self.dead_letters
        } else {
            &self.main
        };
        let answer = match operation {
            "SendMessage" => queue.borrow_mut().send(&request),
            "ChangeMessageVisibility" => queue.borrow_mut().change_visibility(&request)?,
            "GetQueueAttributes" => queue.borrow().attributes(),
            _ => return Err(Refusal::unsupported(operation)),
        };
        self.changed.notify_waiters();
        Ok(serde_json::to_vec(&answer)?)
    }

    /// Receives a batch once there are messages, as a trigger does.
    pub(crate) async fn receive(&self) -> Vec<Message> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let batch = self.receive_now();
            if !batch.is_empty() {
                return batch;
            }
            let next_visible = self.main.borrow().next_visible();
            match next_visible {
                Some(at) => {
                    let _ = tokio::time::timeout_at(at, changed).await;
                }
                None => changed.await,
            }
        }
    }

    fn receive_now(&self) -> Vec<Message> {
        let (batch, dead) = self.main.borrow_mut().receive(ATTEMPTS);
        self.dead_letters.borrow_mut().messages.extend(dead);
        batch
    }

    /// Deletes a message that was received with this receipt, if it is still hidden.
    pub(crate) fn delete(&self, receipt: &str) {
        let (now, mut main) = (Instant::now(), self.main.borrow_mut());
        let is_it = |message: &Message| message.receipt == receipt && message.visible_at > now;
        main.messages.retain(|message| !is_it(message));
        drop(main);
        self.changed.notify_waiters();
    }

    /// Puts a message into the pipeline's queue, as another service does.
    pub(crate) fn put(&self, body: &str, group: &str) {
        let request = json!({
            "MessageBody": body,
            "MessageGroupId": group,
            "MessageDeduplicationId": Uuid::new_v4().to_string(),
        });
        self.main.borrow_mut().send(&request);
        self.changed.notify_waiters();
    }

    /// How many messages are in the pipeline's queue, those in flight included.
    pub(crate) fn count(&self) -> usize {
        self.main.borrow().messages.len()
    }

    /// Takes all dead letters.
    pub(crate) fn take_dead_letters(&self) -> Vec<Message> {
        std::mem::take(&mut self.dead_letters.borrow_mut().messages)
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
            self.messages.push(Message {
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

    /// A batch, and what has been received too often, which goes to the dead-letter queue. Of a group
    /// of which a message is in flight, nothing is received.
    fn receive(&mut self, most: u32) -> (Vec<Message>, Vec<Message>) {
        let now = Instant::now();
        let in_flight = self.messages.iter().filter(|one| one.visible_at > now);
        let mut locked: HashSet<_> = in_flight.map(|one| one.group.clone()).collect();
        let (mut batch, mut dead, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for mut message in std::mem::take(&mut self.messages) {
            if batch.len() == BATCH || locked.contains(&message.group) {
                locked.insert(message.group.clone());
                kept.push(message);
            } else if message.receives >= most {
                message.is_moved = true;
                dead.push(message);
            } else {
                self.received += 1;
                message.receives += 1;
                message.visible_at = now + VISIBILITY;
                message.receipt = format!("{}-{}", message.id, self.received);
                batch.push(message.clone());
                kept.push(message);
            }
        }
        self.messages = kept;
        (batch, dead)
    }

    fn change_visibility(&mut self, request: &Value) -> Result<Value, Refusal> {
        let receipt = request["ReceiptHandle"].as_str().unwrap_or_default();
        let seconds = request["VisibilityTimeout"].as_u64().unwrap_or_default();
        let now = Instant::now();
        let mut in_flight = self.messages.iter_mut();
        let message = in_flight.find(|message| message.receipt == receipt);
        let message = message.filter(|message| message.visible_at > now);
        let Some(message) = message else {
            return Err(Refusal {
                status: 400,
                body: json!({"__type": "com.amazonaws.sqs#MessageNotInflight"}).to_string(),
                is_of_throughput: false,
            });
        };
        message.visible_at = now + Duration::from_secs(seconds);
        Ok(Value::Object(Map::new()))
    }

    fn attributes(&self) -> Value {
        let now = Instant::now();
        let visible = |message: &&Message| message.visible_at <= now;
        let waiting = self.messages.iter().filter(visible).count();
        json!({"Attributes": {"ApproximateNumberOfMessages": waiting.to_string()}})
    }

    /// When the next hidden message becomes visible.
    fn next_visible(&self) -> Option<Instant> {
        let now = Instant::now();
        let times = self.messages.iter().map(|message| message.visible_at);
        times.filter(|at| *at > now).min()
    }
}

impl Message {
    /// The message as a trigger passes it to a function.
    pub(crate) fn event(&self) -> Value {
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
}
