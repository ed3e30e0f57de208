//! Items of the change log.

use domain::{Days, Resource};
use shared::store::{ChangesPage, LogPlace, Position};

use super::{
    Store, link,
    rows::{new, seen_later, transaction},
    seen,
};

/// The golden items of a row that was added, and then deleted, with the log of both.
const NAMES: [&str; 5] = [
    "log-head",
    "log-added",
    "log-removed",
    "leaf-of-tombstone",
    "row-tombstone",
];

#[tokio::test]
async fn changes_are_logged_as_before() {
    let store = Store::empty().await;
    let (rows, row) = (
        store.transactions.rows(Resource::TRANSACTIONS),
        transaction("PROCESSED"),
    );
    let gone = [row.id().clone()];
    rows.put(&link(), &new(row), &seen(0)).await.unwrap();
    let removed = rows
        .tombstone(&link(), Days::ALL, &gone, &seen_later(60))
        .await;
    removed.unwrap();
    store.assert_holds(&NAMES);
}

#[tokio::test]
async fn stored_changes_are_read() {
    let store = Store::holding(&NAMES).await;
    let read = async |after| {
        let position = Some(Position::Log(LogPlace { after, rows: 0 }));
        store
            .transactions
            .changes(&link(), position, 1)
            .await
            .unwrap()
    };
    for (after, has_more_after) in [(0, true), (1, false)] {
        let ChangesPage::Changed {
            rows,
            next,
            has_more,
        } = read(after).await
        else {
            panic!("lost");
        };
        assert_eq!((rows.rows.len(), rows.removed.len()), (0, 1), "it is gone");
        let position = Position::Log(LogPlace {
            after: after + 1,
            rows: 0,
        });
        assert_eq!((next, has_more), (position, has_more_after));
    }
    assert!(matches!(read(3).await, ChangesPage::Expired));
}
