//! Belvo's side of webhooks: what is not acknowledged is delivered again, and now and then what is.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use test_harness::{
    Link, Stack, days_ago,
    invariants::{Acknowledged, delivery_id},
};
use tokio::time::sleep;
use uuid::Uuid;

use super::progress::Progress;
use crate::arguments::Amount;

/// Of so many webhooks, one announces a change at the bank.
const CHANGES: u32 = 20;
/// Of so many acknowledged webhooks, one is delivered again all the same.
const REPEATED: u32 = 50;
/// The pause before a webhook is delivered again, in milliseconds. Belvo's: a minute.
const REDELIVERED_AFTER_MS: std::ops::Range<u64> = 50..500;
/// More often nothing is refused that works.
const MOST_DELIVERIES: u32 = 30;
const ACKNOWLEDGED: u16 = 202;

/// What was sent, and how it went.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) acknowledged: Acknowledged,
    /// Of each webhook, from the delivery that was acknowledged to its acknowledgement.
    pub(super) times: Vec<Duration>,
    /// The same from its first delivery.
    pub(super) waits: Vec<Duration>,
    pub(super) redelivered: u64,
    pub(super) repeated: u64,
    pub(super) changes: u64,
}

/// A webhook that was acknowledged.
struct Done {
    link: String,
    id: String,
    time: Duration,
    wait: Duration,
    redelivered: u64,
    is_repeated: bool,
    is_of_a_change: bool,
}

/// Delivers all webhooks, so many at once, each until it is acknowledged.
pub(super) async fn send_all(
    stack: &Stack,
    links: &[Link<'_>],
    amount: &Amount,
    progress: &Progress,
) -> Sent {
    let webhooks = stream::iter(0..amount.webhooks).map(|number| {
        let mut dice = ChaCha8Rng::seed_from_u64(amount.seed);
        dice.set_stream(number + 1);
        send(stack, links, dice, progress)
    });
    let sent = webhooks.buffer_unordered(amount.at_once);
    sent.fold(Sent::default(), async |mut sent, done| {
        sent.add(done);
        sent
    })
    .await
}

async fn send(
    stack: &Stack,
    links: &[Link<'_>],
    mut dice: ChaCha8Rng,
    progress: &Progress,
) -> Done {
    let link = links.choose(&mut dice).expect("there are links");
    let is_of_a_change = dice.random_ratio(1, CHANGES);
    if is_of_a_change {
        change(link, &mut dice).await;
    }
    let body = webhook(link, is_of_a_change, &mut dice).to_string();
    let began = Instant::now();
    let mut redelivered = 0;
    let (id, time) = deliver(stack, &body, &mut dice, progress, &mut redelivered).await;
    let wait = began.elapsed();
    progress.has_acknowledged();

    let is_repeated = dice.random_ratio(1, REPEATED);
    if is_repeated {
        let (again, _) = deliver(stack, &body, &mut dice, progress, &mut redelivered).await;
        assert_eq!(id, again, "one webhook, two ids: {body}");
    }
    Done {
        link: link.id.clone(),
        id,
        time,
        wait,
        redelivered,
        is_repeated,
        is_of_a_change,
    }
}

/// Something happens at the bank.
async fn change(link: &Link<'_>, dice: &mut ChaCha8Rng) {
    let day = days_ago(dice.random_range(0..300));
    link.add(dice.random_range(1..3), &day).await;
}

/// A webhook as Belvo sends it. What announces a change leads to all rows of the link.
fn webhook(link: &Link<'_>, is_of_a_change: bool, dice: &mut ChaCha8Rng) -> Value {
    let kinds = [
        ("TRANSACTIONS", "historical_update"),
        ("TRANSACTIONS", "historical_update"),
        ("TRANSACTIONS", "new_transactions_available"),
        ("TRANSACTIONS", "transactions_updated"),
        ("ACCOUNTS", "historical_update"),
    ];
    let kinds = if is_of_a_change { &kinds[..1] } else { &kinds };
    let (kind, code) = kinds.choose(dice).copied().unwrap_or_default();
    let request = (code == "historical_update").then(|| Uuid::new_v4().to_string());
    let mut body = link.webhook(kind, code, request.as_deref());
    body["webhook_id"] = json!(Uuid::new_v4().simple().to_string());
    body
}

/// Delivers a webhook until it is acknowledged; the id in the acknowledgement, and how long that
/// took.
async fn deliver(
    stack: &Stack,
    body: &str,
    dice: &mut ChaCha8Rng,
    progress: &Progress,
    redelivered: &mut u64,
) -> (String, Duration) {
    let mut refusals: BTreeMap<u16, u32> = BTreeMap::new();
    for _ in 0..MOST_DELIVERIES {
        let began = Instant::now();
        let answer = stack.deliver(body, Some(&stack.authorization)).await;
        let took = began.elapsed();
        if answer.status == ACKNOWLEDGED {
            let id = delivery_id(&answer.body);
            return (id.expect("an acknowledgement has an id"), took);
        }
        *refusals.entry(answer.status.as_u16()).or_default() += 1;
        *redelivered += 1;
        progress.delivers_again();
        sleep(Duration::from_millis(
            dice.random_range(REDELIVERED_AFTER_MS),
        ))
        .await;
    }
    panic!("never acknowledged, by status: {refusals:?}: {body}");
}

impl Sent {
    fn add(&mut self, done: Done) {
        let of_link = self.acknowledged.entry(done.link).or_default();
        of_link.insert(done.id);
        self.times.push(done.time);
        self.waits.push(done.wait);
        self.redelivered += done.redelivered;
        self.repeated += u64::from(done.is_repeated);
        self.changes += u64::from(done.is_of_a_change);
    }
}
