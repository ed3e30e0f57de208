//! A writer of a link's rows and its change log, which may crash between any two writes, and a
//! reader who may read between any two. Whatever happens, the reader's copy is in the end what the
//! store lists. The model asks `domain` how far the log may be read (docs/decisions/0029).

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod model;

use std::{collections::BTreeSet, io::Write};

use stateright::{Checker, HasDiscoveries, Model};

use crate::model::{Feed, Mistake};

/// What the checker finds: examples, and counterexamples.
fn check(feed: Feed) -> BTreeSet<&'static str> {
    let checker = feed.checker();
    let checker = checker.finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    let states = checker.unique_state_count();
    writeln!(
        std::io::stdout().lock(),
        "feed model, {feed:?}: {states} states"
    )
    .unwrap();
    checker.discoveries().into_keys().collect()
}

#[test]
fn a_reader_ends_with_what_the_store_lists_whatever_crashes() {
    let found = check(Feed::default());
    assert_eq!(found, BTreeSet::from(["a reader has everything"]));
}

#[test]
fn a_broken_rule_of_the_log_is_found() {
    for mistake in [
        Mistake::RowsBeforeTheEntry,
        Mistake::EndsBeforeTheRows,
        Mistake::EndsBeforeTheListing,
        Mistake::NeverSettles,
        Mistake::SettlesWithoutListing,
        Mistake::ListsBeforeTheHead,
    ] {
        let found = check(Feed { mistake });
        assert!(
            found.contains("nothing is missed"),
            "{mistake:?}: {found:?}"
        );
    }
}
