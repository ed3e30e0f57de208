//! Marks movements that an older link has brought already, under other ids of Belvo's.

use std::collections::HashMap;

use lambda_runtime::tracing;
use shared::{
    domain::{Account, Days, LinkId},
    store::{Holder, Movement, Twin},
};

use crate::{Collect, CollectError};

/// Marks, among the stored rows of some days, those of accounts that several links hold. Called
/// after rows were written, so that of two links which are collected at the same time at least one
/// sees the other's rows; it then marks those of the younger link, whichever that is. Not only for
/// accounts with new rows: an attempt that was broken off between writing and marking has left
/// none.
pub(crate) async fn mark(
    collect: &Collect,
    link: &LinkId,
    days: Days,
    accounts: impl Iterator<Item = &Account>,
) -> Result<(), CollectError> {
    for account in accounts {
        mark_account(collect, link, days, account).await?;
    }
    Ok(())
}

async fn mark_account(
    collect: &Collect,
    link: &LinkId,
    days: Days,
    account: &Account,
) -> Result<(), CollectError> {
    let holders = collect.transactions.holders(account).await?;
    if holders.iter().all(|holder| holder.link == *link) {
        return Ok(());
    }
    let mut held = Vec::with_capacity(holders.len());
    for holder in holders {
        let movements = collect
            .transactions
            .movements(&holder.link, &holder.account, days)
            .await?;
        held.push((holder, movements));
    }
    let marks = marks(&held);
    for (holder, movement, twin) in &marks {
        collect
            .transactions
            .mark(&holder.link, &movement.id, twin)
            .await?;
    }
    if !marks.is_empty() {
        tracing::info!(
            link.id = link.as_str(),
            links = held.len(),
            rows = marks.len(),
            "rows of other links marked"
        );
    }
    Ok(())
}

/// The rows to mark: of each movement all but the eldest holder's, as the same as that one's.
/// Holders come the eldest first.
fn marks(held: &[(Holder, HashMap<String, Movement>)]) -> Vec<(&Holder, &Movement, Twin)> {
    let mut eldest: HashMap<&str, (&Holder, &Movement)> = HashMap::new();
    let mut marks = Vec::new();
    for (holder, movements) in held {
        for (identification, movement) in movements {
            let (elder, first) = *eldest.entry(identification).or_insert((holder, movement));
            let twin = Twin {
                link: elder.link.clone(),
                id: first.id.clone(),
            };
            if elder.link != holder.link && movement.same_as.as_ref() != Some(&twin) {
                marks.push((holder, movement, twin));
            }
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use shared::domain::{AccountId, Timestamp, TransactionId};

    use super::*;

    fn held(since: &str, link: u128, rows: &[(&str, &str)]) -> (Holder, HashMap<String, Movement>) {
        let holder = Holder {
            since: Timestamp::parse(since).unwrap(),
            link: LinkId::parse(&uuid::Uuid::from_u128(link).to_string()).unwrap(),
            account: AccountId::parse("a").unwrap(),
        };
        let movement = |id: &str| Movement {
            id: TransactionId::parse(id).unwrap(),
            same_as: None,
        };
        (
            holder,
            rows.iter()
                .map(|(identification, id)| ((*identification).to_owned(), movement(id)))
                .collect(),
        )
    }

    #[test]
    fn each_movement_is_marked_with_the_eldest_holder_of_it() {
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
            .map(|(_, movement, twin)| format!("{} is {}", movement.id, twin.id))
            .collect();
        marks.sort_unstable();
        assert_eq!(marks, ["b1 is a1", "c1 is a1", "c2 is b2"]);
    }

    #[test]
    fn what_is_marked_is_not_marked_again() {
        let mut held = [
            held("2026-01-01T00:00:00Z", 1, &[("m1", "a1")]),
            held("2026-02-01T00:00:00Z", 2, &[("m1", "b1")]),
        ];
        let twin = marks(&held).pop().unwrap().2;
        held[1].1.get_mut("m1").unwrap().same_as = Some(twin);
        assert!(marks(&held).is_empty());
    }
}
