//! The AWS that a measured function talks to: an independent DynamoDB (dynoxide) with the tables of
//! the deployed stack, in this process, whose consumed capacity is counted; a queue that takes
//! messages and counts them; and secrets.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use dynoxide::{Database, errors::DynoxideError, types::ConsumedCapacity};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tests::Stack;
use tokio::net::TcpListener;

use crate::belvo;

/// The `Authorization` that webhooks carry.
pub(crate) const AUTHORIZATION: &str =
    "Bearer of the benchmark, as long as such a value usually is";

/// What was asked of AWS.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Asked {
    /// Requests by operation.
    pub(crate) requests: BTreeMap<String, u64>,
    /// Read units by table.
    pub(crate) read_units: BTreeMap<String, f64>,
    /// Write units by table or index.
    pub(crate) write_units: BTreeMap<String, f64>,
}

impl Asked {
    /// Write units of the tables and indexes whose names contain a word.
    pub(crate) fn written(&self, word: &str) -> f64 {
        self.write_units
            .iter()
            .filter(|(name, _)| name.contains(word))
            .map(|(_, units)| units)
            .sum()
    }

    /// All read units.
    pub(crate) fn read(&self) -> f64 {
        self.read_units.values().sum()
    }

    /// How often an operation was asked for.
    pub(crate) fn requests(&self, operation: &str) -> u64 {
        self.requests.get(operation).copied().unwrap_or_default()
    }
}

struct Shared {
    database: Database,
    asked: Mutex<Asked>,
    last_message: Mutex<Option<Value>>,
}

/// The endpoint, and what was asked of it.
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
        tests::copy_tables(&stack, &database).await;
        let shared = Arc::new(Shared {
            database,
            asked: Mutex::default(),
            last_message: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (requests_table, transactions_table) = (stack.requests_table, stack.transactions_table);
        Ok(Self {
            address,
            requests_table,
            transactions_table,
            shared,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked since the last time.
    pub(crate) fn take_asked(&self) -> Asked {
        std::mem::take(&mut *lock(&self.shared.asked))
    }

    /// The message that the queue took last.
    pub(crate) fn last_message(&self) -> Option<Value> {
        lock(&self.shared.last_message).clone()
    }

    /// The same, after which there is none.
    pub(crate) fn take_message(&self) -> Option<Value> {
        lock(&self.shared.last_message).take()
    }

    /// An item of a table, as DynamoDB's JSON.
    pub(crate) fn item(&self, table: &str, key: &Value) -> anyhow::Result<Value> {
        let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        let found = self
            .shared
            .database
            .get_item(serde_json::from_value(request)?)?;
        Ok(serde_json::to_value(found)?["Item"].take())
    }

    /// The items of a link, which are then deleted.
    pub(crate) fn take_partition(&self, link: &str) -> anyhow::Result<Vec<Value>> {
        let table = &self.transactions_table;
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
            let mut page = serde_json::to_value(
                self.shared
                    .database
                    .query(serde_json::from_value(request)?)?,
            )?;
            items.extend(
                page["Items"]
                    .as_array_mut()
                    .into_iter()
                    .flat_map(std::mem::take),
            );
            start = page["LastEvaluatedKey"].take();
            if start.is_null() {
                break;
            }
        }
        for item in &items {
            let request = json!({"TableName": table, "Key": {"_link": item["_link"], "_item": item["_item"]}});
            self.shared
                .database
                .delete_item(serde_json::from_value(request)?)?;
        }
        Ok(items)
    }
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
        // What a warm-up asks only to open a connection.
        return StatusCode::NOT_FOUND.into_response();
    };
    *lock(&shared.asked)
        .requests
        .entry(operation.to_owned())
        .or_default() += 1;
    let (answer, content_type) = match service {
        "DynamoDB_20120810" => (
            dynamodb(&shared, operation, &body),
            "application/x-amz-json-1.0",
        ),
        "AmazonSQS" => (sqs(&shared, operation, &body), "application/x-amz-json-1.0"),
        "secretsmanager" => (secret(&body), "application/x-amz-json-1.1"),
        _ => (
            Err(Refusal {
                status: 400,
                body: format!("{target} is not measured"),
            }),
            "text/plain",
        ),
    };
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(refusal) => (refusal.status, refusal.body.into_bytes()),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// An answer that is an error.
struct Refusal {
    status: u16,
    body: String,
}

impl From<DynoxideError> for Refusal {
    fn from(error: DynoxideError) -> Self {
        Self {
            status: error.status_code(),
            body: error.to_json(),
        }
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self {
            status: 400,
            body: error.to_string(),
        }
    }
}

/// Has the database do an operation, counts what it consumed, and answers without saying so, as it
/// does unasked.
macro_rules! counted {
    ($shared:ident, $units:ident, $operation:ident, $request:ident, $body:ident) => {{
        let mut request: dynoxide::actions::$operation::$request = serde_json::from_slice($body)?;
        request.return_consumed_capacity = Some("INDEXES".to_owned());
        let mut response = $shared.database.$operation(request)?;
        let consumed = response.consumed_capacity.take();
        count(
            &mut lock(&$shared.asked).$units,
            consumed.map(Consumed::into_tables).unwrap_or_default(),
        );
        Ok(serde_json::to_vec(&response)?)
    }};
}

fn dynamodb(shared: &Shared, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match operation {
        "BatchGetItem" => counted!(
            shared,
            read_units,
            batch_get_item,
            BatchGetItemRequest,
            body
        ),
        "GetItem" => counted!(shared, read_units, get_item, GetItemRequest, body),
        "Query" => counted!(shared, read_units, query, QueryRequest, body),
        "BatchWriteItem" => counted!(
            shared,
            write_units,
            batch_write_item,
            BatchWriteItemRequest,
            body
        ),
        "DeleteItem" => counted!(shared, write_units, delete_item, DeleteItemRequest, body),
        "PutItem" => counted!(shared, write_units, put_item, PutItemRequest, body),
        "TransactWriteItems" => counted!(
            shared,
            write_units,
            transact_write_items,
            TransactWriteItemsRequest,
            body
        ),
        "UpdateItem" => counted!(shared, write_units, update_item, UpdateItemRequest, body),
        _ => Err(Refusal {
            status: 400,
            body: format!("{operation} is not measured"),
        }),
    }
}

/// What an operation says that it consumed: of one table, or of several.
trait Consumed {
    fn into_tables(self) -> Vec<ConsumedCapacity>;
}

impl Consumed for ConsumedCapacity {
    fn into_tables(self) -> Vec<ConsumedCapacity> {
        vec![self]
    }
}

impl Consumed for Vec<ConsumedCapacity> {
    fn into_tables(self) -> Vec<ConsumedCapacity> {
        self
    }
}

fn count(units: &mut BTreeMap<String, f64>, consumed: Vec<ConsumedCapacity>) {
    for table in consumed {
        let name = table.table_name;
        let indexes = table
            .local_secondary_indexes
            .into_iter()
            .chain(table.global_secondary_indexes)
            .flatten();
        for (index, detail) in indexes {
            *units.entry(format!("{name}/{index}")).or_default() += detail.capacity_units;
        }
        *units.entry(name).or_default() += table
            .table
            .map_or(table.capacity_units, |detail| detail.capacity_units);
    }
}

/// Takes a message as the queue does: the SDKs compare the digest.
fn sqs(shared: &Shared, operation: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    if operation != "SendMessage" {
        return Err(Refusal {
            status: 400,
            body: format!("{operation} is not measured"),
        });
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

/// The secrets called `belvo` and `webhook`.
fn secret(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        secret_id: String,
    }
    let name = serde_json::from_slice::<Request>(body)?.secret_id;
    let value = if name == "webhook" {
        json!({ "current": AUTHORIZATION })
    } else {
        belvo::keys()
    };
    let version = "00000000-0000-4000-8000-000000000000";
    Ok(serde_json::to_vec(
        &json!({"ARN": name, "Name": name, "SecretString": value.to_string(), "VersionId": version}),
    )?)
}
