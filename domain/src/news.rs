//! What is new of a link: whoever follows it asks for it when its sequence has grown.

use serde::Serialize;

use crate::{Block, Consent, Deletion, Digest, LastCollection, LinkRecord, Resource, Timestamp};

/// How far a collection has brought what a link's followers can read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readable {
    /// The number of the last entry of the change log.
    pub log: u64,
    /// A digest of the link's accounts, if it has any.
    pub accounts: Option<String>,
}

/// What of a link's own record its followers can see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkState<'a> {
    /// Belvo's status of the link.
    pub status: Option<&'a str>,
    pub external_id: Option<&'a str>,
    pub registered_at: Option<Timestamp>,
    /// Why it cannot be used. The API shows it with a remedy.
    #[serde(skip)]
    pub block: Option<Block>,
    #[serde(skip_serializing_if = "Consent::is_unknown")]
    pub consent: &'a Consent,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<&'a Deletion>,
}

impl LinkRecord {
    /// What of this record its followers can see.
    #[must_use]
    pub fn state(&self) -> LinkState<'_> {
        LinkState {
            status: self.connection.status.as_deref(),
            external_id: self.connection.external_id.as_deref(),
            registered_at: self.registered_at,
            block: self.block(),
            consent: &self.consent,
            deletion: self.deletion.as_ref(),
        }
    }

    /// Records how far its followers can read.
    #[must_use]
    pub fn readable(mut self, readable: &Readable) -> Self {
        self.log = readable.log;
        self.accounts_digest.clone_from(&readable.accounts);
        self
    }

    /// Records what a collection has found, and how far the link's followers can read now.
    #[must_use]
    pub fn found(
        mut self,
        resource: Resource,
        collection: LastCollection,
        readable: &Readable,
    ) -> Self {
        let name = resource.name();
        self.collected.insert(name.to_owned(), collection);
        self.collected_to.insert(name.to_owned(), readable.log);
        self.readable(readable)
    }

    /// The record with a new sequence, if its followers can see more than in an earlier one.
    #[must_use]
    pub fn with_news_since(mut self, before: &Self, at: Timestamp) -> Self {
        let is_same = self.log == before.log
            && self.accounts_digest == before.accounts_digest
            && self.state() == before.state()
            && self.changed_since(before).is_none();
        if !is_same {
            self.sequence = self.sequence.max(before.sequence.next(at));
        }
        self
    }

    /// The collection that has ended since an earlier record and has changed rows. Other messages
    /// of the link may have been processed while it was under way, so that the log says nothing of
    /// whose rows they are.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Option<(Resource, &LastCollection)> {
        let is_new = |name: &String, collection: &LastCollection| {
            collection.has_changes() && before.collected.get(name) != Some(collection)
        };
        let mut new = self.collected.iter();
        let (name, collection) = new.find(|(name, collection)| is_new(name, collection))?;
        Some((Resource::by_name(name)?, collection))
    }
}

impl Readable {
    /// `log` is the number of the last entry of the change log, and `accounts` are the digests of
    /// the link's accounts, in an order of their own.
    #[must_use]
    pub fn of(log: u64, accounts: &[Digest]) -> Self {
        let texts = accounts.iter().map(|digest| hex::encode(digest.as_bytes()));
        let texts = texts.collect::<Vec<_>>().join(" ");
        let digest = || hex::encode(Digest::of(&texts).as_bytes());
        Self {
            log,
            accounts: (!accounts.is_empty()).then(digest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::at;
    use crate::{BlockReason, Connection, LinkId, Sequence};

    fn sequence(second: i64) -> Sequence {
        at(second).into()
    }

    fn record() -> LinkRecord {
        LinkRecord::new(LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap())
    }

    fn readable(log: u64, accounts: &[Digest]) -> Readable {
        Readable::of(log, accounts)
    }

    #[test]
    fn what_followers_can_see_is_news() {
        let before = record().readable(&readable(1, &[]));
        let account = Digest::of("{}");
        let blocked = |known: LinkRecord| known.reported("token_required", at(0));
        for changed in [
            before.clone().readable(&readable(2, &[])),
            before.clone().readable(&readable(1, &[account])),
            before.clone().registered(Connection::default(), at(0), 0),
            blocked(before.clone()),
            before.clone().consent_ended(at(0)),
            before.clone().deleted(at(0)),
        ] {
            let told = changed.clone().with_news_since(&before, at(9));
            assert_eq!(told.sequence, sequence(9), "{changed:?}");
        }
        let unseen = before.clone().seen(at(0)).with_news_since(&before, at(9));
        assert!(unseen.sequence.is_none(), "{unseen:?}");
        assert_eq!(
            blocked(before).state().block.map(|block| block.reason),
            Some(BlockReason::TokenRequired)
        );
    }

    #[test]
    fn rows_of_a_collection_that_has_ended_are_news_although_the_log_was_compared_before() {
        let before = record().readable(&readable(2, &[]));
        let collection = |added| LastCollection {
            at: at(1),
            days: crate::Days::ALL,
            account: None,
            verdict: "complete".to_owned(),
            rows: 9,
            added,
            modified: 0,
            removed: 0,
        };
        let found = |added| {
            let found = before.clone();
            found.found(Resource::TRANSACTIONS, collection(added), &readable(2, &[]))
        };
        assert_eq!(
            found(3).with_news_since(&before, at(9)).sequence,
            sequence(9)
        );
        assert!(found(0).with_news_since(&before, at(9)).sequence.is_none());
        let link_without_rows = record().readable(&readable(0, &[]));
        assert_eq!(link_without_rows, record(), "nothing is written of it");
    }

    #[test]
    fn a_sequence_grows_although_the_clock_does_not() {
        let mut record = record();
        for (log, second) in [(1, 5), (2, 5), (3, 4), (4, 9)] {
            let before = record.clone();
            record = record
                .readable(&readable(log, &[]))
                .with_news_since(&before, at(second));
            assert!(before.sequence < record.sequence, "{second}");
        }
        assert_eq!(record.sequence, sequence(9));
    }
}
