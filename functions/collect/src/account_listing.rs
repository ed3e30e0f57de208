//! Reads a link's accounts from Belvo's own listing of them: rows carry only the accounts that have
//! a movement (docs/decisions/0022).

use domain::{LinkId, Observation};
use lambda_runtime::tracing;
use shared::{
    belvo::{BelvoError, Client, Page},
    store::Accounts as AccountStore,
    telemetry::Event,
};

use crate::{
    CollectError,
    accounts::Accounts,
    fetch::{Fetch, Step},
};

/// How many pages are read at most. Pages that lead to each other would never end.
const MOST_PAGES: u64 = 50;

/// The accounts of one link at Belvo, and where they are stored.
pub(crate) struct AccountListing<'a> {
    pub(crate) belvo: &'a Client,
    pub(crate) store: &'a AccountStore,
    pub(crate) link: &'a LinkId,
    pub(crate) seen: Observation,
}

impl AccountListing<'_> {
    /// Stores what is new or changed. Belvo's refusal to list accounts is logged and no error: rows
    /// do not depend on it. Safe to repeat.
    pub(crate) async fn read(&self, accounts: &mut Accounts) -> Result<(), CollectError> {
        match self.read_pages(accounts).await {
            Err(CollectError::Belvo(BelvoError::Rejected { status, code, .. })) => {
                tracing::warn!(
                    event = Event::AccountsRefused.name(),
                    link.id = self.link.as_str(),
                    http.status = status,
                    failure.code = code,
                    "Belvo does not list the accounts"
                );
                Ok(())
            }
            outcome => outcome,
        }
    }

    async fn read_pages(&self, accounts: &mut Accounts) -> Result<(), CollectError> {
        let mut page = self.belvo.first_accounts(self.link).await?;
        let (mut pages, mut listed) = (1, 0);
        loop {
            listed += self.store(accounts, &page).await?;
            let Some(next) = page.next.filter(|_| pages < MOST_PAGES) else {
                break;
            };
            let Some(further) = self.belvo.next_page(&next).await? else {
                break;
            };
            page = further;
            pages += 1;
        }
        tracing::info!(
            event = Event::AccountsListed.name(),
            link.id = self.link.as_str(),
            accounts = listed,
            pages,
            "accounts listed"
        );
        Ok(())
    }

    /// Stores what is new or changed in a page, and returns how many accounts it has. One that
    /// cannot be read stops no other.
    async fn store(&self, accounts: &mut Accounts, page: &Page) -> Result<usize, CollectError> {
        let texts = page.rows.texts();
        let readable = texts.filter(|text| accounts.read(text).is_some());
        let readable = readable.count();
        if readable < page.rows.len() {
            tracing::error!(
                event = Event::AccountLeftOut.name(),
                link.id = self.link.as_str(),
                accounts = page.rows.len() - readable,
                "accounts without an id left out"
            );
        }
        accounts
            .write_changed(self.store, self.link, &self.seen)
            .await?;
        Ok(readable)
    }
}

impl Fetch<'_> {
    /// Whether the accounts are still to be listed: once in each collection of all days of all
    /// accounts.
    pub(crate) fn are_accounts_due(&self) -> bool {
        self.query.resource.has_accounts()
            && self.query.account.is_none()
            && self.progress.are_accounts_due()
    }

    /// Lists the accounts, after the rows: these do not wait for an answer about accounts.
    pub(crate) async fn list_accounts(&mut self) -> Result<Step, CollectError> {
        let listing = AccountListing {
            belvo: self.belvo,
            store: &self.account_store,
            link: &self.query.link,
            seen: self.observation(),
        };
        listing.read(&mut self.accounts).await?;
        self.progress.accounts_listed();
        Ok(Step::Taken)
    }
}
