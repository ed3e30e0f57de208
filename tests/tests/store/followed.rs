//! Consumers who follow a link while it changes, is erased, and while its collections crash at any
//! write: in the end, the copy of each is what the store lists.
//!
//! `RUNS` says how many seeded runs there are, and `SEED` with which the first begins.

use std::collections::BTreeMap;

use domain::{Days, LinkId};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use shared::store::{ChangesPage, Position};

use crate::{
    databases::{Tables, both},
    interrupted::{behind_gate, by_id, collect, listed, row},
};

/// How many things happen in a run.
const EVENTS: u32 = 60;
/// A collection of a run makes fewer writes than this.
const MOST_WRITES: u32 = 14;

/// Who follows the changes of a link, and what it has of its rows.
#[derive(Default)]
pub(crate) struct Consumer {
    position: Option<Position>,
    pub(crate) copy: BTreeMap<String, Value>,
}

impl Consumer {
    /// Reads until there is nothing more.
    pub(crate) async fn follow(&mut self, tables: &Tables) {
        while self.read(tables, 7).await {}
    }

    /// Reads once, at most so many rows, and returns whether there is more.
    async fn read(&mut self, tables: &Tables, limit: u16) -> bool {
        let position = self.position.take();
        let changes = tables.transactions.changes(&tables.link, position, limit);
        let ChangesPage::Changed {
            rows,
            next,
            has_more,
        } = changes.await.unwrap()
        else {
            *self = Self::default();
            return true;
        };
        if rows.is_erased {
            self.copy.clear();
        }
        for (_, row, _) in rows.rows {
            let id = row.id().to_string();
            self.copy.insert(id, test_harness::json_of(&row));
        }
        for (_, id) in rows.removed {
            self.copy.remove(id.as_str());
        }
        self.position = Some(next);
        has_more
    }
}

/// A link at Belvo and what happens to it.
struct Run<'a> {
    tables: &'a Tables,
    dice: ChaCha8Rng,
    belvo: BTreeMap<u32, Value>,
    next: u32,
    consumers: [Consumer; 2],
}

impl Run<'_> {
    async fn happen(&mut self) {
        match self.dice.random_range(0..12) {
            0..=2 => self.add(),
            3 | 4 => self.amend(),
            5 => self.delete(),
            6 => self.erase().await,
            7 | 8 => {
                let writes = self.dice.random_range(0..MOST_WRITES);
                self.collect(Some(writes)).await;
            }
            9 => self.collect(None).await,
            _ => self.read().await,
        }
    }

    fn add(&mut self) {
        for _ in 0..self.dice.random_range(1..20) {
            let amount = self.next.to_string();
            // A row that was deleted may return.
            let id = self.dice.random_range(0..60);
            self.belvo.insert(id, row(id, &self.day(), &amount));
            self.next += 1;
        }
    }

    fn amend(&mut self) {
        if let Some(id) = self.any() {
            let amount = self.next.to_string();
            self.belvo.insert(id, row(id, &self.day(), &amount));
            self.next += 1;
        }
    }

    fn delete(&mut self) {
        if let Some(id) = self.any() {
            self.belvo.remove(&id);
        }
    }

    fn any(&mut self) -> Option<u32> {
        let ids: Vec<_> = self.belvo.keys().copied().collect();
        ids.choose(&mut self.dice).copied()
    }

    fn day(&self) -> String {
        format!("2026-01-{:02}", 1 + self.next % 28)
    }

    /// Collects, until so many writes have happened.
    async fn collect(&mut self, writes: Option<u32>) {
        let gated = match writes {
            Some(writes) => behind_gate(self.tables, writes).await,
            None => self.tables.transactions.clone(),
        };
        let at = format!(
            "2026-03-01T{:02}:{:02}:00Z",
            self.next / 60 % 24,
            self.next % 60
        );
        let belvo = self.belvo.values().cloned().collect();
        let link: &LinkId = &self.tables.link;
        let collected = collect(&gated, link, Days::ALL, belvo, &at).await;
        assert!(collected.is_ok() || writes.is_some(), "{collected:?}");
    }

    /// Erases the link, at the second attempt if the first one crashes.
    async fn erase(&mut self) {
        let writes = self.dice.random_range(0..8);
        let gated = behind_gate(self.tables, writes).await;
        if gated.erase(&self.tables.link).await.is_err() {
            self.read().await;
            self.read().await;
            let erased = self.tables.transactions.erase(&self.tables.link).await;
            erased.unwrap();
        }
    }

    /// A consumer reads once, or begins again.
    async fn read(&mut self) {
        let limit = self.dice.random_range(1..30);
        let consumer = &mut self.consumers[self.dice.random_range(0..2)];
        if self.dice.random_ratio(1, 8) {
            *consumer = Consumer::default();
        }
        consumer.read(self.tables, limit).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that is told how long to run"
)]
fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn every_consumer_has_in_the_end_what_the_store_lists() {
    let (first, runs) = (number("SEED", 1), number("RUNS", 12));
    for seed in first..first + runs {
        for tables in both().await {
            let mut run = Run {
                tables: &tables,
                dice: ChaCha8Rng::seed_from_u64(seed),
                belvo: BTreeMap::new(),
                next: 1,
                consumers: Default::default(),
            };
            for _ in 0..EVENTS {
                run.happen().await;
            }
            run.collect(None).await;
            let belvo = by_id(run.belvo.values().cloned().collect());
            let when = format!("{}, seed {seed}", tables.name);
            assert_eq!(by_id(listed(&tables).await), belvo, "{when}");
            for consumer in &mut run.consumers {
                consumer.follow(&tables).await;
                assert_eq!(consumer.copy, belvo, "{when}");
            }
        }
    }
}
