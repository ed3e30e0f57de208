//! The number by which the news of links are ordered.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Grows with everything of a link that its followers can see: the time in milliseconds since 1970,
/// or one more than before where no time has passed. A record that was forgotten and begun again
/// does not repeat it, and all links are ordered by it as by time.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Sequence(u64);

impl Sequence {
    /// A sequence as it is stored and shown.
    #[must_use]
    pub const fn of(number: u64) -> Self {
        Self(number)
    }

    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// Whether nothing was ever new.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0 == 0
    }

    /// When it was given, or shortly after: `None` for one that no clock has given.
    #[must_use]
    pub fn at(self) -> Option<Timestamp> {
        Timestamp::of_unix_millis(i64::try_from(self.0).ok()?)
    }

    /// The sequence of news at this time, of a link that had this one.
    #[must_use]
    pub(super) fn next(self, at: Timestamp) -> Self {
        let now = u64::try_from(at.unix_millis()).unwrap_or(0);
        Self(now.max(self.0 + 1))
    }
}

impl From<Timestamp> for Sequence {
    fn from(at: Timestamp) -> Self {
        Self::default().next(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::at;

    #[test]
    fn a_sequence_is_the_time_or_one_more_than_before() {
        let first = Sequence::from(at(5));
        assert_eq!(first.at(), Some(at(5)));
        assert_eq!(first.next(at(6)), Sequence::from(at(6)));
        for second in [5, 4] {
            assert_eq!(first.next(at(second)).number(), first.number() + 1);
        }
    }

    #[test]
    fn a_sequence_is_read_as_it_was_shown() {
        assert_eq!(Sequence::of(7).number(), 7);
        assert!(Sequence::default().is_none() && !Sequence::of(1).is_none());
        assert_eq!(Sequence::of(u64::MAX).at(), None);
    }
}
