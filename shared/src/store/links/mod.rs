//! What is known about links. Registered ones are in the index `by_link` under a name that no link
//! has, newest last; those that have to be looked at some time are in the index `by_due`; those of
//! which there was ever news, in `by_news`. A record is read, changed, and written if it is still
//! the one that was read, because every change depends on the whole record.

mod listing;
mod news;

pub use listing::LinkGroup;

use domain::{LinkDue, LinkId, LinkRecord, QuotaHolder, Timestamp};
use serde_json::{Value, json};

use super::{
    StoreError,
    error::was_written,
    item::{Item, attributes, document, number, text},
    table::{Due, RACES, Table},
};

pub(super) const KIND: &str = "link";
/// The attribute `link` of every registered link: a name that no link has.
const REGISTERED: &str = "*";
/// The attribute `due` of a link whose deletion is not confirmed, and of one that is to be read:
/// deletions do not wait behind readings.
const DELETION: &str = "deletion";
const READING: &str = "reading";
/// Attributes that are not part of the record.
const OWN: [&str; 12] = [
    "pk",
    "version",
    "link",
    "listed_at",
    "due",
    "due_at",
    "found_by",
    "state",
    "state_at",
    "news",
    "news_at",
    "expires_at",
];
const RECORD: &str = "a link";

#[derive(Clone)]
pub struct Links(Table);

impl Links {
    pub(super) fn new(table: Table) -> Self {
        Self(table)
    }

    pub async fn get(&self, id: &LinkId) -> Result<Option<LinkRecord>, StoreError> {
        self.0.item(key(id)).await?.map(record).transpose()
    }

    /// Whose retrievals are counted together with a link's.
    pub async fn quota_holder(&self, id: &LinkId) -> Result<QuotaHolder, StoreError> {
        Ok(match self.get(id).await? {
            Some(known) => known.quota_holder(),
            None => id.into(),
        })
    }

    /// Changes the record of a link, or a new one, and returns the result, with a new sequence if
    /// its followers can see the change. `change` may be called several times. A record that it
    /// leaves unchanged is not written.
    pub async fn change(
        &self,
        id: &LinkId,
        change: impl Fn(LinkRecord) -> LinkRecord,
    ) -> Result<LinkRecord, StoreError> {
        for _ in 0..RACES {
            let known = self.0.item(key(id)).await?;
            let version = known.as_ref().and_then(version);
            let known = match known {
                Some(item) => record(item)?,
                None => LinkRecord::new(id.clone()),
            };

            let changed = change(known.clone()).with_news_since(&known, Timestamp::now());
            if changed == known || self.put(&changed, version).await? {
                return Ok(changed);
            }
        }
        Err(StoreError::Contended(RECORD))
    }

    /// Links that are due, the longest overdue first, at most `limit`, and how many more cannot be
    /// read. Read from an index that may lag slightly behind the table.
    pub async fn due(
        &self,
        due: LinkDue,
        now: Timestamp,
        limit: u16,
    ) -> Result<Due<LinkRecord>, StoreError> {
        self.0.due(name(due), now, limit, record).await
    }

    /// Writes a record over the version that it was made from.
    async fn put(&self, record: &LinkRecord, over: Option<i64>) -> Result<bool, StoreError> {
        let put = self.0.put(item(record, over.unwrap_or(0) + 1)?);
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
    let item = attributes(&json!(record).to_string());
    let mut item = item.ok_or(StoreError::Corrupt(RECORD))?;
    item.insert("pk".to_owned(), text(key(&record.id)));
    item.insert("version".to_owned(), number(version));
    if let Some(at) = record.registered_at {
        item.insert("link".to_owned(), text(REGISTERED));
        item.insert("listed_at".to_owned(), text(at.to_string()));
        item.extend(listing::external_id(record));
        item.extend(listing::state(record));
    }
    item.extend(news::attributes(record));
    if let Some(at) = record.expires_at() {
        item.insert("expires_at".to_owned(), number(at.unix_seconds()));
    }
    if let Some((due, at)) = record.due() {
        item.insert("due".to_owned(), text(name(due)));
        item.insert("due_at".to_owned(), text(at.to_string()));
    }
    Ok(item)
}

pub(super) fn record(item: Item) -> Result<LinkRecord, StoreError> {
    let mut document = document(item).ok_or(StoreError::Corrupt(RECORD))?;
    document.retain(|name, _| !OWN.contains(&name.as_str()));
    serde_json::from_value(Value::Object(document)).map_err(|_| StoreError::Corrupt(RECORD))
}

fn name(due: LinkDue) -> &'static str {
    match due {
        LinkDue::Deletion => DELETION,
        LinkDue::Reading => READING,
    }
}

fn version(item: &Item) -> Option<i64> {
    item.get("version")?.as_n().ok()?.parse().ok()
}

fn key(id: &LinkId) -> String {
    format!("{KIND}#{id}")
}
