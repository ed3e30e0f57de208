//! The Transactions table: a link's transactions and accounts. An item is one of
//!
//! | `_item` | item |
//! |---|---|
//! | `T#<transaction id>` | a transaction, its account replaced by the account's id |
//! | `A#<account id>` | an account |
//!
//! Attributes whose names start with `_` are ours; every other attribute is a field of Belvo's under Belvo's name, so
//! that the table reads like Belvo's documentation. A document that DynamoDB cannot hold exactly, or with a field that
//! starts with `_`, is kept whole as JSON text in `_json` instead.
//!
//! | ours | what |
//! |---|---|
//! | `_link`, `_item` | the key: link id, and the kind and id of the item |
//! | `_by_date` | `<day>#<transaction id>`, the sort key of the local index `by_date`; transactions only |
//! | `_digest` | fingerprint of the document, by which an unchanged one is known without comparing it |
//! | `_stored_at` | when this version of the document was written |
//!
//! The index is local so that it can be read consistently, and holds only what a comparison and a filter need; rows are
//! then read by key.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    operation::query::QueryOutput,
    primitives::Blob,
    types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest},
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};
use tokio::time::{Duration, sleep};

use super::{
    Cursor, StoreError,
    item::{Item, attribute, document, text},
};
use crate::{
    aws::SdkConfig,
    domain::{Account, AccountId, Digest, LinkId, Stored, Timestamp, Transaction, TransactionId, Window},
};

const TABLE: &str = "Transactions";
const BY_DATE: &str = "by_date";
/// `BatchWriteItem` takes 25 rows.
const BATCH: usize = 25;
/// `BatchGetItem` takes 100 keys.
const READ_BATCH: usize = 100;
/// Batches under way at once.
const BATCHES_AT_ONCE: usize = 8;
/// How often what a batch left undone is tried, and the first wait before it; it doubles each time.
const BATCH_TRIES: u32 = 8;
const BATCH_WAIT: Duration = Duration::from_millis(50);
/// Rows that a filtered listing reads per call, and how many calls one listing makes before it hands out a cursor.
const FILTERED_READ: i32 = 500;
const READS_PER_LISTING: usize = 10;

/// Which transactions to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// First day, `YYYY-MM-DD`.
    pub date_from: Option<String>,
    /// Last day, `YYYY-MM-DD`.
    pub date_to: Option<String>,
    /// Belvo's account id.
    pub account: Option<String>,
    /// Belvo's status, such as `PENDING`.
    pub status: Option<String>,
    /// Belvo's type, such as `OUTFLOW`.
    pub kind: Option<String>,
}

/// The Transactions table.
pub struct Transactions {
    client: Client,
    table: String,
}

impl Transactions {
    /// The table called `table`.
    #[must_use]
    pub fn new(aws: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(aws), table }
    }

    /// What is stored of a link's transactions in a window (or ever): ids and fingerprints only.
    pub async fn stored(
        &self,
        link: &LinkId,
        window: Option<&Window>,
    ) -> Result<HashMap<TransactionId, Stored>, StoreError> {
        let (from, to) = window.map_or((None, None), |window| (Some(window.from()), Some(window.to())));
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_DATE)
            .key_condition_expression("#link = :link AND #by_date BETWEEN :from AND :to")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#by_date", "_by_date")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_names("#digest", "_digest")
            .expression_attribute_values(":link", text(link.as_str()))
            .set_expression_attribute_values(Some(date_range(link, from.as_deref(), to.as_deref())))
            .projection_expression("#item, #digest, collected_at")
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut stored = HashMap::new();
        while let Some(item) = pages.next().await {
            let (id, known) = stored_row(&item?).ok_or(StoreError::Corrupt(TABLE))?;
            stored.insert(id, known);
        }
        Ok(stored)
    }

    /// Writes transactions whole, over earlier versions if there are any. Repeating it changes nothing but `_stored_at`.
    /// `Ok` means that every row is written.
    pub async fn put(&self, link: &LinkId, rows: &[Transaction], at: Timestamp) -> Result<(), StoreError> {
        let batches = rows.chunks(BATCH).map(|rows| {
            let writes = rows.iter().map(|row| transaction_item(link, row, at)).map(put_request).collect();
            self.write_batch(writes)
        });
        stream::iter(batches).buffer_unordered(BATCHES_AT_ONCE).try_collect::<()>().await
    }

    /// A link's accounts.
    pub async fn accounts(&self, link: &LinkId) -> Result<Vec<Account>, StoreError> {
        let items = self.account_items(link).await?;
        items.into_iter().map(|item| account(item).ok_or(StoreError::Corrupt(TABLE))).collect()
    }

    /// What is stored of a link's accounts: ids and fingerprints only.
    pub async fn stored_accounts(&self, link: &LinkId) -> Result<HashMap<AccountId, Stored>, StoreError> {
        let items = self.account_items(link).await?;
        items.iter().map(|item| stored_account(item).ok_or(StoreError::Corrupt(TABLE))).collect()
    }

    async fn account_items(&self, link: &LinkId) -> Result<Vec<Item>, StoreError> {
        let items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#link = :link AND begins_with(#item, :accounts)")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(":link", text(link.as_str()))
            .expression_attribute_values(":accounts", text("A#"))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(items)
    }

    /// Writes accounts whole, over earlier versions if there are any.
    pub async fn put_accounts(&self, link: &LinkId, accounts: &[Account], at: Timestamp) -> Result<(), StoreError> {
        for accounts in accounts.chunks(BATCH) {
            let writes = accounts.iter().map(|account| account_item(link, account, at)).map(put_request).collect();
            self.write_batch(writes).await?;
        }
        Ok(())
    }

    /// A link's transactions, newest first, at most `limit`, and where the listing goes on. A filter that matches little
    /// may return fewer rows, or none, with a cursor: the listing ends where there is no cursor.
    pub async fn list(
        &self,
        link: &LinkId,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<Transaction>, Option<Cursor>), StoreError> {
        let mut places = Vec::new();
        let mut start = after.map(|cursor| start_key(link, cursor));
        for _ in 0..READS_PER_LISTING {
            let answer = self.list_index(link, filter, start.take(), limit - places.len()).await?;
            for entry in answer.items.unwrap_or_default() {
                places.push(place(&entry).ok_or(StoreError::Corrupt(TABLE))?);
            }
            start = answer.last_evaluated_key;
            if places.len() >= limit || start.is_none() {
                break;
            }
        }
        let more = places.len() > limit || start.is_some();
        places.truncate(limit);
        let next = match (more, places.len() == limit, &start) {
            (true, true, _) => places.last().cloned(),
            (true, false, Some(key)) => Some(place(key).ok_or(StoreError::Corrupt(TABLE))?),
            _ => None,
        };
        let rows = self.read_rows(link, &places).await?;
        Ok((rows, next.map(|(day, id)| Cursor::at(&day, &id))))
    }

    /// One read of the index: the keys of matching rows, newest first.
    async fn list_index(
        &self,
        link: &LinkId,
        filter: &Filter,
        start: Option<Item>,
        wanted: usize,
    ) -> Result<QueryOutput, StoreError> {
        let mut values = date_range(link, filter.date_from.as_deref(), filter.date_to.as_deref());
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_DATE)
            .key_condition_expression("#link = :link AND #by_date BETWEEN :from AND :to")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#by_date", "_by_date")
            .projection_expression("#by_date")
            .scan_index_forward(false)
            .consistent_read(true)
            .set_exclusive_start_key(start);
        let mut conditions = Vec::new();
        for (name, value) in [("account", &filter.account), ("status", &filter.status), ("type", &filter.kind)] {
            if let Some(value) = value {
                conditions.push(format!("#{name} = :{name}"));
                query = query.expression_attribute_names(format!("#{name}"), name);
                values.insert(format!(":{name}"), text(value));
            }
        }
        if conditions.is_empty() {
            query = query.limit(i32::try_from(wanted).unwrap_or(FILTERED_READ));
        } else {
            query = query.limit(FILTERED_READ).filter_expression(conditions.join(" AND "));
        }
        Ok(query.set_expression_attribute_values(Some(values)).send().await?)
    }

    /// The rows at these places, in the same order. A row that moved in between is left out.
    async fn read_rows(&self, link: &LinkId, places: &[(String, String)]) -> Result<Vec<Transaction>, StoreError> {
        let mut rows = HashMap::with_capacity(places.len());
        for places in places.chunks(READ_BATCH) {
            for item in self.read_batch(places.iter().map(|(_, id)| item_key(link, id)).collect()).await? {
                let row = transaction(item).ok_or(StoreError::Corrupt(TABLE))?;
                rows.insert(row.id().as_str().to_owned(), row);
            }
        }
        Ok(places.iter().filter_map(|(_, id)| rows.remove(id)).collect())
    }

    /// Reads one batch, asking again for what DynamoDB leaves unread (`UnprocessedKeys`: more than 16 MB, throttling).
    async fn read_batch(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::with_capacity(keys.len());
        for attempt in 0..BATCH_TRIES {
            pause_before(attempt).await;
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let wanted = wanted.map_err(|error| StoreError::Unavailable("BatchGetItem", Box::new(error)))?;
            let answer = self.client.batch_get_item().request_items(&self.table, wanted).send().await?;
            items.extend(answer.responses.and_then(|mut tables| tables.remove(&self.table)).unwrap_or_default());
            let unread = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
            keys = unread.map(|unread| unread.keys).unwrap_or_default();
            if keys.is_empty() {
                return Ok(items);
            }
        }
        Err(StoreError::Throttled(keys.len()))
    }

    /// Writes one batch, sending again what DynamoDB leaves unwritten (`UnprocessedItems`, which throttling causes).
    async fn write_batch(&self, mut writes: Vec<WriteRequest>) -> Result<(), StoreError> {
        for attempt in 0..BATCH_TRIES {
            pause_before(attempt).await;
            let answer = self.client.batch_write_item().request_items(&self.table, writes).send().await?;
            writes = answer.unprocessed_items.and_then(|mut tables| tables.remove(&self.table)).unwrap_or_default();
            if writes.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Throttled(writes.len()))
    }
}

/// The values of a key condition over `by_date`. `$` follows `#`, so the upper bound includes the whole last day.
fn date_range(link: &LinkId, from: Option<&str>, to: Option<&str>) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (":link".to_owned(), text(link.as_str())),
        (":from".to_owned(), text(from.unwrap_or("0"))),
        (":to".to_owned(), text(format!("{}$", to.unwrap_or("9999-12-31")))),
    ])
}

fn item_key(link: &LinkId, id: &str) -> Item {
    Item::from([("_link".to_owned(), text(link.as_str())), ("_item".to_owned(), text(format!("T#{id}")))])
}

fn start_key(link: &LinkId, cursor: &Cursor) -> Item {
    let (day, id) = cursor.parts();
    let mut key = item_key(link, id);
    key.insert("_by_date".to_owned(), text(format!("{day}#{id}")));
    key
}

/// The day and the id of an index entry.
fn place(entry: &Item) -> Option<(String, String)> {
    let (day, id) = entry.get("_by_date")?.as_s().ok()?.split_once('#')?;
    Some((day.to_owned(), id.to_owned()))
}

/// Waits before a batch is tried again, longer each time.
async fn pause_before(attempt: u32) {
    if attempt > 0 {
        sleep(BATCH_WAIT * 2_u32.pow(attempt - 1)).await;
    }
}

fn transaction_item(link: &LinkId, row: &Transaction, at: Timestamp) -> Item {
    let id = row.id().as_str();
    let mut item = document_item(row.document(), &["account", "status", "type", "collected_at"]);
    item.insert("_link".to_owned(), text(link.as_str()));
    item.insert("_item".to_owned(), text(format!("T#{id}")));
    item.insert("_by_date".to_owned(), text(format!("{}#{id}", row.day())));
    item.insert("_digest".to_owned(), AttributeValue::B(Blob::new(row.digest().as_bytes())));
    item.insert("_stored_at".to_owned(), text(at.to_string()));
    item
}

fn account_item(link: &LinkId, account: &Account, at: Timestamp) -> Item {
    let mut item = document_item(account.document(), &["collected_at"]);
    item.insert("_link".to_owned(), text(link.as_str()));
    item.insert("_item".to_owned(), text(format!("A#{}", account.id())));
    item.insert("_digest".to_owned(), AttributeValue::B(Blob::new(account.digest().as_bytes())));
    item.insert("_stored_at".to_owned(), text(at.to_string()));
    item
}

/// A document's fields as attributes, without `id`, which the key holds; or as JSON text with the fields that the index
/// needs beside it.
fn document_item(document: &Map<String, Value>, indexed: &[&str]) -> Item {
    let exact =
        || {
            document
                .iter()
                .filter(|(name, _)| *name != "id")
                .map(|(name, value)| {
                    if name.is_empty() || name.starts_with('_') {
                        None
                    } else {
                        Some((name.clone(), attribute(value)?))
                    }
                })
                .collect::<Option<Item>>()
        };
    exact().unwrap_or_else(|| {
        let mut item: Item = indexed
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), text(document.get(*name)?.as_str()?))))
            .collect();
        item.insert("_json".to_owned(), text(Value::Object(document.clone()).to_string()));
        item
    })
}

/// The id and the document of an item whose key starts with `prefix`.
fn stored_document(mut item: Item, prefix: &str) -> Option<(String, Map<String, Value>)> {
    let id = item.get("_item")?.as_s().ok()?.strip_prefix(prefix)?.to_owned();
    let document = if let Some(json) = item.remove("_json") {
        serde_json::from_str(json.as_s().ok()?).ok()?
    } else {
        item.retain(|name, _| !name.starts_with('_'));
        item.insert("id".to_owned(), text(&id));
        document(item)?
    };
    Some((id, document))
}

fn transaction(item: Item) -> Option<Transaction> {
    let (id, document) = stored_document(item, "T#")?;
    Some(Transaction::from_parts(TransactionId::parse(&id).ok()?, document))
}

fn account(item: Item) -> Option<Account> {
    let (id, document) = stored_document(item, "A#")?;
    Some(Account::from_parts(AccountId::parse(&id).ok()?, document))
}

fn stored_row(item: &Item) -> Option<(TransactionId, Stored)> {
    let id = item.get("_item")?.as_s().ok()?.strip_prefix("T#")?;
    Some((TransactionId::parse(id).ok()?, stored_version(item)?))
}

fn stored_account(item: &Item) -> Option<(AccountId, Stored)> {
    let id = item.get("_item")?.as_s().ok()?.strip_prefix("A#")?;
    Some((AccountId::parse(id).ok()?, stored_version(item)?))
}

fn stored_version(item: &Item) -> Option<Stored> {
    let digest = Digest::from_bytes(item.get("_digest")?.as_b().ok()?.as_ref())?;
    let collected_at = item.get("collected_at").and_then(|at| at.as_s().ok()).and_then(|at| Timestamp::parse(at));
    Some(Stored { digest, collected_at })
}

fn put_request(item: Item) -> WriteRequest {
    #[expect(clippy::expect_used, reason = "PutRequest has one required field, the item, which is given here")]
    let put = PutRequest::builder().set_item(Some(item)).build().expect("an item was given");
    WriteRequest::builder().put_request(put).build()
}
