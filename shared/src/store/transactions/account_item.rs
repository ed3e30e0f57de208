//! The items of an account: the account itself and its balances.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{Account, AccountId, Digest, KnownVersion, Observation, Timestamp};
use serde_json::{Map, json};

use super::{
    document::{document_item, key_after, observed, stored_document},
    partition::Partition,
    write_request::WriteRequest,
};
use crate::store::{
    StoreError,
    item::{Item, text, timestamp},
};

/// A request to put an account.
pub(super) fn account_item(
    partition: &Partition,
    account: &Account,
    at: Timestamp,
) -> Result<WriteRequest, StoreError> {
    let document = json!(account.document()).to_string();
    let digest = Blob::new(account.digest().as_bytes());
    let key = format!("A#{}", account.id());
    let mut item = document_item(partition, &key, &document, &["collected_at"]);
    item.ours.extend([
        ("_digest", AttributeValue::B(digest)),
        ("_stored_at", text(at.to_string())),
    ]);
    WriteRequest::put_document(item)
}

/// A request to put the item of an account's balance, if Belvo sent one. Its key has the time at
/// which Belvo read it, so that a balance that is seen again is the same item.
pub(super) fn balance_item(
    partition: &Partition,
    account: &Account,
    seen: &Observation,
) -> Option<Result<WriteRequest, StoreError>> {
    let fields = account.document();
    let balance = fields.get("balance");
    let balance = balance.filter(|balance| !balance.is_null())?;
    let mut document = Map::from_iter([("balance".to_owned(), balance.clone())]);
    if let Some(collected_at) = fields.get("collected_at") {
        document.insert("collected_at".to_owned(), collected_at.clone());
    }

    let document = json!(document).to_string();
    let at = account.collected_at().unwrap_or(seen.at);
    let key = format!("B#{}#{at}", account.id());
    let mut item = document_item(partition, &key, &document, &[]);
    item.ours.extend(observed(seen));
    Some(WriteRequest::put_document(item))
}

pub(super) fn account(item: Item) -> Option<Account> {
    let (id, document) = stored_document(item, "A#")?;
    Some(Account::from_parts(AccountId::parse(&id).ok()?, document))
}

pub(super) fn known_account(item: &Item) -> Option<(AccountId, KnownVersion)> {
    let id = key_after(item, "A#")?;
    let known = KnownVersion {
        digest: Digest::from_bytes(item.get("_digest")?.as_b().ok()?.as_ref())?,
        collected_at: timestamp(item, "collected_at"),
        deleted: false,
    };
    Some((AccountId::parse(id).ok()?, known))
}
