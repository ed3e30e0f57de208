//! Links, in the Requests table: an item `link#<id>` with a [`LinkRecord`]. Registered ones stand
//! in the index `by_link` under the name of no link, newest last, and those that are to be heard of
//! in the index `by_due`. A record is read, changed and written if nobody else has written it
//! meanwhile: what becomes of it depends on all of it.

use serde_json::{Value, json};

use super::{
    Cursor, Requests, StoreError,
    error::was_written,
    item::{Item, attribute, document, number, text},
};
use crate::domain::{LinkId, LinkRecord, QuotaHolder, Timestamp};

/// The attribute `link` of every registered link, which no link is called.
const REGISTERED: &str = "*";
/// The attribute `due` of every link that is to be heard of.
const SILENT: &str = "link";
/// How often a lost race for a record is run again.
const RACES: usize = 5;
/// Attributes that are not of the record.
const OWN: [&str; 6] = ["pk", "version", "link", "listed_at", "due", "due_at"];
const RECORD: &str = "a link";

impl Requests {
    /// The record of a link.
    pub async fn link(&self, id: &LinkId) -> Result<Option<LinkRecord>, StoreError> {
        self.item(key(id)).await?.map(record).transpose()
    }

    /// Whose retrievals are counted together with a link's.
    pub async fn quota_holder(&self, id: &LinkId) -> Result<QuotaHolder, StoreError> {
        Ok(self
            .link(id)
            .await?
            .map_or_else(|| id.into(), |known| known.quota_holder()))
    }

    /// Changes the record of a link and returns it as it then is; one that is not there is changed
    /// from nothing. `change` may be called several times; if it returns `None`, the record stays
    /// as it is.
    pub async fn change_link(
        &self,
        id: &LinkId,
        change: impl Fn(LinkRecord) -> Option<LinkRecord>,
    ) -> Result<LinkRecord, StoreError> {
        for _ in 0..RACES {
            let known = self.item(key(id)).await?;
            let version = known.as_ref().and_then(version);
            let known = known.map_or_else(|| Ok(LinkRecord::new(id.clone())), record)?;
            let Some(changed) = change(known.clone()) else {
                return Ok(known);
            };
            if changed == known || self.put(&changed, version).await? {
                return Ok(changed);
            }
        }
        Err(StoreError::Contended(RECORD))
    }

    /// Registered links, the latest first, at most `limit`, and where the listing goes on. Read
    /// from an index that may lag behind the table by a moment.
    pub async fn links(
        &self,
        after: Option<&Cursor>,
        limit: i32,
    ) -> Result<(Vec<LinkRecord>, Option<Cursor>), StoreError> {
        self.listed("link", REGISTERED, after, limit, record).await
    }

    /// Links of which nothing was heard for too long, the longest first, at most `limit`, and how
    /// many more cannot be read, which must not keep the others waiting.
    pub async fn silent_links(
        &self,
        now: Timestamp,
        limit: i32,
    ) -> Result<(Vec<LinkRecord>, usize), StoreError> {
        self.due(SILENT, now, limit, record).await
    }

    /// Writes a record over the version that it was made of.
    async fn put(&self, record: &LinkRecord, over: Option<i64>) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item(record, over.unwrap_or(0) + 1)?));
        let put = match over {
            Some(version) => put
                .condition_expression("version = :version")
                .expression_attribute_values(":version", number(version)),
            None => put.condition_expression("attribute_not_exists(pk)"),
        };
        was_written(put.send().await)
    }
}

fn item(record: &LinkRecord, version: i64) -> Result<Item, StoreError> {
    let Value::Object(fields) = json!(record) else {
        return Err(StoreError::Corrupt(RECORD));
    };
    let fields = fields
        .into_iter()
        .map(|(name, value)| Some((name, attribute(value)?)));
    let mut item: Item = fields
        .collect::<Option<_>>()
        .ok_or(StoreError::Corrupt(RECORD))?;
    item.insert("pk".to_owned(), text(key(&record.id)));
    item.insert("version".to_owned(), number(version));
    if let Some(at) = record.registered_at {
        item.insert("link".to_owned(), text(REGISTERED));
        item.insert("listed_at".to_owned(), text(at.to_string()));
    }
    if let Some(at) = record.silent_at() {
        item.insert("due".to_owned(), text(SILENT));
        item.insert("due_at".to_owned(), text(at.to_string()));
    }
    Ok(item)
}

fn record(item: Item) -> Result<LinkRecord, StoreError> {
    let mut document = document(item).ok_or(StoreError::Corrupt(RECORD))?;
    document.retain(|name, _| !OWN.contains(&name.as_str()));
    serde_json::from_value(Value::Object(document)).map_err(|_| StoreError::Corrupt(RECORD))
}

fn version(item: &Item) -> Option<i64> {
    item.get("version")?.as_n().ok()?.parse().ok()
}

fn key(id: &LinkId) -> String {
    format!("link#{id}")
}
