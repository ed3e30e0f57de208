//! Marks transactions that an older link of the same account has already returned, under other ids
//! of Belvo's.

use std::collections::{HashMap, HashSet};

use domain::{Account, AccountId, Days, Holder, LinkId, RowRef};
use lambda_runtime::tracing;
use shared::{
    store::{Accounts as AccountStore, Candidate, Rows},
    telemetry::Event,
};

use crate::CollectError;

/// What one link holds of an account, by the institution's ids.
type Held = (Holder, HashMap<String, Candidate>);

/// Finds duplicates in accounts that several links hold. Works on stored rows, so that of two links
/// collected at the same time at least one sees the other's; it then marks those of the younger
/// link, whichever that is. Covers accounts without new rows, too: an attempt that was interrupted
/// between writing and marking leaves none.
#[derive(Default)]
pub(crate) struct Duplicates {
    /// Accounts that no other link held when this was looked up.
    alone: HashSet<AccountId>,
}

/// The rows and accounts of the link's resource.
type Stores<'a> = (&'a Rows, &'a AccountStore);

impl Duplicates {
    /// Marks the duplicates of some days in these accounts.
    pub(crate) async fn mark(
        &mut self,
        (rows, store): Stores<'_>,
        of: (&LinkId, Days),
        accounts: impl Iterator<Item = &Account>,
    ) -> Result<(), CollectError> {
        for account in accounts {
            if self.alone.contains(account.id()) {
                continue;
            }
            let holders = store.holders(account).await?;
            if holders.iter().any(|holder| holder.link != *of.0) {
                mark_account(rows, of, holders).await?;
            } else {
                self.alone.insert(account.id().clone());
            }
        }
        Ok(())
    }
}

async fn mark_account(
    rows: &Rows,
    (link, days): (&LinkId, Days),
    holders: Vec<Holder>,
) -> Result<(), CollectError> {
    let mut held = Vec::with_capacity(holders.len());
    for holder in holders {
        let candidates = rows.candidates(&holder.link, &holder.account, days).await?;
        held.push((holder, candidates));
    }
    let marks = marks(&held);
    for (holder, candidate, original) in &marks {
        rows.mark(&holder.link, &candidate.id, original).await?;
    }

    if !marks.is_empty() {
        tracing::info!(
            event = Event::DuplicatesMarked.name(),
            link.id = link.as_str(),
            links = held.len(),
            rows = marks.len(),
            "duplicates marked"
        );
    }
    Ok(())
}

/// The rows to mark: for each transaction all but the oldest holder's row, as duplicates of that
/// row. `held` is sorted oldest first.
fn marks(held: &[Held]) -> Vec<(&Holder, &Candidate, RowRef)> {
    let mut oldest: HashMap<&str, (&Holder, &Candidate)> = HashMap::new();
    let mut marks = Vec::new();
    for (holder, candidates) in held {
        for (identification, candidate) in candidates {
            let (owner, first) = *oldest.entry(identification).or_insert((holder, candidate));
            let original = RowRef {
                link: owner.link.clone(),
                id: first.id.clone(),
            };
            let is_marked = candidate.duplicate_of.as_ref() == Some(&original);
            if owner.link != holder.link && !is_marked {
                marks.push((holder, candidate, original));
            }
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use domain::{RowId, Timestamp};

    use super::*;

    fn held(
        since: &str,
        link: u128,
        rows: &[(&str, &str)],
    ) -> (Holder, HashMap<String, Candidate>) {
        let holder = Holder {
            since: Timestamp::parse(since).unwrap(),
            link: LinkId::parse(&uuid::Uuid::from_u128(link).to_string()).unwrap(),
            account: AccountId::parse("1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e").unwrap(),
        };
        let candidate = |id: &str| Candidate {
            id: RowId::parse(id).unwrap(),
            duplicate_of: None,
        };
        (
            holder,
            rows.iter()
                .map(|(identification, id)| ((*identification).to_owned(), candidate(id)))
                .collect(),
        )
    }

    #[test]
    fn each_candidate_is_marked_with_its_oldest_holder() {
        let held = [
            held("2026-01-01T00:00:00Z", 1, &[("m1", "a1")]),
            held("2026-02-01T00:00:00Z", 2, &[("m1", "b1"), ("m2", "b2")]),
            held(
                "2026-03-01T00:00:00Z",
                3,
                &[("m1", "c1"), ("m2", "c2"), ("m3", "c3")],
            ),
        ];
        let mut marks: Vec<_> = marks(&held)
            .into_iter()
            .map(|(_, candidate, original)| format!("{} is {}", candidate.id, original.id))
            .collect();
        marks.sort_unstable();
        assert_eq!(marks, ["b1 is a1", "c1 is a1", "c2 is b2"]);
    }

    #[test]
    fn a_marked_row_is_not_marked_again() {
        let mut held = [
            held("2026-01-01T00:00:00Z", 1, &[("m1", "a1")]),
            held("2026-02-01T00:00:00Z", 2, &[("m1", "b1")]),
        ];
        let original = marks(&held).pop().unwrap().2;
        held[1].1.get_mut("m1").unwrap().duplicate_of = Some(original);
        assert!(marks(&held).is_empty());
    }
}
