//! A Belvo whose rows come, go, move and change between any two GETs. What a collection that calls
//! itself complete holds, and what it never marks as deleted.
//!
//! `RUNS` says how many seeded runs there are, and `SEED` with which the first begins.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use aws_lambda_events::sqs::SqsMessage;
use axum::{
    Router,
    extract::{Request, State},
    response::IntoResponse,
};
use domain::{Collection, Days, Filter, LinkId, Listed, Resource, Timestamp, Verdict};
use rand::{Rng, SeedableRng, seq::IteratorRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use shared::queue::{Delivery, Task};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::{
    surroundings::good_keys,
    worker::{AMPLE, Worker, webhook},
};

/// Rows of a page, and of a link.
const PAGE: usize = 8;
const ROWS: u64 = 16;
/// Days on which rows are inserted, and to which they move; the first has more rows than a page.
const DAYS: [&str; 4] = ["2026-01-10", "2026-01-11", "2025-11-03", "2025-06-20"];
/// Codes of webhooks about transactions. The first asks for all days, and so do all but the last.
const CODES: [&str; 4] = [
    "transactions_updated",
    "transactions_deleted",
    "historical_update",
    "new_transactions_available",
];
/// The most changes of one run, after which Belvo comes to rest, and the most GETs before the first
/// of them.
const CHANGES: u32 = 8;
const QUIET_GETS: u32 = 20;

/// What changes the rows, and what it has touched.
struct Churn {
    link: String,
    dice: ChaCha8Rng,
    quiet: u32,
    left: u32,
    touched: BTreeSet<String>,
}

/// A server in front of the sandbox that changes rows after each answer.
struct Front {
    sandbox: belvo_sandbox::Control,
    http: reqwest::Client,
    churn: Mutex<Option<Churn>>,
}

impl Front {
    async fn start(sandbox: &belvo_sandbox::Control) -> (Arc<Self>, String) {
        let front = Arc::new(Self {
            sandbox: sandbox.clone(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            churn: Mutex::new(None),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(Arc::clone(&front));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (front, url)
    }

    fn set(&self, churn: Option<Churn>) -> Option<Churn> {
        let mut current = self.churn.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, churn)
    }

    async fn rows(&self, link: &str) -> BTreeMap<String, Value> {
        test_harness::by_id(&self.sandbox.rows(link).await.unwrap())
    }

    /// Perhaps changes a row.
    async fn stir(&self) {
        let Some(mut churn) = self.set(None) else {
            return;
        };
        if churn.quiet > 0 {
            churn.quiet -= 1;
        } else if churn.left > 0 && churn.dice.random_bool(0.7) {
            churn.left -= 1;
            churn.change(self).await;
        }
        self.set(Some(churn));
    }
}

impl Churn {
    fn of(link: &str, seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        Self {
            link: link.to_owned(),
            quiet: dice.random_range(0..=QUIET_GETS),
            left: dice.random_range(1..=CHANGES),
            dice,
            touched: BTreeSet::new(),
        }
    }

    async fn change(&mut self, front: &Front) {
        let rows = front.rows(&self.link).await;
        // Mostly on the day that has several pages.
        let is_busy = self.dice.random_bool(0.7);
        let chosen = rows
            .iter()
            .filter(|(_, row)| !is_busy || row["value_date"] == DAYS[0]);
        let Some((id, row)) = chosen.choose(&mut self.dice) else {
            return;
        };
        let day = DAYS.iter().choose(&mut self.dice).unwrap();
        match self.dice.random_range(0..7) {
            0 => self.insert(front, day).await,
            1 => self.remove(front, id).await,
            6 => self.amend(front, id, json!({"value_date": null})).await,
            // One row takes another's place: every count stays the same.
            2 | 3 => {
                let day = row["value_date"].as_str().unwrap_or(day);
                self.remove(front, id).await;
                self.insert(front, day).await;
            }
            4 => {
                let amended = json!({"description": "amended"});
                self.amend(front, id, amended).await;
            }
            _ => self.amend(front, id, json!({"value_date": day})).await,
        }
    }

    async fn insert(&mut self, front: &Front, day: &str) {
        let added = front.sandbox.add_rows(&self.link, 1, Some(day)).await;
        self.touched.extend(added.unwrap());
    }

    async fn remove(&mut self, front: &Front, id: &str) {
        front.sandbox.delete_row(&self.link, id).await.unwrap();
        self.touched.insert(id.to_owned());
    }

    async fn amend(&mut self, front: &Front, id: &str, fields: Value) {
        let changed = front.sandbox.patch_row(&self.link, id, fields).await;
        changed.unwrap();
        self.touched.insert(id.to_owned());
    }
}

async fn pass(State(front): State<Arc<Front>>, request: Request) -> impl IntoResponse {
    let (parts, _) = request.into_parts();
    let url = format!("{}{}", front.sandbox.url(), parts.uri);
    let sent = front.http.request(parts.method, url).headers(parts.headers);
    let answer = sent.send().await.unwrap();
    let (status, body) = (answer.status(), answer.bytes().await.unwrap());
    front.stir().await;
    (status, [("content-type", "application/json")], body)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long this test runs is for whoever starts it"
)]
fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

#[tokio::test]
async fn a_complete_collection_holds_every_row_that_stayed_and_no_live_row_is_ever_deleted() {
    let mut worker = Worker::with_pages_of(PAGE).await.in_own_tables().await;
    let (front, url) = Front::start(&worker.here.sandbox).await;
    worker.app.belvo = worker.here.belvo_at(&url, good_keys()).await;

    let (first, runs) = (number("SEED", 1), number("RUNS", 200));
    let mut complete = 0;
    for seed in first..first + runs {
        complete += u64::from(run(&worker, &front, seed).await);
    }
    assert!(
        complete > runs / 4,
        "only {complete} of {runs} were complete"
    );
}

/// Collects a link while it changes, and when it has come to rest. Returns whether the first of the
/// two collections calls itself complete.
async fn run(worker: &Worker, front: &Front, seed: u64) -> bool {
    let link = worker.seeded_link(ROWS, seed).await;
    for day in [DAYS[0], DAYS[0], DAYS[0], DAYS[1]] {
        let added = front.sandbox.add_rows(&link, PAGE * 3 / 4, Some(day)).await;
        added.unwrap();
    }
    // Half of the links are collected for the first time while they change.
    let is_stored = seed.is_multiple_of(2);
    if is_stored {
        let first = collect(worker, &link, CODES[0]).await;
        assert_eq!(first.verdict(None), Verdict::Complete, "seed {seed}");
    }
    let before = front.rows(&link).await;

    front.set(Some(Churn::of(&link, seed)));
    let code = CODES[usize::try_from(seed).unwrap() % CODES.len()];
    let collection = collect(worker, &link, code).await;
    let churn = front.set(None).unwrap();

    let (stored, now) = (stored(worker, &link).await, front.rows(&link).await);
    let was_stored = |id: &&String| is_stored && before.contains_key(*id);
    for id in now.keys().filter(was_stored) {
        let is_live = stored.contains_key(id);
        assert!(is_live, "seed {seed}: {id} is marked as deleted");
    }
    let is_complete = collection.verdict(None) == Verdict::Complete;
    let stayed = before.iter().filter(|(id, row)| {
        let day = row["value_date"].as_str().unwrap_or_default();
        !churn.touched.contains(*id) && collection.days.hold(day)
    });
    for (id, row) in stayed.filter(|_| is_complete) {
        assert_eq!(difference(stored.get(id), row), None, "seed {seed}: {id}");
    }

    let last = collect(worker, &link, CODES[0]).await;
    assert_eq!(last.verdict(None), Verdict::Complete, "seed {seed}");
    assert_at_rest(worker, &link, &now, seed).await;
    is_complete
}

/// How a stored row differs from Belvo's.
fn difference(stored: Option<&Value>, belvo: &Value) -> Option<String> {
    match stored {
        Some(stored) => test_harness::difference(belvo, stored),
        None => Some("it is not stored".to_owned()),
    }
}

/// The rows of Belvo are stored, and none of those that it has not, unless they are older than
/// everything it has.
async fn assert_at_rest(worker: &Worker, link: &str, belvo: &BTreeMap<String, Value>, seed: u64) {
    let mut stored = stored(worker, link).await;
    let day = |row: &Value| row["value_date"].as_str().map(str::to_owned);
    let oldest = belvo.values().filter_map(day).min();
    stored
        .retain(|id, row| belvo.contains_key(id) || day(row).is_none_or(|day| Some(day) >= oldest));
    assert_eq!(stored.len(), belvo.len(), "seed {seed}");
    let rows = worker.app.transactions.rows(Resource::TRANSACTIONS);
    let link = LinkId::parse(link).unwrap();
    let totals = rows.totals(&link, Days::ALL, None).await.unwrap();
    assert_eq!(totals.transactions, belvo.len() as u64, "seed {seed}");
    for (id, row) in belvo {
        assert_eq!(difference(stored.get(id), row), None, "seed {seed}: {id}");
    }
}

async fn collect(worker: &Worker, link: &str, code: &str) -> Collection {
    let id = Uuid::new_v4().simple().to_string();
    let webhook = webhook(link, code, Some(&id));
    let delivery = Delivery::new(&webhook.to_string(), "gateway", Timestamp::now()).unwrap();
    let mut message = SqsMessage::default();
    message.message_id = Some(id.clone());
    let group = ("MessageGroupId".to_owned(), link.to_owned());
    message.attributes.extend([group]);
    message.body = Some(serde_json::to_string(&Task::Webhook(delivery)).unwrap());
    assert!(worker.invoke(vec![message], AMPLE).await.is_empty());
    worker.record(&id).await.collection.unwrap()
}

/// The stored rows that are not deleted, each with its account.
async fn stored(worker: &Worker, link: &str) -> BTreeMap<String, Value> {
    let link = LinkId::parse(link).unwrap();
    let transactions = &worker.app.transactions;
    let accounts = transactions.accounts().of(&link).await.unwrap();
    let rows = transactions.rows(Resource::TRANSACTIONS);
    let all = Filter::default();
    let (listed, next) = rows.list(&link, &all, None, 500).await.unwrap();
    assert_eq!(next, None);
    let whole = |listed: Listed| {
        let row = listed.row;
        let account = row.account_id().map(Cow::into_owned);
        let account = accounts
            .iter()
            .find(|one| account.as_deref() == Some(one.id().as_str()));
        let id = row.id().to_string();
        (
            id,
            serde_json::from_str(row.into_row(account).get()).unwrap(),
        )
    };
    listed.into_iter().map(whole).collect()
}
