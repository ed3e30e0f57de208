//! Links that nobody here has asked for: Belvo may announce rows of any link that the account's
//! keys can read.

use std::collections::BTreeMap;

use crate::{LinkRecord, Resource, Timestamp};

/// How long the record of an unknown link is kept after the latest time in it, in days.
const KEPT_DAYS: i64 = 90;
/// How far the time of a held announcement may lag behind the latest one, in seconds: this saves a
/// write per webhook.
const HELD_WITHIN_S: i64 = 24 * 60 * 60;

/// What becomes of webhooks about the rows of unknown links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownLinks {
    /// Their rows are collected like those of any other link.
    Collect,
    /// They are kept apart; the rows are read once the link is known.
    Hold,
}

impl UnknownLinks {
    /// `collect` or `hold`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "collect" => Some(Self::Collect),
            "hold" => Some(Self::Hold),
            _ => None,
        }
    }
}

impl LinkRecord {
    /// Whether somebody here stands behind it: it was registered, or its rows or its deletion were
    /// requested.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let deletion = self.deletion.as_ref();
        self.registered_at.is_some()
            || self.requested_at.is_some()
            || deletion.is_some_and(|deletion| deletion.requested_at.is_some())
    }

    /// Records that Belvo accepted, or was found to work on, a retrieval that was requested here.
    /// What was held of the link is read after `due_s` seconds.
    #[must_use]
    pub fn requested(mut self, at: Timestamp, due_s: u32) -> Self {
        self.requested_at.get_or_insert(at);
        self.reading_of_held(at, due_s).released()
    }

    /// Notes that rows of a resource were announced and not collected, unless the link has become
    /// known.
    #[must_use]
    pub fn held(mut self, resource: Resource, at: Timestamp) -> Self {
        if self.is_known() {
            return self;
        }
        let held_at = self.held_at.entry(resource.name().to_owned()).or_insert(at);
        if at >= held_at.plus_seconds(HELD_WITHIN_S) {
            *held_at = at;
        }
        self
    }

    /// The resources of which rows were announced and not collected.
    pub fn held_resources(&self) -> impl Iterator<Item = Resource> {
        self.held_at
            .keys()
            .filter_map(|name| Resource::by_name(name))
    }

    /// Lets what was held be read after `due_s` seconds, if not before.
    #[must_use]
    pub(crate) fn reading_of_held(self, at: Timestamp, due_s: u32) -> Self {
        let resources: Vec<_> = self.held_resources().collect();
        let due_at = at.plus_seconds(due_s.into());
        let read = |record: Self, resource| record.read_again(resource, due_at);
        resources.into_iter().fold(self, read)
    }

    /// Records that readings of what was held are queued.
    #[must_use]
    pub fn released(mut self) -> Self {
        self.held_at = BTreeMap::new();
        self
    }

    /// When its record may be forgotten, if nobody stands behind it: 90 days after a webhook last
    /// said something of it. Readings of ours do not count.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        if self.is_known() {
            return None;
        }
        let event = self.last_event.as_ref().map(|event| event.at);
        let block = self.login_block.map(|block| block.since);
        let deletion = self.deletion.as_ref();
        let deleted_at = deletion.and_then(|deletion| deletion.deleted_at);
        let times = [
            self.last_seen_at,
            event,
            block,
            self.consent.ended_at,
            deleted_at,
        ];
        let held = self.held_at.values().copied();
        let latest = times.into_iter().flatten().chain(held).max()?;
        Some(latest.plus_seconds(KEPT_DAYS * 24 * 60 * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Connection, Days, LinkId, OnDeletion, ScrubPeriod};

    const ROWS: Resource = Resource::TRANSACTIONS;
    const DUE_S: u32 = 1_800;

    fn at(hour: i64) -> Timestamp {
        Timestamp::parse("2026-03-01T00:00:00Z")
            .unwrap()
            .plus_seconds(hour * 3_600)
    }

    fn unknown() -> LinkRecord {
        LinkRecord::new(LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap())
    }

    #[test]
    fn webhooks_of_unknown_links_are_collected_or_held() {
        assert_eq!(
            ["collect", "hold", "drop"].map(UnknownLinks::parse),
            [Some(UnknownLinks::Collect), Some(UnknownLinks::Hold), None]
        );
    }

    #[test]
    fn a_registration_a_request_and_a_deletion_make_a_link_known() {
        assert!(!unknown().is_known());
        assert!(!unknown().held(ROWS, at(0)).deleted(at(1)).is_known());
        let known = [
            unknown().registered(Connection::default(), at(0), DUE_S),
            unknown().requested(at(0), DUE_S),
            unknown().deletion_requested(OnDeletion::Keep, at(0)),
        ];
        for record in known {
            assert!(record.is_known() && record.expires_at().is_none());
        }
    }

    #[test]
    fn what_was_held_is_read_once_the_link_is_known() {
        let invoices = Resource::by_name("invoices").unwrap();
        let held = unknown().held(ROWS, at(0)).held(invoices, at(1));
        assert_eq!(held.due(), None);
        let registered = held.clone().registered(Connection::default(), at(2), DUE_S);
        let due_at = at(2).plus_seconds(DUE_S.into());
        for released in [registered, held.requested(at(2), DUE_S)] {
            assert_eq!(released.to_check(due_at), [invoices, ROWS]);
            assert_eq!(released.released().held_resources().count(), 0);
        }
    }

    #[test]
    fn nothing_is_held_of_a_link_that_has_become_known() {
        let known = unknown().requested(at(0), DUE_S);
        assert_eq!(known.clone().held(ROWS, at(1)), known);
    }

    #[test]
    fn an_announcement_is_noted_once_a_day() {
        let held = unknown().held(ROWS, at(0));
        assert_eq!(held.clone().held(ROWS, at(23)), held);
        assert_eq!(held.held(ROWS, at(24)).held_at[ROWS.name()], at(24));
    }

    #[test]
    fn the_record_of_an_unknown_link_expires_ninety_days_after_its_last_webhook() {
        let after = |hour: i64| Some(at(hour + 90 * 24));
        assert_eq!(unknown().expires_at(), None, "there is nothing to keep");
        assert_eq!(unknown().held(ROWS, at(3)).expires_at(), after(3));
        assert_eq!(unknown().deleted(at(4)).expires_at(), after(4));
        assert_eq!(
            unknown().reported("invalid_link", at(5)).expires_at(),
            after(5)
        );
        for scrubs in [0, 1].map(ScrubPeriod::of_days) {
            let collected = unknown().scheduled(ROWS, Days::ALL, at(0), scrubs);
            let scrubbed = collected.scheduled(ROWS, Days::ALL, at(999), scrubs);
            assert_eq!(scrubbed.expires_at(), after(0));
            assert_eq!(scrubbed.seen(at(1_000)).expires_at(), after(1_000));
        }
    }
}
