//! Users: they connect their banks, and use the API while webhooks are delivered.

use std::{convert::Infallible, time::Duration};

use futures::{StreamExt, stream};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use reqwest::StatusCode;
use serde_json::json;
use test_harness::{Link, Stack};
use tokio::time::sleep;
use uuid::Uuid;

use crate::arguments::Amount;

/// How many connect at the same time.
const AT_ONCE: usize = 16;
/// The most transactions of a link at first: few, so that it is the webhooks that are work.
const MOST_ROWS: u64 = 8;
/// How soon a call is repeated that a killed function did not answer.
const BEFORE_REPETITION: Duration = Duration::from_millis(100);
/// The time between two calls of users.
const BETWEEN_CALLS: Duration = Duration::from_millis(50);

/// Connects and registers links, of each of which Belvo then sends its first webhook.
pub(super) async fn connect<'a>(stack: &'a Stack, amount: &Amount) -> Vec<Link<'a>> {
    let rows = (0..amount.links as u64).map(|number| number % MOST_ROWS);
    stream::iter(rows)
        .map(|rows| connect_one(stack, rows))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

async fn connect_one(stack: &Stack, rows: u64) -> Link<'_> {
    let external_id = Uuid::new_v4().to_string();
    let user = json!({
        "access_mode": "recurrent",
        "transactions": rows,
        "external_id": external_id,
    });
    let link = stack.link(user).await;
    let registration = json!({"link": link.id, "external_id": external_id});
    loop {
        let answer = stack.post("/links", &registration).await;
        if answer.status.is_success() {
            break;
        }
        assert!(answer.status.is_server_error(), "{answer:?}");
        sleep(BEFORE_REPETITION).await;
    }
    link.notify(json!({"webhook_code": "historical_update"}))
        .await;
    link
}

/// Asks for retrievals, rows and links, for ever. A call may be refused, or its function killed.
pub(super) async fn use_it(stack: &Stack, links: &[Link<'_>], seed: u64) -> Infallible {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    loop {
        sleep(BETWEEN_CALLS).await;
        let Some(link) = links.choose(&mut dice) else {
            continue;
        };
        let answer = match dice.random_range(0..4) {
            0 => {
                let from = dice.random_range(10..365);
                stack.request(&link.days(from, 0)).await
            }
            1 => stack.get(&format!("/links/{}", link.id)).await,
            _ => {
                let path = format!("/links/{}/transactions", link.id);
                stack.get(&path).await
            }
        };
        let is_known = answer.status != StatusCode::NOT_FOUND;
        assert!(is_known, "a registered link is forgotten: {answer:?}");
    }
}
