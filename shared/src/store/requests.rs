//! Retrievals that Belvo accepted or announced. Each fact of a retrieval is written once, by
//! whoever learns it first, in any order, so that every write here is safe to repeat.

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder, types::ReturnValue,
};
use domain::{
    Collection, Declared, Fact, Failure, LinkId, RequestId, RequestRecord, Resource, Retrieval,
    Status, Step, Timestamp,
    Write::{self, Latest, Once, Remove},
};
use serde_json::{Value, json};

use super::{
    Cursor, StoreError,
    error::was_written,
    item::{Item, attribute, document, text},
    retention::{DAY_S, ERASED_REQUEST_DAYS, UNKNOWN_REQUEST_DAYS, expires_at},
    table::{self, BY_DUE, BY_LINK, BY_STATE, Due, FIRST, Listing, Page, Table},
};

pub(super) const KIND: &str = "request";
/// The attribute, and its only value, that puts a retrieval into the index `by_due` until it has
/// ended.
const DUE: &str = "due";
/// The attribute `state` of a retrieval whose rows are not all stored.
const UNCOLLECTED: &str = "uncollected";

/// The records. `erased_days` is for how many days those of an erased link are kept.
#[derive(Clone)]
pub struct Requests {
    table: Table,
    erased_days: u32,
}

/// A retrieval that a webhook announced.
#[derive(Debug, Clone)]
pub struct Notified {
    pub id: RequestId,
    pub link: LinkId,
    pub resource: Resource,
    /// The webhook's code.
    pub code: String,
    /// The webhook's delivery, if it names no request.
    pub answered_by: Option<String>,
    /// The totals that the webhook declared.
    pub declared: Option<Declared>,
    /// When the webhook was received.
    pub at: Timestamp,
    /// When it is checked if it has not ended by then.
    pub due_at: Timestamp,
    /// Whether somebody here stands behind its link; if not, its record expires.
    pub is_known: bool,
}

/// That rows of a retrieval are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// When they are fetched again.
    pub due_at: Timestamp,
    /// Whether none was missing before.
    pub is_first: bool,
}

/// The outcome of a write about a link's retrieval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    Written,
    /// Nothing was written: another link's retrieval has this id.
    AnotherLinks,
}

/// An attribute and how it is written.
type AttributeWrite = (String, Write<Value>);

impl Requests {
    pub(super) fn new(table: Table) -> Self {
        Self {
            table,
            erased_days: ERASED_REQUEST_DAYS,
        }
    }

    /// The same, keeping the records of erased links for this many days.
    #[must_use]
    pub fn keeping_erased_for(self, days: u32) -> Self {
        Self {
            erased_days: days,
            ..self
        }
    }

    pub async fn get(&self, id: &RequestId) -> Result<Option<RequestRecord>, StoreError> {
        self.table.item(key(id)).await?.map(record).transpose()
    }

    /// A link's retrievals, newest first, at most `limit`, and where the listing continues. Read
    /// from an index that may lag slightly behind the table.
    pub async fn of_link(
        &self,
        link: &LinkId,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<Page<RequestRecord>, StoreError> {
        let listing = Listing {
            index: BY_LINK,
            kind: KIND,
            under: link.as_str(),
        };
        self.table.listed(listing, after, limit, record).await
    }

    /// Retrievals of all links with this status, at most `limit`, and where the listing continues:
    /// the latest to become short, incomplete, failed or expired first, or those that are due last.
    /// Fewer, even none, may be found before it continues. Collected ones are in no such listing.
    /// Read from an index that may lag slightly behind the table.
    pub async fn with_status(
        &self,
        status: Status,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<Page<RequestRecord>, StoreError> {
        let (index, under) = if status.is_open() {
            (BY_DUE, DUE)
        } else {
            (BY_STATE, UNCOLLECTED)
        };
        let listing = Listing {
            index,
            kind: KIND,
            under,
        };
        let (mut records, next) = self.table.listed(listing, after, limit, record).await?;
        records.retain(|record| record.status() == status);
        Ok((records, next))
    }

    /// A link's retrievals of which something was first recorded after `since`, newest first, but
    /// for those that cannot be read. Read from an index that may lag slightly behind the table.
    pub async fn of_link_since(
        &self,
        link: &LinkId,
        since: Timestamp,
    ) -> Result<Vec<RequestRecord>, StoreError> {
        let items = self.table.listed_since(link.as_str(), since).await?;
        Ok(items
            .into_iter()
            .filter_map(|item| record(item).ok())
            .collect())
    }

    /// Retrievals that were due by `now`, the longest overdue first, at most `limit`, and how many
    /// more cannot be read. Read from an index that may lag slightly behind the table.
    pub async fn overdue(
        &self,
        now: Timestamp,
        limit: u16,
    ) -> Result<Due<RequestRecord>, StoreError> {
        self.table.due(DUE, now, limit, record).await
    }

    /// Records that Belvo accepted a retrieval, which is checked at `due_at` if no webhook has
    /// arrived by then. If the webhook arrived first, this adds what only we know.
    pub async fn issued(
        &self,
        id: &RequestId,
        retrieval: &Retrieval,
        at: Timestamp,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut writes = identity(id, retrieval, at);
        writes.extend(facts(Step::Issued { due_at }, at));
        writes.push(("expires_at".to_owned(), Remove));
        self.write(id, writes).await
    }

    /// Records that a webhook announced a retrieval, and returns its record. A retrieval that was
    /// not issued here (Belvo refreshes recurrent links by itself) gets a record without a window.
    /// `None` if another link's retrieval has this id: a webhook must not touch that one.
    pub async fn notified(&self, notified: &Notified) -> Result<Option<RequestRecord>, StoreError> {
        let retrieval = Retrieval::of(notified.link.clone(), notified.resource);
        let due_at = notified.due_at;
        let mut writes = identity(&notified.id, &retrieval, notified.at);
        writes.extend(facts(Step::Notified { due_at }, notified.at));
        writes.push(once("webhook_code", &notified.code));
        if !notified.is_known {
            writes.push(expiry(notified.at));
        }
        let answered_by = notified.answered_by.iter();
        writes.extend(answered_by.map(|delivery| once("answered_by", delivery)));
        writes.extend(
            notified
                .declared
                .iter()
                .map(|declared| latest("declared", declared)),
        );

        let item = self.write_of_link(&notified.id, writes).await?;
        item.map(record).transpose()
    }

    /// Records that Belvo answered a retrieval with its data at once, and returns its record.
    pub async fn ready(
        &self,
        id: &RequestId,
        retrieval: &Retrieval,
        at: Timestamp,
        due_at: Timestamp,
    ) -> Result<Option<RequestRecord>, StoreError> {
        let mut writes = identity(id, retrieval, at);
        writes.extend(facts(Step::Ready { due_at }, at));
        let item = self.write_of_link(id, writes).await?;
        item.map(record).transpose()
    }

    /// Records that a retrieval's collection is continued in another invocation. Does nothing if
    /// the retrieval is not recorded.
    pub async fn continued(&self, id: &RequestId, at: Timestamp) -> Result<(), StoreError> {
        self.write_known(id, facts(Step::Continued, at)).await
    }

    /// Records that the rows of a retrieval are stored, and what the collection found.
    pub async fn collected(
        &self,
        id: &RequestId,
        collection: &Collection,
    ) -> Result<(), StoreError> {
        self.fetched(id, Step::Collected, collection).await
    }

    /// Records that fewer rows of a retrieval are stored than Belvo says there are, and what the
    /// collection found.
    pub async fn short(
        &self,
        id: &RequestId,
        collection: &Collection,
        short: Short,
    ) -> Result<(), StoreError> {
        let Short { due_at, is_first } = short;
        self.fetched(id, Step::Short { due_at, is_first }, collection)
            .await
    }

    /// Records that the rows of a retrieval stayed fewer than Belvo says there are, and what the
    /// collection found.
    pub async fn incomplete(
        &self,
        id: &RequestId,
        collection: &Collection,
    ) -> Result<(), StoreError> {
        self.fetched(id, Step::Incomplete, collection).await
    }

    /// Records the same without another collection. Does nothing if no rows are missing any more.
    pub async fn stayed_incomplete(&self, id: &RequestId, at: Timestamp) -> Result<(), StoreError> {
        let update = self
            .update(id, facts(Step::Incomplete, at))?
            .condition_expression(
                "attribute_exists(short_at) \
                 AND (attribute_not_exists(incomplete_at) OR incomplete_at < short_at)",
            );
        was_written(update.send().await).map(|_| ())
    }

    /// Records that a retrieval ended without rows. This may be the first fact known about it; if
    /// nobody here stands behind its link (`is_known`), the record then expires.
    pub async fn failed(
        &self,
        id: &RequestId,
        retrieval: &Retrieval,
        failure: &Failure,
        (at, is_known): (Timestamp, bool),
    ) -> Result<Recorded, StoreError> {
        let gave_up = failure.is_ours();
        let mut writes = identity(id, retrieval, at);
        if !is_known {
            writes.push(expiry(at));
        }
        writes.extend(facts(Step::Failed { gave_up }, at));
        writes.push(once("failure", failure));
        Ok(match self.write_of_link(id, writes).await? {
            Some(_) => Recorded::Written,
            None => Recorded::AnotherLinks,
        })
    }

    /// Records that a retrieval expired. Does nothing if it is not recorded.
    pub async fn expired(&self, id: &RequestId, at: Timestamp) -> Result<(), StoreError> {
        self.write_known(id, facts(Step::Expired, at)).await
    }

    /// Keeps the records of a link's retrievals, of which some were to expire while it was unknown.
    /// The index may lag, so that one of the last second may be missed.
    pub async fn keep_of_link(&self, link: &LinkId) -> Result<(), StoreError> {
        let items = self.table.listed_since(link.as_str(), FIRST).await?;
        let expiring = items.iter().filter(|item| item.contains_key("expires_at"));
        for pk in expiring.filter_map(|item| item.get("pk")?.as_s().ok()) {
            self.keep_item(pk).await?;
        }
        Ok(())
    }

    /// How many retrievals of a link are recorded. The index may lag slightly behind the table.
    pub async fn count(&self, link: &LinkId) -> Result<u64, StoreError> {
        let items = self.table.listed_since(link.as_str(), FIRST).await?;
        Ok(items.len() as u64)
    }

    /// Takes out of the records of an erased link's retrievals what may quote its data, Belvo's
    /// words of a failure and the ids of rows that were left out, and lets them expire, as long
    /// after `at` as is configured. One of the last second may be missed, because the index may
    /// lag. Safe to interrupt and repeat.
    pub async fn erase(&self, link: &LinkId, at: Timestamp) -> Result<(), StoreError> {
        for item in self.table.listed_since(link.as_str(), FIRST).await? {
            self.erase_item(&item, at).await?;
        }
        Ok(())
    }

    async fn erase_item(&self, item: &Item, at: Timestamp) -> Result<(), StoreError> {
        let Some(pk) = item.get("pk").and_then(|pk| pk.as_s().ok()) else {
            return Err(StoreError::Corrupt(table::NAME));
        };
        let expires_at = expires_at(at, self.erased_days.into());
        let mut update = self
            .table
            .update(pk)
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":expires_at", expires_at);
        let mut change = "SET expires_at = if_not_exists(expires_at, :expires_at)".to_owned();
        if item.contains_key("failure") {
            change += ", failure.#message = :empty";
            update = update
                .expression_attribute_names("#message", "message")
                .expression_attribute_values(":empty", text(""));
        }
        if item.contains_key("collection") {
            change += " REMOVE #collection.left_out";
            update = update.expression_attribute_names("#collection", "collection");
        }
        was_written(update.update_expression(change).send().await).map(|_| ())
    }

    /// Keeps the record of a retrieval, which was to expire while its link was unknown.
    pub async fn keep(&self, id: &RequestId) -> Result<(), StoreError> {
        self.keep_item(&key(id)).await
    }

    async fn keep_item(&self, pk: &str) -> Result<(), StoreError> {
        let kept = self.table.update(pk).update_expression("REMOVE expires_at");
        // It may have expired; without it, this would create an item.
        let kept = kept.condition_expression("attribute_exists(pk)");
        was_written(kept.send().await).map(|_| ())
    }

    /// Postpones the check of a retrieval. Does nothing if it is not recorded.
    pub async fn postpone(&self, id: &RequestId, due_at: Timestamp) -> Result<(), StoreError> {
        let step = Step::Postponed { due_at };
        self.write_known(id, facts(step, due_at)).await
    }

    /// Stops checking a retrieval that has ended. Does nothing if it is not recorded.
    pub async fn no_longer_due(&self, id: &RequestId, at: Timestamp) -> Result<(), StoreError> {
        self.write_known(id, facts(Step::NoLongerDue, at)).await
    }

    async fn fetched(
        &self,
        id: &RequestId,
        step: Step,
        collection: &Collection,
    ) -> Result<(), StoreError> {
        let mut writes = facts(step, collection.finished_at);
        writes.push(latest("collection", collection));
        self.write_known(id, writes).await
    }

    async fn write(&self, id: &RequestId, writes: Vec<AttributeWrite>) -> Result<(), StoreError> {
        self.update(id, writes)?.send().await?;
        Ok(())
    }

    /// Writes facts about a link's retrieval, including its identity, unless it belongs to another
    /// link.
    async fn write_of_link(
        &self,
        id: &RequestId,
        writes: Vec<AttributeWrite>,
    ) -> Result<Option<Item>, StoreError> {
        let update = self
            .update(id, writes)?
            .condition_expression("attribute_not_exists(#link) OR #link = :link")
            .return_values(ReturnValue::AllNew);
        match update.send().await {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) => was_written(Err::<(), _>(error)).map(|_| None),
        }
    }

    /// Writes facts about a recorded retrieval; a record of these facts alone could not be read.
    async fn write_known(
        &self,
        id: &RequestId,
        writes: Vec<AttributeWrite>,
    ) -> Result<(), StoreError> {
        let update = self
            .update(id, writes)?
            .condition_expression("attribute_exists(id)");
        was_written(update.send().await).map(|_| ())
    }

    fn update(
        &self,
        id: &RequestId,
        writes: Vec<AttributeWrite>,
    ) -> Result<UpdateItemFluentBuilder, StoreError> {
        let mut update = self.table.update(key(id));
        let (mut set, mut remove) = (Vec::new(), Vec::new());

        for (name, write) in writes {
            update = update.expression_attribute_names(format!("#{name}"), &name);
            let value = match write {
                Once(value) => {
                    set.push(format!("#{name} = if_not_exists(#{name}, :{name})"));
                    value
                }
                Latest(value) => {
                    set.push(format!("#{name} = :{name}"));
                    value
                }
                Remove => {
                    remove.push(format!("#{name}"));
                    continue;
                }
            };
            let value = attribute(&value.to_string()).ok_or(StoreError::Corrupt(table::NAME))?;
            update = update.expression_attribute_values(format!(":{name}"), value);
        }

        let clauses: Vec<_> = [("SET", set), ("REMOVE", remove)]
            .into_iter()
            .filter(|(_, parts)| !parts.is_empty())
            .map(|(verb, parts)| format!("{verb} {}", parts.join(", ")))
            .collect();
        Ok(update.update_expression(clauses.join(" ")))
    }
}

/// What a step of a retrieval writes. The index `by_due` holds exactly the retrievals that are due,
/// and `by_state` all those of which rows are missing, and some that were collected before a late
/// failure.
fn facts(step: Step, at: Timestamp) -> Vec<AttributeWrite> {
    let mut writes = match step {
        Step::Collected => vec![
            ("state".to_owned(), Remove),
            ("state_at".to_owned(), Remove),
        ],
        Step::Short { .. } | Step::Incomplete | Step::Failed { .. } | Step::Expired => {
            vec![latest("state", &UNCOLLECTED), latest("state_at", &at)]
        }
        _ => Vec::new(),
    };
    for (fact, write) in step.writes(at) {
        if fact == Fact::DueAt {
            writes.push((DUE.to_owned(), write.map(|_| json!(DUE))));
        }
        writes.push((fact.name().to_owned(), write.map(|at| json!(at))));
    }
    writes
}

/// What a retrieval is, and its place in the listing of its link.
fn identity(id: &RequestId, retrieval: &Retrieval, at: Timestamp) -> Vec<AttributeWrite> {
    let mut writes = vec![once("id", id), once("listed_at", &at)];
    if let Value::Object(fields) = json!(retrieval) {
        writes.extend(fields.into_iter().map(|(name, value)| (name, Once(value))));
    }
    writes
}

/// When the record of a retrieval of an unknown link expires.
fn expiry(at: Timestamp) -> AttributeWrite {
    let expires_at = at.plus_seconds(UNKNOWN_REQUEST_DAYS * DAY_S);
    once("expires_at", &expires_at.unix_seconds())
}

fn once(name: &str, value: &impl serde::Serialize) -> AttributeWrite {
    (name.to_owned(), Once(json!(value)))
}

fn latest(name: &str, value: &impl serde::Serialize) -> AttributeWrite {
    (name.to_owned(), Latest(json!(value)))
}

fn key(id: &RequestId) -> String {
    format!("{KIND}#{id}")
}

pub(super) fn record(item: Item) -> Result<RequestRecord, StoreError> {
    let document = document(item).ok_or(StoreError::Corrupt(table::NAME))?;
    serde_json::from_value(Value::Object(document)).map_err(|_| StoreError::Corrupt(table::NAME))
}
