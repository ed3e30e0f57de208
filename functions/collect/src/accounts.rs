//! A link's accounts: what is stored of them, and what the rows of a fetch say.

use std::collections::{BTreeSet, HashMap};

use shared::{
    belvo::Scope,
    domain::{Account, AccountId, LinkId, Resource, Stored},
    store::Observation,
};

use crate::{Collect, CollectError};

/// The accounts of one link.
pub(crate) struct Accounts {
    known: HashMap<AccountId, Stored>,
    /// As the rows of this invocation brought them, in their latest version.
    seen: HashMap<AccountId, Account>,
    changed: BTreeSet<AccountId>,
}

impl Accounts {
    /// The accounts that the rows of this scope belong to. Only transactions have accounts.
    pub(crate) async fn stored(collect: &Collect, scope: &Scope) -> Result<Self, CollectError> {
        let known = match scope.resource {
            Resource::TRANSACTIONS => collect.transactions.stored_accounts(&scope.link).await?,
            _ => HashMap::new(),
        };
        Ok(Self { known, seen: HashMap::new(), changed: BTreeSet::new() })
    }

    /// Takes note of the account a row carries, and returns its id. Rows of one account carry it equal; of two versions the
    /// one that Belvo collected later counts.
    pub(crate) fn note(&mut self, account: Account) -> AccountId {
        let id = account.id().clone();
        let version = Stored { digest: account.digest(), collected_at: account.collected_at(), deleted: false };
        if self.known.get(&id).is_none_or(|known| version.replaces(known)) {
            self.known.insert(id.clone(), version);
            self.changed.insert(id.clone());
            self.seen.insert(id.clone(), account);
        } else {
            self.seen.entry(id.clone()).or_insert(account);
        }
        id
    }

    /// Writes the accounts that have changed since the last call, and remembers for each that this link holds it.
    pub(crate) async fn write_changed(
        &mut self,
        collect: &Collect,
        link: &LinkId,
        seen: &Observation,
    ) -> Result<(), CollectError> {
        let changed: Vec<_> = self.changed.iter().filter_map(|id| self.seen.get(id).cloned()).collect();
        for account in &changed {
            collect.transactions.hold(link, account, seen.at).await?;
        }
        collect.transactions.put_accounts(link, &changed, seen).await?;
        self.changed.clear();
        Ok(())
    }

    /// The account with this id, if a row has brought it.
    pub(crate) fn get(&self, id: &AccountId) -> Option<&Account> {
        self.seen.get(id)
    }
}
