//! The AWS that a measured function talks to, inside this process: an independent DynamoDB
//! (dynoxide) with the tables of the deployed stack, a queue that accepts messages, and secrets. It
//! counts every request and the consumed capacity, and limits each partition's if told to.

mod asked;
mod partitions;
mod throttled;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use dynoxide::Database;
use function_processes::events::AUTHORIZATION;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use test_harness::{Refusal, Stack, aws::secrets::Secrets};
use tokio::net::TcpListener;

use self::partitions::{Kind, Partitions};
pub(crate) use self::{asked::Asked, partitions::Throughput};

/// The table of the peers. Their items are listed by an index of DynamoDB's, as their makers would,
/// and ours by items of our own.
pub(crate) const PEERS_TABLE: &str = "PeersTransactions";

/// How a request names an item of a change log, and no other.
const KEY_OF_LOG: &str = r#""_item":{"S":"C"#;
/// What DynamoDB takes as a batch to write.
const LARGEST_REQUEST: usize = 16 * 1_024 * 1_024;

struct Shared {
    database: Database,
    /// Of the tables with links as partition keys; unset where they have no limit.
    partitions: OnceLock<Partitions>,
    asked: Mutex<Asked>,
    last_message: Mutex<Option<Value>>,
    secrets: Secrets,
}

/// A running endpoint for DynamoDB, SQS and Secrets Manager.
pub(crate) struct CountingAws {
    pub(crate) address: SocketAddr,
    pub(crate) requests_table: String,
    pub(crate) transactions_table: String,
    shared: Arc<Shared>,
}

impl CountingAws {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let stack = Stack::of_this_run();
        let database = Database::memory()?;
        test_harness::copy_tables(&stack, &database).await;
        create_peers_table(&database)?;
        let shared = Arc::new(Shared {
            database,
            partitions: OnceLock::new(),
            asked: Mutex::default(),
            last_message: Mutex::default(),
            secrets: Secrets::of(AUTHORIZATION),
        });

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });

        Ok(Self {
            address,
            requests_table: stack.requests_table,
            transactions_table: stack.transactions_table,
            shared,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Limits every link's partition from now on.
    pub(crate) fn limit(&self, throughput: Throughput) {
        let partitions = Partitions::new(throughput);
        // Where there are limits already, they stay.
        let _ = self.shared.partitions.set(partitions);
    }

    /// The write units that a link's partition gave since it is limited.
    pub(crate) fn written(&self, link: &str) -> f64 {
        let partitions = self.shared.partitions.get();
        partitions.map_or(0.0, |partitions| partitions.consumed(link, Kind::Write))
    }

    /// What functions asked for since the last call.
    pub(crate) fn take_asked(&self) -> Asked {
        std::mem::take(&mut *lock(&self.shared.asked))
    }

    /// The latest message in the queue.
    pub(crate) fn last_message(&self) -> Option<Value> {
        lock(&self.shared.last_message).clone()
    }

    /// Removes the latest message from the queue.
    pub(crate) fn take_message(&self) -> Option<Value> {
        lock(&self.shared.last_message).take()
    }

    /// An item of a table, in DynamoDB's JSON.
    pub(crate) fn item(&self, table: &str, key: &Value) -> anyhow::Result<Value> {
        let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        let request = serde_json::from_value(request)?;
        let found = self.shared.database.get_item(request)?;
        Ok(serde_json::to_value(found)?["Item"].take())
    }

    /// How many of our items of a link have a sort key with this prefix.
    pub(crate) fn count(&self, link: &str, prefix: &str) -> anyhow::Result<u64> {
        let mut count = 0;
        let mut start = Value::Null;
        loop {
            let request = json!({
                "TableName": self.transactions_table,
                "Select": "COUNT",
                "KeyConditionExpression": "#link = :link AND begins_with(#item, :prefix)",
                "ExpressionAttributeNames": {"#link": "_link", "#item": "_item"},
                "ExpressionAttributeValues": {":link": {"S": link}, ":prefix": {"S": prefix}},
                "ExclusiveStartKey": start,
            });
            let request = serde_json::from_value(request)?;
            let mut page = serde_json::to_value(self.shared.database.query(request)?)?;
            count += page["Count"].as_u64().unwrap_or_default();
            start = page["LastEvaluatedKey"].take();
            if start.is_null() {
                return Ok(count);
            }
        }
    }

    /// Deletes the items of a link, whoever stored them, and returns them.
    pub(crate) fn take_partition(&self, link: &str) -> anyhow::Result<Vec<Value>> {
        let mut taken = Vec::new();
        for table in [&self.transactions_table, PEERS_TABLE] {
            let items = self.partition(table, link)?;
            for item in &items {
                let request = json!({
                    "TableName": table,
                    "Key": {"_link": item["_link"], "_item": item["_item"]},
                });
                let request = serde_json::from_value(request)?;
                self.shared.database.delete_item(request)?;
            }
            taken.extend(items);
        }
        Ok(taken)
    }

    fn partition(&self, table: &str, link: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let request = json!({
                "TableName": table,
                "KeyConditionExpression": "#link = :link",
                "ExpressionAttributeNames": {"#link": "_link"},
                "ExpressionAttributeValues": {":link": {"S": link}},
                "ExclusiveStartKey": start,
            });
            let request = serde_json::from_value(request)?;
            let mut page = serde_json::to_value(self.shared.database.query(request)?)?;
            if let Some(found) = page["Items"].as_array_mut() {
                items.append(found);
            }

            start = page["LastEvaluatedKey"].take();
            if start.is_null() {
                return Ok(items);
            }
        }
    }
}

fn create_peers_table(database: &Database) -> anyhow::Result<()> {
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |sort: &str| {
        json!([
            {"AttributeName": "_link", "KeyType": "HASH"},
            {"AttributeName": sort, "KeyType": "RANGE"},
        ])
    };
    let attributes = ["_link", "_item", "_by_date"].map(text);
    let projection = json!({
        "ProjectionType": "INCLUDE",
        "NonKeyAttributes": ["account", "status", "type"],
    });
    let table = json!({
        "TableName": PEERS_TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes,
        "KeySchema": key("_item"),
        "LocalSecondaryIndexes": [
            {"IndexName": "by_date", "KeySchema": key("_by_date"), "Projection": projection},
        ],
    });
    database.create_table(serde_json::from_value(table)?)?;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let Some((service, operation)) = target.split_once('.') else {
        // A warm-up, which only opens a connection.
        return StatusCode::NOT_FOUND.into_response();
    };
    lock(&shared.asked).count_request(operation);

    let (answer, content_type) = match service {
        "DynamoDB_20120810" => (
            dynamodb(&shared, operation, &body),
            "application/x-amz-json-1.0",
        ),
        "AmazonSQS" => (sqs(&shared, operation, &body), "application/x-amz-json-1.0"),
        "secretsmanager" => (shared.secrets.value(&body), "application/x-amz-json-1.1"),
        _ => (Err(Refusal::unsupported(target)), "text/plain"),
    };
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(refusal) => (refusal.status, refusal.body.into_bytes()),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn dynamodb(shared: &Shared, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let database = &shared.database;
    let performed = match shared.partitions.get() {
        Some(partitions) => throttled::perform(database, partitions, operation, body),
        None => test_harness::perform(database, operation, body),
    };
    let is_throttled = match &performed {
        Ok(performed) => !performed.is_whole,
        Err(refusal) => refusal.is_of_throughput,
    };
    if is_throttled {
        lock(&shared.asked).count_throttled(operation);
    }
    let performed = performed?;
    let is_write = matches!(operation, "BatchWriteItem" | "UpdateItem");
    let is_of_log = is_write && String::from_utf8_lossy(body).contains(KEY_OF_LOG);
    lock(&shared.asked).count_consumed(performed.consumed, is_of_log);
    Ok(performed.answer)
}

/// Accepts a message. The SDKs check the digest of its body.
fn sqs(shared: &Shared, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    if operation != "SendMessage" {
        return Err(Refusal::unsupported(operation));
    }

    let message: Value = serde_json::from_slice(body)?;
    let text = message["MessageBody"].as_str().unwrap_or_default();
    let answer = json!({
        "MD5OfMessageBody": hex::encode(Md5::digest(text)),
        "MessageId": uuid::Uuid::new_v4().to_string(),
        "SequenceNumber": "18870000000000000000",
    });
    *lock(&shared.last_message) = Some(message);
    Ok(serde_json::to_vec(&answer)?)
}
