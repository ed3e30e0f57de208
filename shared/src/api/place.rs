//! Where somebody is who follows a link.

use serde::{Deserialize, Serialize};

use crate::store::{LogPlace, Position, opaque};

/// Where a reader is: in the rows, and at which accounts and which state of the link.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangesPlace {
    /// From the beginning, if there is none.
    pub at: Option<Position>,
    /// A digest of the accounts that the reader was told. They are told if it differs.
    pub accounts: Option<String>,
    /// The same, of the link's state.
    pub link: Option<String>,
}

impl ChangesPlace {
    /// Where somebody is who has read the change log up to this entry, and is told the accounts and
    /// the state of the link in any case.
    #[must_use]
    pub fn after(log: u64) -> Self {
        Self {
            at: Some(Position::Log(LogPlace::after(log))),
            ..Self::default()
        }
    }

    /// The cursor that leads here.
    #[must_use]
    pub fn cursor(&self) -> String {
        opaque(self)
    }
}
