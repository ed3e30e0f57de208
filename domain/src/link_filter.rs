//! Which links to list.

use serde::{
    Deserialize,
    de::{IntoDeserializer, value::Error},
};

use crate::{BlockReason, LinkRecord};

/// What listed links have in common. What is `None` is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkFilter {
    pub blocked: Option<Blocked>,
    /// Whether it was found stale, and no webhook has come since. Stale links that are blocked
    /// pass only if blocked ones are asked for, too.
    pub stale: Option<bool>,
    /// The caller's own id for it.
    pub external_id: Option<String>,
    /// Belvo's status of it.
    pub status: Option<String>,
}

/// Whether a link cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// For any reason but that it is deleted.
    Yes,
    For(BlockReason),
    No,
}

impl LinkFilter {
    /// Whether it lets a link through.
    #[must_use]
    pub fn passes(&self, link: &LinkRecord) -> bool {
        let connection = &link.connection;
        let blocked = match (self.blocked, self.stale) {
            (None, Some(true)) => Some(Blocked::No),
            (blocked, _) => blocked,
        };
        blocked.is_none_or(|blocked| blocked.is_true_of(link))
            && self.stale.is_none_or(|stale| stale == link.is_stale())
            && (self.external_id.is_none() || self.external_id == connection.external_id)
            && (self.status.is_none() || self.status == connection.status)
    }
}

impl Blocked {
    /// `true`, `false`, or a reason.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "true" => Some(Self::Yes),
            "false" => Some(Self::No),
            reason => {
                let reason =
                    BlockReason::deserialize(IntoDeserializer::<Error>::into_deserializer(reason));
                reason.ok().map(Self::For)
            }
        }
    }

    fn is_true_of(self, link: &LinkRecord) -> bool {
        let block = link.block();
        match self {
            Self::Yes => block.is_some_and(|block| block.reason != BlockReason::Deleted),
            Self::For(reason) => block.is_some_and(|block| block.reason == reason),
            Self::No => block.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Connection, LinkId, Timestamp};

    fn link(status: &str) -> LinkRecord {
        let at = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        let id = LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap();
        let connection = Connection {
            status: Some(status.to_owned()),
            external_id: Some("ours".to_owned()),
            ..Connection::default()
        };
        LinkRecord::new(id).registered(connection, at, 0)
    }

    fn passes(filter: &LinkFilter) -> [bool; 2] {
        ["valid", "token_required"].map(|status| filter.passes(&link(status)))
    }

    #[test]
    fn stale_links_are_those_that_can_be_used_unless_blocked_ones_are_asked_for() {
        let daily = |status: &str| {
            let mut link = link(status);
            link.connection.refresh_rate = Some("24h".to_owned());
            link
        };
        let found_stale = |status: &str| {
            let mut link = daily(status);
            link.checked_at = link.stale_at();
            link
        };
        let stale = |stale, blocked| LinkFilter {
            stale: Some(stale),
            blocked,
            ..LinkFilter::default()
        };
        let (usable, blocked) = (found_stale("valid"), found_stale("token_required"));
        let fresh = daily("valid");
        for (filter, expected) in [
            (stale(true, None), [true, false, false]),
            (stale(true, Some(Blocked::Yes)), [false, true, false]),
            (stale(false, None), [false, false, true]),
        ] {
            let passing = [&usable, &blocked, &fresh].map(|link| filter.passes(link));
            assert_eq!(passing, expected, "{filter:?}");
        }
    }

    #[test]
    fn a_deleted_link_is_not_among_the_blocked_ones_unless_it_is_asked_for() {
        let deleted = link("valid").deleted(Timestamp::now());
        let passes = |text| Blocked::parse(text).unwrap().is_true_of(&deleted);
        assert_eq!(
            ["true", "deleted", "false"].map(passes),
            [false, true, false]
        );
    }

    #[test]
    fn a_filter_lets_links_through_of_which_all_is_true() {
        let all = LinkFilter::default;
        let blocked = |text| LinkFilter {
            blocked: Blocked::parse(text),
            ..all()
        };
        let external_id = |id: &str| LinkFilter {
            external_id: Some(id.to_owned()),
            ..all()
        };
        let status = LinkFilter {
            status: Some("valid".to_owned()),
            ..blocked("true")
        };
        assert_eq!(passes(&all()), [true, true]);
        assert_eq!(passes(&blocked("true")), [false, true]);
        assert_eq!(passes(&blocked("false")), [true, false]);
        assert_eq!(passes(&blocked("token_required")), [false, true]);
        assert_eq!(passes(&blocked("deleted")), [false, false]);
        assert_eq!(passes(&external_id("ours")), [true, true]);
        assert_eq!(passes(&external_id("another")), [false, false]);
        assert_eq!(passes(&status), [false, false]);
        assert_eq!(Blocked::parse("yes"), None);
    }
}
