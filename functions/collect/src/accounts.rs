//! A link's accounts: what is stored, and what the rows of a fetch or Belvo's listing say.

use std::collections::{BTreeSet, HashMap};

use domain::{Account, AccountId, KnownVersion, LinkId, Observation, RowQuery};
use shared::store::Accounts as AccountStore;

use crate::CollectError;

/// The accounts of one link.
pub(crate) struct Accounts {
    known: HashMap<AccountId, KnownVersion>,
    /// The latest version of each account that this invocation has read.
    seen: HashMap<AccountId, Account>,
    /// The last text parsed for each account: rows repeat it to the letter.
    texts: Vec<(AccountId, Box<str>)>,
    changed: BTreeSet<AccountId>,
}

impl Accounts {
    /// The accounts that the rows of a query belong to, if the rows of its resource have accounts.
    pub(crate) async fn stored(
        store: &AccountStore,
        query: &RowQuery,
    ) -> Result<Self, CollectError> {
        if query.resource.has_accounts() {
            return Self::of(store, &query.link).await;
        }
        Ok(Self::knowing(HashMap::new()))
    }

    /// All accounts of a link.
    pub(crate) async fn of(store: &AccountStore, link: &LinkId) -> Result<Self, CollectError> {
        Ok(Self::knowing(store.known(link).await?))
    }

    fn knowing(known: HashMap<AccountId, KnownVersion>) -> Self {
        Self {
            known,
            seen: HashMap::new(),
            texts: Vec::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Reads an account of a row or of the listing, and returns its id if it is a whole account. Of
    /// two versions, the one that Belvo collected later is used.
    pub(crate) fn read(&mut self, text: &str) -> Option<AccountId> {
        if let Some((id, _)) = self.texts.iter().find(|(_, known)| **known == *text) {
            return Some(id.clone());
        }
        let account = Account::parse(text)?;
        let id = account.id().clone();
        if account.is_only_an_id() && self.known.contains_key(&id) {
            return Some(id);
        }
        self.texts.retain(|(known, _)| *known != id);
        self.texts.push((id.clone(), text.into()));
        let version = KnownVersion {
            digest: account.digest(),
            collected_at: account.collected_at(),
            deleted: false,
        };
        if self
            .known
            .get(&id)
            .is_none_or(|known| version.replaces(known))
        {
            self.known.insert(id.clone(), version);
            self.changed.insert(id.clone());
            self.seen.insert(id.clone(), account);
        } else {
            self.seen.entry(id.clone()).or_insert(account);
        }
        Some(id)
    }

    /// Writes the accounts that have changed since the last call, and records for each that this
    /// link holds it.
    pub(crate) async fn write_changed(
        &mut self,
        store: &AccountStore,
        link: &LinkId,
        seen: &Observation,
    ) -> Result<(), CollectError> {
        let changed: Vec<_> = self
            .changed
            .iter()
            .filter_map(|id| self.seen.get(id).cloned())
            .collect();
        for account in &changed {
            store.hold(link, account, seen.at).await?;
        }
        store.put(link, &changed, seen).await?;
        self.changed.clear();
        Ok(())
    }

    /// The account with this id, if it has been read.
    pub(crate) fn get(&self, id: &AccountId) -> Option<&Account> {
        self.seen.get(id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn none() -> Accounts {
        Accounts::knowing(HashMap::new())
    }

    fn account(current: u32, collected_at: &str) -> String {
        let account = json!({
            "id": ID,
            "balance": {"current": current},
            "collected_at": collected_at,
        });
        account.to_string()
    }

    const ID: &str = "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e";
    const EARLY: &str = "2026-01-01T00:00:00Z";
    const LATE: &str = "2026-01-02T00:00:00Z";

    #[test]
    fn the_latest_version_of_an_account_is_used_whatever_the_order_of_the_rows() {
        let mut accounts = none();
        let texts = [
            account(1, EARLY),
            account(2, LATE),
            account(1, EARLY),
            account(1, EARLY),
        ];
        let ids: Vec<_> = texts
            .iter()
            .map(|text| accounts.read(text).unwrap())
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]));
        assert_eq!(
            accounts.get(&ids[0]).unwrap().document()["balance"],
            json!({"current": 2})
        );
        assert_eq!(accounts.changed.len(), 1);
    }

    #[test]
    fn a_written_account_is_written_again_only_if_it_has_changed() {
        let mut accounts = none();
        accounts.read(&account(1, EARLY)).unwrap();
        accounts.changed.clear();
        accounts.read(&account(1, EARLY)).unwrap();
        assert!(accounts.changed.is_empty());
        accounts.read(&account(2, LATE)).unwrap();
        assert_eq!(accounts.changed.len(), 1);
    }

    #[test]
    fn an_account_that_comes_with_its_id_only_does_not_replace_a_whole_one() {
        let id_only = || json!({"id": ID}).to_string();
        let mut accounts = none();
        let id = accounts.read(&account(1, EARLY)).unwrap();
        assert_eq!(accounts.read(&id_only()), Some(id.clone()));
        let whole = accounts.get(&id).unwrap().document();
        assert_eq!(whole["balance"], json!({"current": 1}));

        let mut accounts = none();
        assert_eq!(accounts.read(&id_only()), Some(id.clone()));
        accounts.read(&account(1, EARLY)).unwrap();
        let whole = accounts.get(&id).unwrap().document();
        assert_eq!(whole["balance"], json!({"current": 1}), "in either order");
    }

    #[test]
    fn anything_but_a_whole_account_has_no_id() {
        for text in ["null", "\"a\"", "{\"name\": \"no id\"}", "{\"id\": 7}"] {
            assert_eq!(none().read(text), None, "{text}");
        }
    }
}
