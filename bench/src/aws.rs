//! The AWS that a measured function talks to: an independent DynamoDB (dynoxide) with the tables of the deployed stack, whose
//! consumed capacity is asked for and added up on the way, and a secret.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tests::Stack;
use tokio::net::TcpListener;

use crate::belvo;

/// Capacity units by table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Units {
    read: BTreeMap<String, f64>,
    written: BTreeMap<String, f64>,
}

impl Units {
    pub(crate) fn since(&self, before: &Self) -> Self {
        let difference = |now: &BTreeMap<String, f64>, before: &BTreeMap<String, f64>| {
            now.iter().map(|(table, units)| (table.clone(), units - before.get(table).unwrap_or(&0.0))).collect()
        };
        Self { read: difference(&self.read, &before.read), written: difference(&self.written, &before.written) }
    }

    pub(crate) fn read(&self, table: &str) -> f64 {
        sum(&self.read, table)
    }

    pub(crate) fn written(&self, table: &str) -> f64 {
        sum(&self.written, table)
    }
}

/// The units of the tables whose names contain a word.
fn sum(units: &BTreeMap<String, f64>, word: &str) -> f64 {
    units.iter().filter(|(table, _)| table.contains(word)).map(|(_, units)| units).sum()
}

struct Shared {
    dynamodb: String,
    http: reqwest::Client,
    units: Mutex<Units>,
}

/// The endpoint, and what was consumed through it.
pub(crate) struct CountingAws {
    pub(crate) url: String,
    pub(crate) requests_table: String,
    pub(crate) transactions_table: String,
    shared: Arc<Shared>,
}

impl CountingAws {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let stack = Stack::of_this_run();
        let shared = Arc::new(Shared {
            dynamodb: tests::dynoxide_with_tables_of(&stack).await,
            http: reqwest::Client::builder().no_proxy().build()?,
            units: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (requests_table, transactions_table) = (stack.requests_table, stack.transactions_table);
        Ok(Self { url, requests_table, transactions_table, shared })
    }

    /// What was consumed so far.
    pub(crate) fn units(&self) -> Units {
        self.shared.units.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    match target.split_once('.') {
        Some(("DynamoDB_20120810", operation)) => match dynamodb(&shared, operation, &headers, &body).await {
            Ok(answer) => answer,
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        },
        Some(("secretsmanager", _)) => {
            axum::Json(json!({"ARN": "keys", "Name": "keys", "SecretString": belvo::keys().to_string()}))
                .into_response()
        }
        // Only failures and continuations reach for the queue, and nothing here should need either.
        _ => (StatusCode::BAD_REQUEST, format!("{target} is not part of a measurement")).into_response(),
    }
}

async fn dynamodb(shared: &Shared, operation: &str, headers: &HeaderMap, body: &[u8]) -> anyhow::Result<Response> {
    let mut request: Value = serde_json::from_slice(body)?;
    request["ReturnConsumedCapacity"] = json!("TOTAL");
    let mut forwarded = headers.clone();
    for own in [header::HOST, header::CONTENT_LENGTH] {
        forwarded.remove(own);
    }
    let answer =
        shared.http.post(&shared.dynamodb).headers(forwarded).body(serde_json::to_vec(&request)?).send().await?;
    let (status, answer) = (answer.status(), answer.bytes().await?);
    let read: Value = serde_json::from_slice(&answer)?;
    let consumed = match &read["ConsumedCapacity"] {
        Value::Array(tables) => tables.clone(),
        Value::Null => Vec::new(),
        table => vec![table.clone()],
    };
    let mut units = shared.units.lock().unwrap_or_else(PoisonError::into_inner);
    let reads = ["Query", "GetItem", "BatchGetItem"].contains(&operation);
    let counter = if reads { &mut units.read } else { &mut units.written };
    for table in consumed {
        let name = table["TableName"].as_str().unwrap_or_default().to_owned();
        *counter.entry(name).or_default() += table["CapacityUnits"].as_f64().unwrap_or_default();
    }
    Ok((status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer).into_response())
}
