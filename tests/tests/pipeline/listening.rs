//! A consumer that listens to the event bus and reads what rings, while a third of the events is
//! lost on their way to it.

use std::collections::BTreeSet;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use test_harness::{Follower, Link, Stack, days_ago, heard};

use crate::events::heard_of;

const SEED: u64 = 2;
const LINKS: usize = 3;
const ROUNDS: usize = 4;

/// In which round the bells of which link are lost: a third of all.
fn lost() -> BTreeSet<(usize, usize)> {
    let bells = (0..ROUNDS).flat_map(|round| (0..LINKS).map(move |link| (round, link)));
    let mut bells: Vec<_> = bells.collect();
    bells.shuffle(&mut ChaCha8Rng::seed_from_u64(SEED));
    bells.truncate(bells.len() / 3);
    bells.into_iter().collect()
}

/// Rows come and one goes, all of which is collected; the sequences of the events about it.
async fn round(stack: &Stack, link: &Link<'_>, number: usize) -> Vec<u64> {
    let before = heard(stack, &link.id).await;
    let added = 2 + number;
    link.delete(&link.newest().await).await;
    link.add(added, &days_ago(1)).await;
    link.notify_and_collect(json!({"webhook_code": "transactions_updated"}))
        .await;
    let counts = json!({"counts": {"added": added, "modified": 0, "removed": 1}});
    heard_of(stack, &link.id, "transactions.changed", &counts).await;
    let events = heard(stack, &link.id).await;
    let new = events.iter().filter(|event| !before.contains(event));
    new.filter_map(|event| event["sequence"].as_u64()).collect()
}

/// Whether the consumer has the rows that a link has at Belvo.
async fn has_the_rows_of(follower: &Follower, link: &Link<'_>) -> bool {
    let truth = link.truth().await;
    follower.transactions(link).keys().eq(truth.keys())
}

#[tokio::test]
async fn a_consumer_that_loses_a_third_of_the_events_misses_nothing_in_the_end() {
    let stack = Stack::of_this_run();
    let mut links = Vec::new();
    for _ in 0..LINKS {
        let link = stack.recurrent_link(30).await;
        link.notify_and_collect(json!({})).await;
        links.push(link);
    }
    let mut follower = Follower::of(&links);
    follower.follow_all(&stack).await;
    let lost = lost();
    for number in 0..ROUNDS {
        for (place, link) in links.iter().enumerate() {
            let sequences = round(&stack, link, number).await;
            assert!(!sequences.is_empty());
            let is_lost = lost.contains(&(number, place));
            for sequence in sequences.into_iter().filter(|_| !is_lost) {
                follower.hear(&stack, &link.id, sequence).await;
            }
            // The next bell of a link tells what was lost before it.
            assert_eq!(has_the_rows_of(&follower, link).await, !is_lost);
        }
    }

    let is_last = |(round, _): &(usize, usize)| *round == ROUNDS - 1;
    assert!(
        lost.iter().any(is_last),
        "another seed: no last bell is lost"
    );
    follower.follow_all(&stack).await;
    for link in &links {
        follower
            .assert_equals_the_sandbox_but_for(link, &BTreeSet::new())
            .await;
    }
}
