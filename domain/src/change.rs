//! The change log of a link: which of its rows may differ from what a reader knows, in an order
//! that only grows (docs/decisions/0029).

use serde::{Deserialize, Serialize};

use crate::{Resource, RowId};

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It was stored for the first time.
    Added,
    /// It was stored over an earlier version.
    Modified,
    /// Belvo no longer has it.
    Removed,
    /// It was restored.
    Returned,
}

impl ChangeKind {
    /// Whether a reader may not have the row yet.
    #[must_use]
    pub fn is_new(self) -> bool {
        matches!(self, Self::Added | Self::Returned)
    }
}

/// A row that may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub resource: Resource,
    pub id: RowId,
    pub kind: ChangeKind,
}

/// How far a link's log is written, and how far it may be read: an entry is numbered and written
/// before its rows, and may be read once they are stored and listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LogHead {
    /// The number of the last entry.
    pub last: u64,
    /// The number of the last entry whose rows are stored and listed.
    pub done: u64,
}

/// What of the log a reader has not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// There is nothing new.
    Nothing,
    /// With these entries.
    Entries { first: u64, last: u64 },
    /// The reader is further than the log: it cannot be of this log.
    Expired,
}

impl LogHead {
    /// The head while the rows of another entry are written.
    #[must_use]
    pub fn begun(self) -> Self {
        Self {
            last: self.last + 1,
            ..self
        }
    }

    /// The head once the rows of every entry are stored and listed.
    #[must_use]
    pub fn ended(self) -> Self {
        Self {
            done: self.last,
            ..self
        }
    }

    /// Whether the rows of the last entry may be partly written, or not be listed.
    #[must_use]
    pub fn is_interrupted(self) -> bool {
        self.done < self.last
    }

    /// What a reader finds who has read the entries up to `after`.
    #[must_use]
    pub fn since(self, after: u64) -> Unread {
        match after.cmp(&self.done) {
            std::cmp::Ordering::Less => Unread::Entries {
                first: after + 1,
                last: self.done,
            },
            std::cmp::Ordering::Equal => Unread::Nothing,
            std::cmp::Ordering::Greater => Unread::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_once_its_rows_are_stored() {
        let head = LogHead::default().begun().ended();
        let entries = |first, last| Unread::Entries { first, last };
        assert_eq!(head.since(0), entries(1, 1));
        assert_eq!(head.since(1), Unread::Nothing);

        let writing = head.begun();
        assert!(writing.is_interrupted());
        assert_eq!(writing.since(1), Unread::Nothing);
        assert_eq!(writing.ended().since(0), entries(1, 2));
        assert!(!writing.ended().is_interrupted());
    }

    #[test]
    fn a_row_that_was_added_or_returned_may_be_new_to_a_reader() {
        let is_new = [
            ChangeKind::Added,
            ChangeKind::Returned,
            ChangeKind::Modified,
            ChangeKind::Removed,
        ]
        .map(ChangeKind::is_new);
        assert_eq!(is_new, [true, true, false, false]);
    }

    #[test]
    fn a_reader_who_is_ahead_of_the_log_is_lost() {
        assert_eq!(LogHead::default().since(1), Unread::Expired);
    }
}
