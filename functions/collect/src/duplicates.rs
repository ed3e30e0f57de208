//! Marks transactions that an older link of the same account has already returned, under other ids
//! of Belvo's.

use std::collections::HashMap;

use domain::{Account, Days, Holder, LinkId, RowRef};
use lambda_runtime::tracing;
use shared::{
    store::{Accounts, Candidate, Rows},
    telemetry::Event,
};

use crate::CollectError;

/// What one link holds of an account, by the institution's ids.
type Held = (Holder, HashMap<String, Candidate>);

/// Marks the duplicates among the stored rows of some days, in accounts that several links hold.
/// Called after rows were written, so that of two links collected at the same time at least one
/// sees the other's rows; it then marks those of the younger link, whichever that is. Covers
/// accounts without new rows, too: an attempt that was interrupted between writing and marking
/// leaves none.
pub(crate) async fn mark(
    rows: &Rows,
    accounts: &Accounts,
    (link, days): (&LinkId, Days),
    seen: impl Iterator<Item = &Account>,
) -> Result<(), CollectError> {
    for account in seen {
        let holders = accounts.holders(account).await?;
        if holders.iter().any(|holder| holder.link != *link) {
            mark_account(rows, (link, days), holders).await?;
        }
    }
    Ok(())
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
    use domain::{AccountId, RowId, Timestamp};

    use super::*;

    fn held(
        since: &str,
        link: u128,
        rows: &[(&str, &str)],
    ) -> (Holder, HashMap<String, Candidate>) {
        let holder = Holder {
            since: Timestamp::parse(since).unwrap(),
            link: LinkId::parse(&uuid::Uuid::from_u128(link).to_string()).unwrap(),
            account: AccountId::parse("a").unwrap(),
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
