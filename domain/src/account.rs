//! An account, which Belvo repeats in each of its transactions and which is stored once.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::{AccountId, Digest, LinkId, Timestamp};

/// An account as Belvo sends it within its transactions.
#[derive(Clone, PartialEq)]
pub struct Account {
    id: AccountId,
    document: Map<String, Value>,
}

/// Shows the id only: the rest is a person's.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// Reads an account; `None` without a usable id.
    #[must_use]
    pub fn parse(account: &str) -> Option<Self> {
        let document: Map<String, Value> = serde_json::from_str(account).ok()?;
        let id = AccountId::parse(text(&document, "id")?).ok()?;
        Some(Self { id, document })
    }

    /// Whether nothing but the id is known of it.
    #[must_use]
    pub fn is_only_an_id(&self) -> bool {
        self.document
            .values()
            .filter(|value| !value.is_null())
            .count()
            == 1
    }

    /// An account from its stored parts.
    #[must_use]
    pub fn from_parts(id: AccountId, document: Map<String, Value>) -> Self {
        Self { id, document }
    }

    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// The digest by which an unchanged account is recognised.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&json!(self.document).to_string())
    }

    /// Identifies this account at its institution, whichever link brings it: a digest of the
    /// institution's name and its own id for the account. `None` unless Belvo sent both.
    #[must_use]
    pub fn identity(&self) -> Option<String> {
        let institution = self
            .document
            .get("institution")?
            .get("name")?
            .as_str()
            .filter(|name| !name.is_empty())?;
        let id = text(&self.document, "internal_identification").filter(|id| !id.is_empty())?;
        let names = json!([institution, id]).to_string();
        Some(hex::encode(Digest::of(&names).as_bytes()))
    }

    /// The account as Belvo sent it.
    #[must_use]
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// When Belvo read this account from the institution, if it says.
    #[must_use]
    pub fn collected_at(&self) -> Option<Timestamp> {
        text(&self.document, "collected_at").and_then(Timestamp::parse)
    }
}

/// A text field of a document.
fn text<'a>(document: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    document.get(field)?.as_str()
}

/// A link that holds an account. They sort oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    pub since: Timestamp,
    pub link: LinkId,
    /// The account's id under this link.
    pub account: AccountId,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e";

    /// With its id and these fields.
    fn account(fields: &Value) -> Account {
        let mut document = fields.clone();
        document["id"] = ID.into();
        Account::parse(&document.to_string()).unwrap()
    }

    #[test]
    fn an_account_shows_its_id_and_nothing_of_a_person() {
        let account = account(&json!({"name": "Ana's savings"}));
        let shown = format!("{account:?}");
        assert!(shown.contains(ID) && !shown.contains("Ana"), "{shown}");
    }

    #[test]
    fn nothing_but_the_id_is_known_of_an_account_whose_other_fields_are_null() {
        assert!(account(&json!({})).is_only_an_id());
        assert!(account(&json!({"name": null})).is_only_an_id());
        assert!(!account(&json!({"name": "savings"})).is_only_an_id());
    }

    #[test]
    fn an_account_says_when_belvo_read_it() {
        let read = account(&json!({"collected_at": "2026-03-01T00:00:00Z"}));
        assert_eq!(
            read.collected_at(),
            Timestamp::parse("2026-03-01T00:00:00Z")
        );
        assert_eq!(account(&json!({})).collected_at(), None);
    }
}
