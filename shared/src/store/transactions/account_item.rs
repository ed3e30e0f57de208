//! The items of an account: the account itself and its balances.

use domain::{Account, AccountId, KnownVersion, Observation, Timestamp};
use serde_json::Map;

use super::{
    document::{
        digest_attribute, document_item, key_after, known_version, observed, stored_document,
    },
    partition::Partition,
};
use crate::store::item::{Item, text};

pub(super) fn account_item(partition: &Partition, account: &Account, at: Timestamp) -> Item {
    let mut item = document_item(account.document().clone(), &["collected_at"]);
    item.extend(partition.key(format!("A#{}", account.id())));
    item.insert("_digest".to_owned(), digest_attribute(account.digest()));
    item.insert("_stored_at".to_owned(), text(at.to_string()));
    item
}

/// The item of an account's balance, if Belvo sent one. Its key has the time at which Belvo read
/// it, so that a balance that is seen again is the same item.
pub(super) fn balance_item(
    partition: &Partition,
    account: &Account,
    seen: &Observation,
) -> Option<Item> {
    let fields = account.document();
    let balance = fields.get("balance").filter(|balance| !balance.is_null())?;
    let mut document = Map::from_iter([("balance".to_owned(), balance.clone())]);
    if let Some(collected_at) = fields.get("collected_at") {
        document.insert("collected_at".to_owned(), collected_at.clone());
    }

    let mut item = document_item(document, &[]);
    let at = account.collected_at().unwrap_or(seen.at);
    item.extend(partition.key(format!("B#{}#{at}", account.id())));
    item.extend(observed(seen));
    Some(item)
}

pub(super) fn account(item: Item) -> Option<Account> {
    let (id, document) = stored_document(item, "A#")?;
    Some(Account::from_parts(AccountId::parse(&id).ok()?, document))
}

pub(super) fn known_account(item: &Item) -> Option<(AccountId, KnownVersion)> {
    let id = key_after(item, "A#")?;
    Some((AccountId::parse(id).ok()?, known_version(item)?))
}
