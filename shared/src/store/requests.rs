//! The Requests table. An item is one of
//!
//! | `pk` | item |
//! |---|---|
//! | `request#<id>` | one retrieval ([`RequestRecord`]); `link` and `listed_at` put it into the index `by_link`, `due` and `due_at` into `by_due` until it has ended |
//! | `event#<when it came in>#<delivery id>` | a webhook that asked for no collection, kept for 90 days |
//! | `quota#<holder>#<month>` | how many retrievals were sent (`quota.rs`) |
//! | `intent#<fingerprint>` | the latest wish to send a retrieval (`intents.rs`) |
//! | `link#<id>` | what is known of a link (`links.rs`) |
//! | `key#<hash>` | what a request with an `Idempotency-Key` was answered with (`idempotency.rs`) |
//!
//! Facts of a retrieval are each written once, by whoever learns them first, in any order; so every
//! write here may be repeated.

use aws_sdk_dynamodb::{
    Client,
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, ReturnValue},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Cursor, StoreError,
    error::was_written,
    intents::OPEN,
    item::{Item, attribute, document, number, text},
};
use crate::{
    aws::SdkConfig,
    domain::{
        AccountId, Change, Collection, Declared, Direction, Fact as Known, Failure, LinkId,
        RequestId, RequestRecord, Resource, Step, Timestamp, Window,
    },
};

const TABLE: &str = "Requests";
pub(super) const BY_LINK: &str = "by_link";
const BY_DUE: &str = "by_due";
/// The attribute, and its only value, that puts a retrieval into the index `by_due` until it has
/// ended.
const DUE: &str = "due";
/// How long recorded webhooks are kept.
const EVENT_DAYS: i64 = 90;

/// Facts of a retrieval that Belvo accepted.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Belvo's id of it.
    pub id: RequestId,
    /// Whose data.
    pub link: LinkId,
    /// What it brings.
    pub resource: Resource,
    /// Which days.
    pub window: Option<Window>,
    /// One account, or all.
    pub account: Option<AccountId>,
    /// Received or sent.
    pub direction: Option<Direction>,
    /// When Belvo accepted it.
    pub at: Timestamp,
    /// When it is looked after if no webhook has come by then.
    pub due_at: Timestamp,
}

/// Facts of a retrieval that a webhook announced.
#[derive(Debug, Clone)]
pub struct Notified {
    /// Belvo's id of it.
    pub id: RequestId,
    /// Whose data.
    pub link: LinkId,
    /// What it brings.
    pub resource: Resource,
    /// The webhook's code.
    pub code: String,
    /// What the webhook said there would be.
    pub declared: Option<Declared>,
    /// When the webhook came in.
    pub at: Timestamp,
    /// When it is looked after if it has not ended by then.
    pub due_at: Timestamp,
}

/// A webhook that asked for no collection.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// SHA-256 of its bytes.
    pub delivery_id: String,
    /// Which link it is about.
    pub link: LinkId,
    /// Belvo's `webhook_type`.
    pub webhook_type: String,
    /// Belvo's `webhook_code`.
    pub webhook_code: String,
    /// The retrieval it names.
    pub request_id: Option<RequestId>,
    /// When it came in.
    pub received_at: Timestamp,
    /// Its JSON text.
    pub body: String,
}

/// The Requests table.
pub struct Requests {
    pub(super) client: Client,
    pub(super) table: String,
}

/// When a fact is written.
enum Fact {
    /// By the first who knows it; later writers leave it alone.
    Once(&'static str, Value),
    /// By everybody; the last word counts.
    Latest(&'static str, Value),
    /// No longer.
    Gone(&'static str),
}

use Fact::{Gone, Latest, Once};

impl Requests {
    /// The table called `table`.
    #[must_use]
    pub fn new(aws: &SdkConfig, table: String) -> Self {
        Self {
            client: Client::new(aws),
            table,
        }
    }

    /// Opens the connection that the first call will use. A failure shows again, with its reason,
    /// on that call.
    pub async fn warm_up(&self) {
        let nobody = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text("warm-up"));
        let _ = nobody.send().await;
    }

    /// Records that Belvo accepted a retrieval. The webhook may have come first: then this adds
    /// what only we know.
    pub async fn issued(&self, issued: &Issued) -> Result<(), StoreError> {
        let mut facts = identity(&issued.id, &issued.link, issued.resource, issued.at);
        if let Some(window) = &issued.window {
            facts.push(Once("date_from", json!(window.from())));
            facts.push(Once("date_to", json!(window.to())));
        }
        if let Some(direction) = issued.direction {
            facts.push(Once("type", json!(direction)));
        }
        if let Some(account) = &issued.account {
            facts.push(Once("account", json!(account)));
        }
        facts.extend(learned(
            Step::Issued {
                due_at: issued.due_at,
            },
            issued.at,
        ));
        self.write(&issued.id, facts).await.map(|_| ())
    }

    /// Records that a webhook announced a retrieval, and returns all that is known of it. A
    /// retrieval that nobody here issued (Belvo refreshes recurrent links by itself) gets a record
    /// without a window. None if another link's retrieval has this id: a webhook must not touch
    /// that.
    pub async fn notified(&self, notified: &Notified) -> Result<Option<RequestRecord>, StoreError> {
        let mut facts = identity(&notified.id, &notified.link, notified.resource, notified.at);
        facts.extend(learned(
            Step::Notified {
                due_at: notified.due_at,
            },
            notified.at,
        ));
        facts.push(Once("webhook_code", json!(notified.code)));
        if let Some(declared) = &notified.declared {
            facts.push(Latest("declared", json!(declared)));
        }
        self.write_of_link(&notified.id, facts)
            .await?
            .map(record)
            .transpose()
    }

    /// Records that the rest of a retrieval's rows is left to another invocation. Nothing happens
    /// if it is not recorded.
    pub async fn handed_on(&self, id: &RequestId, at: Timestamp) -> Result<(), StoreError> {
        self.write_known(id, learned(Step::HandedOn, at)).await
    }

    /// Records that the rows of a retrieval are stored, and what the collection found.
    pub async fn collected(
        &self,
        id: &RequestId,
        collection: &Collection,
    ) -> Result<(), StoreError> {
        let mut facts = learned(Step::Collected, collection.finished_at);
        facts.push(Latest("collection", json!(collection)));
        self.write(id, facts).await.map(|_| ())
    }

    /// Records that a retrieval ended without rows. It may be the first that is known of it. Says
    /// whether it is recorded: not if another link's retrieval has this id.
    pub async fn failed(
        &self,
        id: &RequestId,
        link: &LinkId,
        resource: Resource,
        failure: &Failure,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut facts = identity(id, link, resource, at);
        facts.extend(learned(
            Step::Failed {
                gave_up: failure.is_ours(),
            },
            at,
        ));
        facts.push(Once("failure", json!(failure)));
        Ok(self.write_of_link(id, facts).await?.is_some())
    }

    /// Records that a retrieval is given up because Belvo never had its rows. Nothing happens if it
    /// is not recorded.
    pub async fn expired(&self, id: &RequestId, at: Timestamp) -> Result<(), StoreError> {
        self.write_known(id, learned(Step::Expired, at)).await
    }

    /// Looks after a retrieval later, or no more. Nothing happens if it is not recorded.
    pub async fn postpone(
        &self,
        id: &RequestId,
        due_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.write_known(id, learned(Step::Postponed(due_at), Timestamp::now()))
            .await
    }

    /// Retrievals that were to be looked after by `now`, the longest overdue first, at most
    /// `limit`, and how many more cannot be read, which must not keep the others waiting. Read from
    /// an index that may lag behind the table by a moment.
    pub async fn overdue(
        &self,
        now: Timestamp,
        limit: i32,
    ) -> Result<(Vec<RequestRecord>, usize), StoreError> {
        self.due(DUE, now, limit, record).await
    }

    /// Items of this kind in the index `by_due` that were due by `now`, the longest first, at most
    /// `limit`; and how many more cannot be read.
    pub(super) async fn due<T>(
        &self,
        kind: &str,
        now: Timestamp,
        limit: i32,
        read: impl Fn(Item) -> Result<T, StoreError>,
    ) -> Result<(Vec<T>, usize), StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_DUE)
            .key_condition_expression("#due = :due AND due_at <= :now")
            .expression_attribute_names("#due", DUE)
            .expression_attribute_values(":due", text(kind))
            .expression_attribute_values(":now", text(now.to_string()))
            .limit(limit)
            .send()
            .await?;
        let items = answer.items.unwrap_or_default();
        let all = items.len();
        let records: Vec<_> = items
            .into_iter()
            .filter_map(|item| read(item).ok())
            .collect();
        let unreadable = all - records.len();
        Ok((records, unreadable))
    }

    /// Keeps a webhook that asked for no collection. Writing it again changes nothing.
    pub async fn event(&self, event: &Event) -> Result<(), StoreError> {
        let expires_at = event
            .received_at
            .plus_seconds(EVENT_DAYS * 24 * 60 * 60)
            .unix_seconds();
        let Some(AttributeValue::M(mut item)) = attribute(json!(event)) else {
            return Err(StoreError::Corrupt(TABLE));
        };
        item.insert(
            "pk".to_owned(),
            text(format!("event#{}#{}", event.received_at, event.delivery_id)),
        );
        item.insert("expires_at".to_owned(), number(expires_at));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await?;
        Ok(())
    }

    /// The record of a retrieval.
    pub async fn get(&self, id: &RequestId) -> Result<Option<RequestRecord>, StoreError> {
        self.item(key(id)).await?.map(record).transpose()
    }

    /// The item with this key, as it is now.
    pub(super) async fn item(&self, pk: String) -> Result<Option<Item>, StoreError> {
        let query = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text(pk))
            .consistent_read(true);
        Ok(query.send().await?.item)
    }

    /// The beginning of an update of the item with this key.
    pub(super) fn update_item(&self, pk: impl Into<String>) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(pk))
    }

    /// A link's retrievals, newest first, at most `limit`, and where the listing goes on. Read from
    /// an index that may lag behind the table by a moment.
    pub async fn of_link(
        &self,
        link: &LinkId,
        after: Option<&Cursor>,
        limit: i32,
    ) -> Result<(Vec<RequestRecord>, Option<Cursor>), StoreError> {
        self.listed("request", link.as_str(), after, limit, record)
            .await
    }

    /// Items that the index `by_link` has under this name, newest first, at most `limit`, and where
    /// the listing goes on. Their keys begin with `kind`.
    pub(super) async fn listed<T>(
        &self,
        kind: &str,
        under: &str,
        after: Option<&Cursor>,
        limit: i32,
        read: impl Fn(Item) -> Result<T, StoreError>,
    ) -> Result<(Vec<T>, Option<Cursor>), StoreError> {
        let start = after.map(|cursor| {
            let (listed_at, id) = cursor.parts();
            let pk = text(format!("{kind}#{id}"));
            Item::from([
                ("pk".to_owned(), pk),
                ("link".to_owned(), text(under)),
                ("listed_at".to_owned(), text(listed_at)),
            ])
        });
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_LINK)
            // Open intents stand behind everything else.
            .key_condition_expression("#link = :link AND listed_at < :intents")
            .expression_attribute_names("#link", "link")
            .expression_attribute_values(":link", text(under))
            .expression_attribute_values(":intents", text(OPEN))
            .scan_index_forward(false)
            .limit(limit)
            .set_exclusive_start_key(start)
            .send()
            .await?;
        let next = answer.last_evaluated_key.as_ref().and_then(|key| {
            let id = key
                .get("pk")?
                .as_s()
                .ok()?
                .strip_prefix(kind)?
                .strip_prefix('#')?;
            Some(Cursor::at(key.get("listed_at")?.as_s().ok()?, id))
        });
        let records = answer
            .items
            .unwrap_or_default()
            .into_iter()
            .map(read)
            .collect::<Result<_, _>>()?;
        Ok((records, next))
    }

    async fn write(&self, id: &RequestId, facts: Vec<Fact>) -> Result<Item, StoreError> {
        Ok(self
            .update(id, facts)?
            .send()
            .await?
            .attributes
            .unwrap_or_default())
    }

    /// Writes facts of a link's retrieval, its identity among them, unless it is known as another
    /// link's.
    async fn write_of_link(
        &self,
        id: &RequestId,
        facts: Vec<Fact>,
    ) -> Result<Option<Item>, StoreError> {
        let same = "attribute_not_exists(#link) OR #link = :link";
        match self
            .update(id, facts)?
            .condition_expression(same)
            .send()
            .await
        {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) => was_written(Err::<(), _>(error)).map(|_| None),
        }
    }

    /// Writes facts of a retrieval that is recorded; a record of these facts alone could not be
    /// read.
    async fn write_known(&self, id: &RequestId, facts: Vec<Fact>) -> Result<(), StoreError> {
        let update = self
            .update(id, facts)?
            .condition_expression("attribute_exists(id)");
        was_written(update.send().await).map(|_| ())
    }

    fn update(
        &self,
        id: &RequestId,
        facts: Vec<Fact>,
    ) -> Result<UpdateItemFluentBuilder, StoreError> {
        let mut update = self.update_item(key(id)).return_values(ReturnValue::AllNew);
        let mut assignments = Vec::with_capacity(facts.len());
        let mut removals = Vec::new();
        for fact in facts {
            let (name, value, assignment) = match fact {
                Once(name, value) => (
                    name,
                    value,
                    format!("#{name} = if_not_exists(#{name}, :{name})"),
                ),
                Latest(name, value) => (name, value, format!("#{name} = :{name}")),
                Gone(name) => {
                    removals.push(format!("#{name}"));
                    update = update.expression_attribute_names(format!("#{name}"), name);
                    continue;
                }
            };
            let value = attribute(value).ok_or(StoreError::Corrupt(TABLE))?;
            assignments.push(assignment);
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        let clauses = [("SET", assignments), ("REMOVE", removals)]
            .into_iter()
            .filter(|(_, parts)| !parts.is_empty());
        let clauses: Vec<_> = clauses
            .map(|(verb, parts)| format!("{verb} {}", parts.join(", ")))
            .collect();
        Ok(update.update_expression(clauses.join(" ")))
    }
}

/// What a step of a retrieval writes. What is due is in the index, and nothing else.
fn learned(step: Step, at: Timestamp) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (known, change) in step.changes(at) {
        let fact = |name, value| match change {
            Change::Once(_) => Once(name, value),
            Change::Latest(_) => Latest(name, value),
            Change::Gone => Gone(name),
        };
        facts.push(fact(known.name(), json!(change.at())));
        if known == Known::DueAt {
            facts.push(fact(DUE, json!(DUE)));
        }
    }
    facts
}

fn identity(id: &RequestId, link: &LinkId, resource: Resource, at: Timestamp) -> Vec<Fact> {
    vec![
        Once("id", json!(id)),
        Once("link", json!(link)),
        Once("resource", json!(resource)),
        Once("listed_at", json!(at)),
    ]
}

fn key(id: &RequestId) -> String {
    format!("request#{id}")
}

fn record(item: Item) -> Result<RequestRecord, StoreError> {
    let document = document(item).ok_or(StoreError::Corrupt(TABLE))?;
    serde_json::from_value(Value::Object(document)).map_err(|_| StoreError::Corrupt(TABLE))
}
