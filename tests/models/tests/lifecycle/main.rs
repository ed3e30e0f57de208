//! The life of a request, explored through every order of crash, loss, repetition and delay that
//! the bounds below allow. The model asks `domain` what follows from what, as the functions
//! do. It decides only for itself whether a link is blocked and a quota is used up: there it checks
//! the order of the steps, and the store's tests check the conditions.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod actions;
mod model;
mod world;

use std::{collections::BTreeSet, io::Write, time::Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::model::{Declares, Fetches, Lifecycle, Mutation, SCRUB_S, SOMETIMES};

/// Checks a model and prints its size, bypassing the capture of test output.
fn check(name: &str, model: Lifecycle) -> BTreeSet<&'static str> {
    let started = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failures = HasDiscoveries::AnyFailures;
    let checker = model
        .checker()
        .threads(threads)
        .finish_when(failures)
        .spawn_bfs()
        .join();
    let found: BTreeSet<_> = checker.discoveries().into_keys().collect();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let line = format!(
        "lifecycle model, {name}: {states} states, depth {depth}, {:.1?}",
        started.elapsed()
    );
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    for (property, path) in checker.discoveries() {
        if !SOMETIMES.contains(&property) {
            writeln!(out, "  {property}: {:?}", path.into_actions()).unwrap();
        }
    }
    found
}

/// What the checker finds if nothing is wrong: examples, and no counterexample.
fn examples(names: &[&'static str]) -> BTreeSet<&'static str> {
    names.iter().copied().collect()
}

#[test]
fn a_request_ends_whatever_is_lost() {
    let found = check(
        "one caller",
        Lifecycle {
            faults: 3,
            ..Lifecycle::default()
        },
    );
    assert_eq!(found, examples(&SOMETIMES[4..]));
}

#[test]
fn a_request_of_which_rows_are_missing_ends_incomplete_or_gets_them() {
    let model = Lifecycle {
        faults: 2,
        declares: Declares::More,
        ..Lifecycle::default()
    };
    assert_eq!(check("rows withheld", model), examples(&SOMETIMES[2..]));
}

#[test]
fn a_link_that_is_read_as_a_whole_lacks_nothing_whatever_was_lost() {
    let model = Lifecycle {
        callers: 0,
        faults: 3,
        refreshes: true,
        declares: Declares::More,
        scrubbed_every_s: Some(SCRUB_S),
        ..Lifecycle::default()
    };
    assert!(check("a scrub", model).is_subset(&examples(&SOMETIMES)));
}

#[test]
fn a_request_ends_although_no_fetch_ever_succeeds() {
    for fetches in [Fetches::Fail, Fetches::Crash] {
        let model = Lifecycle {
            faults: 2,
            fetches,
            ..Lifecycle::default()
        };
        assert!(check(&format!("fetches {fetches:?}"), model).is_subset(&examples(&SOMETIMES)));
    }
}

#[test]
fn a_retrieval_is_sent_once_whoever_asks_and_whatever_is_lost() {
    let two = Lifecycle {
        callers: 2,
        faults: 1,
        ..Lifecycle::default()
    };
    let found = check("two callers", two.clone());
    assert!(found.is_subset(&examples(&SOMETIMES)) && found.contains("freed"));
    assert!(
        check("a quota of one", Lifecycle { limit: 1, ..two }).is_subset(&examples(&SOMETIMES))
    );
}

#[test]
fn a_webhook_that_names_no_request_answers_one_at_most() {
    let model = Lifecycle {
        callers: 2,
        faults: 1,
        named: false,
        ..Lifecycle::default()
    };
    let found = check("webhooks without a request", model);
    assert!(found.is_subset(&examples(&SOMETIMES)), "{found:?}");
    assert!(found.contains("answered without a name"));
}

#[test]
fn belvos_own_refresh_is_not_mistaken_for_an_answer() {
    // Before an intent may be sent again, which the model without a refresh covers.
    let last_start_s = 61;
    let model = Lifecycle {
        callers: 2,
        refreshes: true,
        last_start_s,
        ..Lifecycle::default()
    };
    assert!(check("two callers and a refresh", model).is_subset(&examples(&SOMETIMES)));
}

#[test]
fn no_retrieval_is_begun_for_a_blocked_link() {
    let model = Lifecycle {
        faults: 1,
        blocks: true,
        ..Lifecycle::default()
    };
    assert!(check("a blocked link", model).is_subset(&examples(&SOMETIMES)));
}

#[test]
fn a_broken_rule_of_sending_is_found() {
    let two = Lifecycle {
        callers: 2,
        faults: 1,
        ..Lifecycle::default()
    };
    let refreshed = Lifecycle {
        refreshes: true,
        ..two.clone()
    };
    let cases = [
        (Mutation::ForgetsIntents, &two, "a retrieval is sent once"),
        (
            Mutation::SendsAgainWhatIsUnknown,
            &two,
            "a retrieval is sent once",
        ),
        (
            Mutation::FreesWhileSending,
            &refreshed,
            "a retrieval is sent once",
        ),
        (
            Mutation::IgnoresTheQuota,
            &Lifecycle {
                limit: 1,
                ..two.clone()
            },
            "nothing is sent beyond the quota",
        ),
        (
            Mutation::IgnoresBlocks,
            &Lifecycle {
                blocks: true,
                ..two.clone()
            },
            "nothing is begun for a blocked link",
        ),
    ];
    check_broken(&cases);
}

#[test]
fn a_broken_rule_of_answering_is_found() {
    let unnamed = Lifecycle {
        callers: 2,
        faults: 2,
        named: false,
        ..Lifecycle::default()
    };
    let several = Lifecycle {
        refreshes: true,
        faults: 2,
        ..Lifecycle::default()
    };
    let cases = [
        (
            Mutation::AnswersAny,
            &unnamed,
            "a webhook that may answer several requests answers none",
        ),
        (
            Mutation::ForgetsDeliveries,
            &unnamed,
            "a webhook answers one request",
        ),
        (
            Mutation::CountsWaiting,
            &several,
            "a message has all its attempts",
        ),
    ];
    check_broken(&cases);
}

#[test]
fn a_broken_rule_of_ending_is_found() {
    let two = Lifecycle {
        callers: 2,
        faults: 1,
        ..Lifecycle::default()
    };
    let crashing = Lifecycle {
        fetches: Fetches::Crash,
        ..Lifecycle::default()
    };
    let failing = Lifecycle {
        fetches: Fetches::Fail,
        ..Lifecycle::default()
    };
    let withholding = Lifecycle {
        declares: Declares::More,
        ..Lifecycle::default()
    };
    let scrubbed = Lifecycle {
        faults: 1,
        refreshes: true,
        scrubbed_every_s: Some(SCRUB_S),
        ..Lifecycle::default()
    };
    let cases = [
        (Mutation::NeverSweeps, &two, "everything ends"),
        (Mutation::NeverExpires, &crashing, "everything ends"),
        (Mutation::NeverExpires, &failing, "everything ends"),
        (
            Mutation::SettlesFirst,
            &Lifecycle {
                callers: 1,
                faults: 2,
                ..two.clone()
            },
            "everything ends",
        ),
        (Mutation::ForgetsAnEnd, &two, "an ended request stays ended"),
        (
            Mutation::CallsShortCollected,
            &withholding,
            "a request that lacks rows is not called collected",
        ),
        (
            Mutation::ForgetsShortness,
            &withholding,
            "a request that lacks rows is not called collected",
        ),
        (
            Mutation::EndsWhatIsOver,
            &Lifecycle {
                faults: 2,
                ..withholding.clone()
            },
            "rows that Belvo has are collected in the end",
        ),
        (
            Mutation::NeverScrubs,
            &scrubbed,
            "a link that is read as a whole lacks nothing in the end",
        ),
    ];
    check_broken(&cases);
}

/// Checks models with a mistake each, of which the property that it breaks must be found.
fn check_broken(cases: &[(Mutation, &Lifecycle, &str)]) {
    for (mutation, model, property) in cases {
        let broken = Lifecycle {
            mutation: *mutation,
            ..(*model).clone()
        };
        let found = check(&format!("{mutation:?}"), broken);
        assert!(found.contains(property), "{mutation:?}: {found:?}");
    }
}
