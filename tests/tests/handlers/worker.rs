//! A collect function in process, with queues of its own, so that a test decides what it receives
//! and when.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use collect::{App, KnownByResource, RetryPolicy, TURN, handle};
use domain::{
    AccountId, Deadlines, LinkId, RequestId, RequestRecord, Resource, Retrieval, ScrubPeriod,
    Timestamp, UnknownLinks, Window,
};
use serde_json::{Value, json};
use shared::{
    aws::SdkConfig,
    belvo::Pace,
    queue::{DeadLetters, Delivery, Queue, Task},
    store::{Control, TransactionsTable},
};

use crate::surroundings::{Surroundings, good_keys};

/// More than enough time for an invocation.
pub(crate) const AMPLE: Duration = Duration::from_mins(1);
/// The time that Lambda gives one (template.yaml).
const LIFE: Duration = Duration::from_mins(5);
/// Calls of Belvo by one environment, as shipped (template.yaml).
const CALLS_PER_30_S: u32 = 30;

/// The function, its surroundings, and its queues.
pub(crate) struct Worker {
    pub(crate) here: Surroundings,
    pub(crate) app: App,
    /// The configuration of the database with its tables.
    pub(crate) aws: SdkConfig,
    pub(crate) queue_url: String,
    sqs: aws_sdk_sqs::Client,
    dead_letter_queue_url: String,
}

impl Worker {
    pub(crate) async fn new() -> Self {
        Self::among(Surroundings::new().await).await
    }

    /// The same with a Belvo whose pages have at most this many rows.
    pub(crate) async fn with_pages_of(rows: usize) -> Self {
        Self::among(Surroundings::with_pages_of(rows).await).await
    }

    async fn among(here: Surroundings) -> Self {
        let sqs = aws_sdk_sqs::Client::new(&here.stack.aws);
        let (queue_url, dead_letter_queue_url) = (here.queue_url().await, here.queue_url().await);
        let app = App {
            belvo: here.belvo(good_keys()).await,
            control: here.control(),
            transactions: here.transactions(),
            queue: Queue::new(&here.stack.aws, queue_url.clone()),
            dead_letters: DeadLetters::new(&here.stack.aws, dead_letter_queue_url.clone()),
            deadlines: Deadlines {
                due_s: 1_800,
                expires_s: 86_400,
            },
            retry_policy: RetryPolicy {
                attempts: 30,
                longest_wait: Duration::from_mins(15),
            },
            scrubs: ScrubPeriod::of_days(7),
            turn: TURN,
            unknown_links: UnknownLinks::Collect,
            known_fields: KnownByResource::default(),
        };
        let aws = here.stack.aws.clone();
        Self {
            here,
            app,
            aws,
            queue_url,
            sqs,
            dead_letter_queue_url,
        }
    }

    /// The same with tables of its own, which no other test writes to.
    pub(crate) async fn with_own_tables() -> Self {
        Self::new().await.in_own_tables().await
    }

    pub(crate) async fn in_own_tables(mut self) -> Self {
        let stack = &self.here.stack;
        let aws = stack.aws_at(&test_harness::dynoxide_with_tables_of(stack).await);
        self.app.control = Control::open(&aws, stack.requests_table.clone());
        self.app.transactions = TransactionsTable::open(&aws, stack.transactions_table.clone());
        self.aws = aws;
        self
    }

    /// The configuration of the same database, which takes so many more writes.
    pub(crate) async fn gated(&self, writes: u32) -> SdkConfig {
        let dynamodb = self.aws.endpoint_url().expect("an endpoint");
        let gate = test_harness::behind_gate(dynamodb, writes).await;
        self.here.stack.aws_at(&gate)
    }

    /// An environment of the function with the pace of calls as shipped.
    pub(crate) async fn environment(&self) -> App {
        let belvo = self.here.belvo(good_keys()).await;
        App {
            belvo: belvo.with_pace(Pace::in_process(CALLS_PER_30_S)),
            ..self.app.clone()
        }
    }

    /// Invokes an environment with what the queue delivers, ten messages at most, and deletes what
    /// it does not want to be retried; again and again, as the queue's trigger does.
    pub(crate) async fn serve(&self, environment: &App) -> Infallible {
        loop {
            let received = self.receive(&self.queue_url).await;
            let receipts: HashMap<_, _> = received
                .iter()
                .map(|message| (message.message_id.clone(), message.receipt_handle.clone()))
                .collect();
            let messages = received.into_iter().map(event_of).collect();
            let failed = invoke(environment, messages, LIFE).await;
            for (id, receipt) in receipts {
                if failed.iter().all(|message| message.message_id != id) {
                    self.delete(&self.queue_url, receipt.unwrap()).await;
                }
            }
        }
    }

    /// Records a retrieval of January as the request function does, this many seconds ago, due half
    /// an hour later.
    pub(crate) async fn issue(&self, link: &str, id: &str, seconds_ago: i64) {
        self.issue_of(link, id, seconds_ago, None).await;
    }

    /// The same, of one account or of all.
    pub(crate) async fn issue_of(
        &self,
        link: &str,
        id: &str,
        seconds_ago: i64,
        account: Option<&str>,
    ) {
        let at = Timestamp::now().plus_seconds(-seconds_ago);
        let today = Timestamp::now().day();
        let retrieval = Retrieval {
            window: Some(Window::parse("2026-01-01", "2026-01-31", today).unwrap()),
            account: account.map(|id| AccountId::parse(id).unwrap()),
            ..Retrieval::of(LinkId::parse(link).unwrap(), Resource::TRANSACTIONS)
        };
        let id = RequestId::parse(id).unwrap();
        let due_at = at.plus_seconds(1_800);
        let requests = &self.app.control.requests;
        requests.issued(&id, &retrieval, at, due_at).await.unwrap();
    }

    /// Runs the function's sweep for overdue requests and stale links.
    pub(crate) async fn sweep(&self) {
        let mut message = SqsMessage::default();
        message.message_id = Some("sweep".to_owned());
        message
            .attributes
            .insert("MessageGroupId".to_owned(), "sweep".to_owned());
        message.body = Some(json!({"kind": "sweep", "at": Timestamp::now()}).to_string());
        assert!(self.invoke(vec![message], AMPLE).await.is_empty());
    }

    /// Connects a user with this many transactions, and returns the link's id, which no other test
    /// has.
    pub(crate) async fn link(&self, transactions: u64) -> String {
        let seed = uuid::Uuid::new_v4().as_fields().0;
        self.seeded_link(transactions, seed.into()).await
    }

    /// Connects a user whose ids and transactions are those of a seed.
    pub(crate) async fn seeded_link(&self, transactions: u64, seed: u64) -> String {
        let user = json!({"transactions": transactions, "seed": seed});
        self.here.sandbox.link(user).await.unwrap()
    }

    /// Puts a webhook into the queue, as the webhook function does.
    pub(crate) async fn enqueue(&self, webhook: &Value) {
        let webhook = webhook.to_string();
        let delivery = Delivery::new(&webhook, "gateway", Timestamp::now()).unwrap();
        self.app.queue.send(&Task::Webhook(delivery)).await.unwrap();
    }

    /// Puts any text into the group of a link.
    pub(crate) async fn enqueue_text(&self, link: &str, text: &str) {
        let message = self.sqs.send_message().queue_url(&self.queue_url);
        let message = message.message_group_id(link).message_body(text);
        let id = uuid::Uuid::new_v4().to_string();
        message.message_deduplication_id(id).send().await.unwrap();
    }

    /// Takes all messages out of the queue.
    pub(crate) async fn waiting(&self) -> Vec<SqsMessage> {
        self.take(&self.queue_url).await
    }

    /// Takes all messages out of the dead-letter queue.
    pub(crate) async fn dead_letters(&self) -> Vec<SqsMessage> {
        self.take(&self.dead_letter_queue_url).await
    }

    /// Invokes the function with messages and returns those that it wants to be retried.
    pub(crate) async fn invoke(
        &self,
        messages: Vec<SqsMessage>,
        time_left: Duration,
    ) -> Vec<SqsMessage> {
        invoke(&self.app, messages, time_left).await
    }

    /// Invokes the function until the queue is empty; no message may be retried. Returns the number
    /// of invocations.
    pub(crate) async fn process_everything(&self) -> usize {
        for invocations in 0.. {
            let messages = self.waiting().await;
            if messages.is_empty() {
                return invocations;
            }
            // The stack of a test is small.
            let failed = self.invoke(messages, AMPLE).await;
            assert!(failed.is_empty(), "{failed:?}");
        }
        unreachable!()
    }

    /// Every item of a link's partition of the Transactions table, in the order of their keys.
    pub(crate) async fn items_of(&self, link: &str) -> Vec<HashMap<String, AttributeValue>> {
        let answer = aws_sdk_dynamodb::Client::new(&self.aws)
            .query()
            .table_name(&self.here.stack.transactions_table)
            .key_condition_expression("#link = :link")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_values(":link", AttributeValue::S(link.to_owned()))
            .send()
            .await
            .unwrap();
        assert!(answer.last_evaluated_key.is_none(), "one page");
        answer.items.unwrap_or_default()
    }

    /// The record of a retrieval.
    pub(crate) async fn record(&self, id: &str) -> RequestRecord {
        self.app
            .control
            .requests
            .get(&RequestId::parse(id).unwrap())
            .await
            .unwrap()
            .expect("a record")
    }

    async fn take(&self, url: &str) -> Vec<SqsMessage> {
        let mut messages = Vec::new();
        loop {
            let received = self.receive(url).await;
            if received.is_empty() {
                return messages;
            }
            for message in received {
                let receipt = message.receipt_handle.clone().unwrap();
                self.delete(url, receipt).await;
                messages.push(event_of(message));
            }
        }
    }

    async fn receive(&self, url: &str) -> Vec<aws_sdk_sqs::types::Message> {
        let answer = self
            .sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .unwrap();
        answer.messages.unwrap_or_default()
    }

    async fn delete(&self, url: &str, receipt: String) {
        let delete = self.sqs.delete_message().queue_url(url);
        delete.receipt_handle(receipt).send().await.unwrap();
    }
}

/// Invokes a function with messages and returns those that it wants to be retried.
pub(crate) async fn invoke(
    app: &App,
    messages: Vec<SqsMessage>,
    time_left: Duration,
) -> Vec<SqsMessage> {
    let mut batch = SqsEvent::default();
    batch.records.clone_from(&messages);
    // The stack of a test is small.
    let answer = Box::pin(handle(app, batch, time_left)).await;
    let failures = answer.batch_item_failures;
    let failed = |message: &SqsMessage| {
        failures
            .iter()
            .any(|failure| Some(&failure.item_identifier) == message.message_id.as_ref())
    };
    messages.into_iter().filter(failed).collect()
}

/// The id of a retrieval that no other test has.
pub(crate) fn id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A webhook about a link's transactions.
pub(crate) fn webhook(link: &str, code: &str, request_id: Option<&str>) -> Value {
    let mut body =
        json!({"webhook_type": "TRANSACTIONS", "webhook_code": code, "link_id": link, "data": {}});
    if let Some(id) = request_id {
        body["request_id"] = json!(id);
    }
    body
}

/// The message as the trigger passes it to the function.
fn event_of(message: aws_sdk_sqs::types::Message) -> SqsMessage {
    let mut event = SqsMessage::default();
    let attributes = message.attributes.unwrap_or_default();
    event.attributes = attributes
        .into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect();
    let attributes = message
        .message_attributes
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| {
            let value = json!({"stringValue": value.string_value, "dataType": value.data_type});
            (name, serde_json::from_value(value).unwrap())
        });
    event.message_attributes = attributes.collect();
    (event.message_id, event.receipt_handle, event.body) =
        (message.message_id, message.receipt_handle, message.body);
    event
}
