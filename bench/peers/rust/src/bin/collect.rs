//! Collects what webhooks announce: all of a link's transactions from Belvo into DynamoDB.
//!
//! Rows are written whether they are stored already or not, so that a message can be processed
//! again without harm.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use chrono::{DateTime, Days, NaiveDate, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use peers::{Belvo, Record, Row, item, object, plain_id, sdk_config, timestamp, variable};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

/// `BatchWriteItem` takes 25 items.
const BATCH: usize = 25;
const BATCHES_AT_ONCE: usize = 8;
const TRIES: u32 = 8;
/// Webhooks that announce new rows, and the days that are read then: Belvo reads the latest ones
/// again.
const NEWS: [&str; 2] = ["new_transactions_available", "new_transactions_updated"];
const NEWS_DAYS: Days = Days::new(10);

struct App {
    belvo: Belvo,
    dynamodb: Client,
    table: String,
    record: Record,
}

/// The body of a message.
#[derive(Deserialize)]
struct Envelope {
    task: Delivery,
}

#[derive(Deserialize)]
struct Delivery {
    correlation_id: String,
    received_at: String,
    webhook: Webhook,
}

#[derive(Deserialize)]
struct Webhook {
    #[serde(rename = "webhook_type")]
    kind: String,
    #[serde(rename = "webhook_code")]
    code: String,
    link_id: String,
    request_id: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = sdk_config().await;
    let dynamodb = Client::new(&config);
    let app = App {
        belvo: Belvo::from_env(&config).await?,
        record: Record::new(dynamodb.clone(), variable("REQUESTS_TABLE")?),
        dynamodb,
        table: variable("TRANSACTIONS_TABLE")?,
    };

    // During INIT, so that the first invocation finds them.
    app.belvo.warm_up().await?;
    run(service_fn(|event| handle(&app, event))).await
}

/// Processes a batch and names the messages that are to be retried.
async fn handle(app: &App, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut response = SqsBatchResponse::default();
    // After a failure the later messages of the same link come back with it; other links go on.
    let mut failed = HashSet::new();
    for message in event.payload.records {
        let id = message.message_id.clone().unwrap_or_default();
        let group = message.attributes.get("MessageGroupId").cloned();
        if !failed.contains(&group) {
            let Err(error) = collect(app, message).await else {
                continue;
            };
            tracing::error!(message_id = id, %error, "message will be retried");
            failed.insert(group);
        }
        response.add_failure(id);
    }
    Ok(response)
}

/// Processes one message.
async fn collect(app: &App, message: SqsMessage) -> Result<(), Error> {
    let body = message.body.unwrap_or_default();
    let Envelope { task } = serde_json::from_str(&body)?;
    let (link, correlation_id) = (&task.webhook.link_id, &task.correlation_id);
    if task.webhook.kind != "TRANSACTIONS" {
        let webhook_code = task.webhook.code;
        tracing::info!(
            webhook_code,
            link_id = link,
            correlation_id,
            "webhook without rows"
        );
        return Ok(());
    }
    let (rows, accounts) = collect_link(app, &task).await?;
    tracing::info!(
        event = "rows_collected",
        rows,
        accounts,
        link_id = link,
        correlation_id,
        "rows collected"
    );
    Ok(())
}

/// Stores every row of the link that a webhook names, and records that its request is collected.
/// Returns the numbers of rows and of accounts.
async fn collect_link(app: &App, task: &Delivery) -> Result<(usize, usize), Error> {
    let link = task.webhook.link_id.as_str();
    let request = task.webhook.request_id.as_deref();
    let request = request.filter(|id| !id.is_empty()).map(plain_id);
    let started_at = timestamp(Utc::now());
    let mut seen = object(json!({ "_stored_at": started_at }));
    if let Some(request) = &request {
        seen.insert("_request".to_owned(), json!(request));
    }

    let mut accounts = HashMap::new();
    let mut rows = 0;
    let since = NEWS
        .contains(&task.webhook.code.as_str())
        .then(|| (Utc::now().date_naive() - NEWS_DAYS).to_string());
    let mut next = Some(app.belvo.listing(link, since.as_deref()));
    while let Some(url) = next {
        let (page, after) = app.belvo.page(url).await?;
        rows += page.len();
        let items = page
            .into_iter()
            .map(|row| row_item(link, row, &seen, &mut accounts));
        write(app, items.collect()).await?;
        next = after;
    }
    let items = accounts
        .values()
        .map(|account| account_items(link, account, &seen))
        .collect::<Result<Vec<_>, _>>()?;
    write(app, items.into_iter().flatten().collect()).await?;
    for account in accounts.values() {
        hold(app, link, account, &started_at).await?;
    }

    let counts = (rows, accounts.len());
    if let Some(request) = request {
        record(app, task, &request, counts, &started_at).await?;
    }
    Ok(counts)
}

/// Records that a request is collected.
async fn record(
    app: &App,
    task: &Delivery,
    request: &str,
    (rows, accounts): (usize, usize),
    started_at: &str,
) -> Result<(), Error> {
    let finished_at = timestamp(Utc::now());
    // Belvo also refreshes links that nobody here asked about: then this begins the record.
    let facts = json!({
        "id": request,
        "link": task.webhook.link_id,
        "resource": "transactions",
        "collection": {
            "started_at": started_at,
            "finished_at": finished_at,
            "rows": rows,
            "accounts": accounts,
        },
    });
    let once = json!({
        "listed_at": task.received_at,
        "notified_at": task.received_at,
        "collected_at": finished_at,
    });
    app.record.update(request, facts, once, true).await
}

/// The item of a row, whose account is kept apart and replaced by its id.
fn row_item(
    link: &str,
    mut row: Row,
    seen: &Map<String, Value>,
    accounts: &mut HashMap<String, Row>,
) -> Map<String, Value> {
    let id = row.remove("id").unwrap_or_default();
    let id = id.as_str().unwrap_or_default();
    if let Some(account) = row.get_mut("account")
        && let Some(account_id) = account["id"].as_str().map(str::to_owned)
    {
        let account = std::mem::replace(account, json!(account_id));
        keep_latest(accounts, account_id, object(account));
    }

    let day = day(&row);
    row.insert("_link".to_owned(), json!(link));
    row.insert("_item".to_owned(), json!(format!("T#{id}")));
    row.insert("_by_date".to_owned(), json!(format!("{day}#{id}")));
    row.extend(seen.clone());
    row
}

/// Keeps an account unless a later state of it is known.
fn keep_latest(accounts: &mut HashMap<String, Row>, id: String, account: Row) {
    let known = accounts.get(&id);
    if known.is_none_or(|known| collected_at(&account) > collected_at(known)) {
        accounts.insert(id, account);
    }
}

fn collected_at(account: &Row) -> &str {
    account
        .get("collected_at")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The items of an account and of its balance, which is kept under the time at which Belvo read it.
fn account_items(
    link: &str,
    account: &Row,
    seen: &Map<String, Value>,
) -> Result<Vec<Map<String, Value>>, Error> {
    let mut fields = account.clone();
    let id = fields.remove("id").unwrap_or_default();
    let id = id.as_str().unwrap_or_default();
    let stored_at = &seen["_stored_at"];

    let mut items = Vec::new();
    if let Some(balance) = account.get("balance").filter(|balance| !balance.is_null()) {
        let mut of_balance = seen.clone();
        let mut at = stored_at.as_str().unwrap_or_default().to_owned();
        if let Some(collected_at) = account.get("collected_at") {
            of_balance.insert("collected_at".to_owned(), collected_at.clone());
            if let Some(text) = collected_at.as_str() {
                at = timestamp(DateTime::parse_from_rfc3339(text)?.to_utc());
            }
        }
        of_balance.insert("balance".to_owned(), balance.clone());
        of_balance.insert("_link".to_owned(), json!(link));
        of_balance.insert("_item".to_owned(), json!(format!("B#{id}#{at}")));
        items.push(of_balance);
    }
    fields.insert("_link".to_owned(), json!(link));
    fields.insert("_item".to_owned(), json!(format!("A#{id}")));
    fields.insert("_stored_at".to_owned(), stored_at.clone());
    items.push(fields);
    Ok(items)
}

/// Writes items, several batches at a time.
async fn write(app: &App, items: Vec<Map<String, Value>>) -> Result<(), Error> {
    // A batch must not hold a key twice.
    let items: HashMap<_, _> = items
        .into_iter()
        .map(|fields| (fields["_item"].to_string(), fields))
        .collect();
    let mut puts = Vec::with_capacity(items.len());
    for fields in items.into_values() {
        let put = PutRequest::builder().set_item(Some(item(fields))).build()?;
        puts.push(WriteRequest::builder().put_request(put).build());
    }
    stream::iter(puts)
        .chunks(BATCH)
        .map(|batch| write_batch(app, batch))
        .buffer_unordered(BATCHES_AT_ONCE)
        .try_collect()
        .await
}

/// Writes one batch; what DynamoDB leaves of it is sent again, after longer and longer waits.
async fn write_batch(app: &App, mut puts: Vec<WriteRequest>) -> Result<(), Error> {
    for attempt in 0..TRIES {
        let batch = app.dynamodb.batch_write_item();
        let answer = batch.request_items(&app.table, puts).send().await?;
        let left = answer
            .unprocessed_items
            .unwrap_or_default()
            .remove(&app.table);
        puts = left.unwrap_or_default();
        if puts.is_empty() {
            return Ok(());
        }
        sleep(Duration::from_millis(50) * 2_u32.pow(attempt)).await;
    }
    Err(format!("DynamoDB left {} items unwritten", puts.len()).into())
}

/// Remembers that a link holds an account, which a user may connect again under another link.
async fn hold(app: &App, link: &str, account: &Row, at: &str) -> Result<(), Error> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let institution = account.get("institution").and_then(|of| of.get("name"));
    let (institution, number) = (
        text(institution),
        text(account.get("internal_identification")),
    );
    if institution.is_empty() || number.is_empty() {
        return Ok(());
    }
    let identity = hex::encode(Sha256::digest(format!("{institution}\n{number}")));
    let id = text(account.get("id"));
    app.dynamodb
        .update_item()
        .table_name(&app.table)
        .key("_link", AttributeValue::S(format!("account#{identity}")))
        .key("_item", AttributeValue::S(format!("{link}#{id}")))
        .update_expression("SET #at = if_not_exists(#at, :at)")
        .expression_attribute_names("#at", "_stored_at")
        .expression_attribute_values(":at", AttributeValue::S(at.to_owned()))
        .send()
        .await?;
    Ok(())
}

/// The day that a row is listed under.
fn day(row: &Row) -> String {
    let date = row.get("value_date").and_then(Value::as_str);
    let date = date.and_then(|date| date.get(..10)?.parse::<NaiveDate>().ok());
    date.map_or("0000-00-00".to_owned(), |date| date.to_string())
}
