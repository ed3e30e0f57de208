//! Where somebody is who follows all links.

use serde::{Deserialize, Serialize};

use crate::{LinkId, Sequence, Timestamp};

/// How long the index of news may lag, and how late a write may come that was begun before: what is
/// older than this has been returned for good, in seconds.
const SETTLED_AFTER_S: i64 = 120;

/// Where somebody is who follows all links. Links are returned in rounds of several answers, in the
/// order of their sequences. A new round begins again with what may not have been settled in the
/// one before, so that a link that appears late among earlier ones is returned nevertheless.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewsPlace {
    /// The links up to this one were returned.
    pub after: LinkNews,
    /// Where the next round begins at the latest, if one is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_round: Option<LinkNews>,
}

/// The latest news of a link. Ordered as they are returned.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkNews {
    pub sequence: Sequence,
    /// No link for a time before those of this sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkId>,
}

impl NewsPlace {
    /// The place, in a round that has begun now or before.
    #[must_use]
    pub fn in_round(mut self, now: Timestamp) -> Self {
        let settled = now.plus_seconds(-SETTLED_AFTER_S);
        self.next_round.get_or_insert_with(|| LinkNews {
            sequence: settled.into(),
            link: None,
        });
        self
    }

    /// The place after `last` was returned, with which the round ends unless there is more.
    #[must_use]
    pub fn advanced(mut self, last: Option<LinkNews>, has_more: bool) -> Self {
        if let Some(last) = last {
            self.after = last;
        }
        if !has_more && let Some(next_round) = self.next_round.take() {
            self.after = self.after.min(next_round);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::at;

    fn news(second: i64) -> LinkNews {
        LinkNews {
            sequence: at(second).into(),
            link: Some(LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap()),
        }
    }

    #[test]
    fn a_round_goes_on_where_the_answer_ended() {
        let place = NewsPlace::default().in_round(at(1_000));
        let place = place.advanced(Some(news(990)), true).in_round(at(1_001));
        assert_eq!(place.after, news(990));
    }

    #[test]
    fn a_new_round_begins_with_what_may_not_have_been_settled_when_the_last_one_began() {
        let begun = NewsPlace::default().in_round(at(1_000));
        let later = begun
            .clone()
            .advanced(Some(news(990)), true)
            .in_round(at(2_000));
        for round in [begun.clone(), later] {
            let next = round.advanced(Some(news(995)), false);
            assert_eq!(next.after.sequence, at(880).into());
        }
        let settled = begun.clone().advanced(Some(news(500)), false);
        assert_eq!(
            settled.after,
            news(500),
            "nothing is returned again without need"
        );
        assert_eq!(begun.advanced(None, false), NewsPlace::default());
    }
}
