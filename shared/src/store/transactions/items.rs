//! Items of the table, and what they mean.

use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest},
};
use serde_json::{Map, Value};

use super::{Observation, RowRef};
use crate::{
    domain::{
        Account, AccountId, Digest, Fingerprinted, LinkId, Resource, Stored, Timestamp,
        Transaction, TransactionId,
    },
    store::item::{Item, document, is_kept, kept_attribute, text, timestamp},
};

/// Attributes of ours that an item has besides its document's: the key, `_by_date`, `_digest`,
/// `_stored_at`, `_request`, `_same_as`.
const MOST_OF_OURS: usize = 7;

/// The partition of a link's rows of one resource. Accounts and balances stand with the
/// transactions.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    key: String,
    resource: Resource,
}

impl Partition {
    pub(super) fn of(resource: Resource, link: &LinkId) -> Self {
        let key = match resource {
            Resource::TRANSACTIONS => link.to_string(),
            other => format!("{link}/{}", other.name()),
        };
        Self { key, resource }
    }

    /// The value of `_link`.
    pub(super) fn key(&self) -> AttributeValue {
        text(&self.key)
    }
}

pub(super) fn transaction_key(partition: &Partition, id: &str) -> Item {
    key(partition, format!("T#{id}"))
}

/// The key of an item.
pub(super) fn key(partition: &Partition, item: String) -> Item {
    Item::from([
        ("_link".to_owned(), partition.key()),
        ("_item".to_owned(), text(item)),
    ])
}

pub(super) fn transaction_item(
    partition: &Partition,
    change: Fingerprinted,
    seen: &Observation,
) -> Item {
    let Fingerprinted { row, digest } = change;
    let key = transaction_key(partition, row.id().as_str());
    let by_date = format!("{}#{}", row.day(partition.resource), row.id());
    let mut item = document_item(
        row.into_document(),
        &["account", "status", "type", "collected_at"],
    );
    item.extend(key);
    item.insert("_by_date".to_owned(), text(by_date));
    item.insert("_digest".to_owned(), digest_attribute(digest));
    item.extend(observation(seen));
    item
}

pub(super) fn account_item(partition: &Partition, account: &Account, at: Timestamp) -> Item {
    let mut item = document_item(account.document().clone(), &["collected_at"]);
    item.extend(key(partition, format!("A#{}", account.id())));
    item.insert("_digest".to_owned(), digest_attribute(account.digest()));
    item.insert("_stored_at".to_owned(), text(at.to_string()));
    item
}

/// The item of an account's balance, if Belvo sent one: under the time at which Belvo read it, so
/// that a balance that is seen again is the same item.
pub(super) fn balance_item(
    partition: &Partition,
    account: &Account,
    seen: &Observation,
) -> Option<Item> {
    let balance = account
        .document()
        .get("balance")
        .filter(|balance| !balance.is_null())?;
    let mut document = Map::from_iter([("balance".to_owned(), balance.clone())]);
    document.extend(
        account
            .document()
            .get_key_value("collected_at")
            .map(|(name, at)| (name.clone(), at.clone())),
    );
    let mut item = document_item(document, &[]);
    let at = account.collected_at().unwrap_or(seen.at);
    item.extend(key(partition, format!("B#{}#{at}", account.id())));
    item.extend(observation(seen));
    Some(item)
}

/// When something was seen, and by which retrieval.
fn observation(seen: &Observation) -> Item {
    let request = seen
        .request
        .as_ref()
        .map(|request| ("_request".to_owned(), text(request.as_str())));
    let at = ("_stored_at".to_owned(), text(seen.at.to_string()));
    std::iter::once(at).chain(request).collect()
}

/// The item of a superseded version, made of the item that is being replaced: the same document
/// under another key, out of the index. Its key names the version, so that making it again makes
/// the same item.
pub(super) fn version_item(mut replaced: Item, until: Timestamp) -> Option<Item> {
    let id = replaced
        .get("_item")?
        .as_s()
        .ok()?
        .strip_prefix("T#")?
        .to_owned();
    let from = replaced.get("_stored_at")?.as_s().ok()?.clone();
    replaced.remove("_by_date");
    replaced.insert("_item".to_owned(), text(format!("V#{id}#{from}")));
    // A version that was deleted before it was replaced ceased to be known as true at its deletion.
    let until = replaced
        .get("_deleted_at")
        .cloned()
        .unwrap_or_else(|| text(until.to_string()));
    replaced.insert("_until".to_owned(), until);
    Some(replaced)
}

/// A document's fields as attributes, without `id`, which the key holds; or as JSON text with the
/// fields that the index needs beside it.
fn document_item(mut document: Map<String, Value>, indexed: &[&str]) -> Item {
    let is_ours = |name: &str| name.is_empty() || name.starts_with('_');
    if document
        .iter()
        .all(|(name, value)| !is_ours(name) && is_kept(value))
    {
        document.remove("id");
        let mut item = Item::with_capacity(document.len() + MOST_OF_OURS);
        item.extend(
            document
                .into_iter()
                .map(|(name, value)| (name, kept_attribute(value))),
        );
        return item;
    }
    let text_of = |name: &&str| Some(((*name).to_owned(), text(document.get(*name)?.as_str()?)));
    let mut item: Item = indexed.iter().filter_map(text_of).collect();
    item.insert(
        "_json".to_owned(),
        text(Value::Object(document).to_string()),
    );
    item
}

fn digest_attribute(digest: Digest) -> AttributeValue {
    AttributeValue::B(Blob::new(digest.as_bytes()))
}

/// The id in the item's key and its document.
pub(super) fn stored_document(
    mut item: Item,
    prefix: &str,
) -> Option<(String, Map<String, Value>)> {
    let id = item
        .get("_item")?
        .as_s()
        .ok()?
        .strip_prefix(prefix)?
        .split('#')
        .next()?
        .to_owned();
    let document = if let Some(json) = item.remove("_json") {
        serde_json::from_str(json.as_s().ok()?).ok()?
    } else {
        item.retain(|name, _| !name.starts_with('_'));
        item.insert("id".to_owned(), text(&id));
        document(item)?
    };
    Some((id, document))
}

pub(super) fn transaction(item: Item) -> Option<Transaction> {
    let prefix = if item.contains_key("_until") {
        "V#"
    } else {
        "T#"
    };
    let (id, document) = stored_document(item, prefix)?;
    Some(Transaction::from_parts(
        TransactionId::parse(&id).ok()?,
        document,
    ))
}

pub(super) fn account(item: Item) -> Option<Account> {
    let (id, document) = stored_document(item, "A#")?;
    Some(Account::from_parts(AccountId::parse(&id).ok()?, document))
}

/// The transaction of an older link that an item is the same as.
pub(super) fn duplicate_of(item: &Item) -> Option<RowRef> {
    let (link, id) = item.get("_same_as")?.as_s().ok()?.split_once('#')?;
    Some(RowRef {
        link: LinkId::parse(link).ok()?,
        id: TransactionId::parse(id).ok()?,
    })
}

pub(super) fn stored_transaction(item: &Item) -> Option<(TransactionId, Stored)> {
    let id = item.get("_item")?.as_s().ok()?.strip_prefix("T#")?;
    Some((TransactionId::parse(id).ok()?, stored_version(item)?))
}

pub(super) fn stored_account(item: &Item) -> Option<(AccountId, Stored)> {
    let id = item.get("_item")?.as_s().ok()?.strip_prefix("A#")?;
    Some((AccountId::parse(id).ok()?, stored_version(item)?))
}

fn stored_version(item: &Item) -> Option<Stored> {
    let digest = Digest::from_bytes(item.get("_digest")?.as_b().ok()?.as_ref())?;
    let deleted = item.contains_key("_deleted_at");
    Some(Stored {
        digest,
        collected_at: timestamp(item, "collected_at"),
        deleted,
    })
}

pub(super) fn put_request(item: Item) -> WriteRequest {
    #[expect(
        clippy::expect_used,
        reason = "PutRequest has one required field, the item, which is given here"
    )]
    let put = PutRequest::builder()
        .set_item(Some(item))
        .build()
        .expect("an item was given");
    WriteRequest::builder().put_request(put).build()
}

pub(super) fn delete_request(key: Item) -> WriteRequest {
    #[expect(
        clippy::expect_used,
        reason = "DeleteRequest has one required field, the key, which is given here"
    )]
    let delete = DeleteRequest::builder()
        .set_key(Some(key))
        .build()
        .expect("a key was given");
    WriteRequest::builder().delete_request(delete).build()
}
