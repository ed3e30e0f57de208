//! What is asked of Belvo: a retrieval, and the rows that are then read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{AccountId, Days, Digest, Direction, LinkId, Resource, Window};

/// A retrieval: Belvo fetches data from the institution. In Brazil each counts against the month's
/// limit of its customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retrieval {
    pub link: LinkId,
    pub resource: Resource,
    /// The days; absent where the resource has none or needs none, and where Belvo chose them.
    #[serde(flatten)]
    pub window: Option<Window>,
    /// One account, or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Received or sent, where the resource asks for one of them.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
}

/// Which rows to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowQuery {
    pub resource: Resource,
    pub link: LinkId,
    pub days: Days,
    /// One account, or all.
    pub account: Option<AccountId>,
}

impl Retrieval {
    /// A retrieval of which only the link and the resource are known.
    #[must_use]
    pub fn of(link: LinkId, resource: Resource) -> Self {
        Self {
            link,
            resource,
            window: None,
            account: None,
            direction: None,
        }
    }

    /// Equal for retrievals that fetch the same.
    #[must_use]
    pub fn intent_key(&self) -> String {
        let mut parts = vec![
            ("resource", json!(self.resource)),
            ("link", json!(self.link)),
            (
                "window",
                json!(self.window.map(|window| window.to_string())),
            ),
            ("account", json!(self.account)),
        ];
        parts.extend(self.direction.map(|direction| ("type", json!(direction))));

        let parts: BTreeMap<_, _> = parts.into_iter().collect();
        hex::encode(Digest::of(&json!(parts).to_string()).as_bytes())
    }

    /// The rows that it fetches, if the GET of its window returns them; all of the link's
    /// otherwise.
    #[must_use]
    pub fn rows(&self) -> RowQuery {
        RowQuery {
            resource: self.resource,
            link: self.link.clone(),
            days: self.resource.days(self.window),
            account: self.account.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use time::macros::date;

    use super::*;

    fn retrieval(
        resource: &str,
        window: Option<Window>,
        direction: Option<Direction>,
    ) -> Retrieval {
        let link = LinkId::parse("bcca0da9-a4c6-4830-9676-1d54682851d9").unwrap();
        Retrieval {
            window,
            direction,
            ..Retrieval::of(link, Resource::by_name(resource).unwrap())
        }
    }

    #[test]
    fn the_rows_of_a_retrieval_are_those_of_its_window_and_account() {
        let window = Window::parse("2026-01-01", "2026-01-31", date!(2026 - 03 - 01)).unwrap();
        let account = AccountId::parse("1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e").ok();
        let asked = Retrieval {
            account: account.clone(),
            ..retrieval("transactions", Some(window), None)
        };
        let expected = RowQuery {
            resource: Resource::TRANSACTIONS,
            link: asked.link.clone(),
            days: window.into(),
            account,
        };
        assert_eq!(asked.rows(), expected);
    }

    #[test]
    fn an_intent_key_tells_retrievals_apart_and_never_changes() {
        let window = Window::parse("2026-01-01", "2026-01-31", date!(2026 - 03 - 01)).unwrap();
        let keys = [
            retrieval("transactions", Some(window), None),
            retrieval("invoices", Some(window), Some(Direction::Inflow)),
            retrieval("invoices", Some(window), Some(Direction::Outflow)),
            retrieval("employments", Some(window), None),
            retrieval("employments", None, None),
        ]
        .map(|retrieval| retrieval.intent_key());
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        assert_eq!(keys[0], "5b5049bde887f6fe2534bf00");
    }
}
