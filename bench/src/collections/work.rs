//! What a program does with a window: collect it, or only what no program can leave out.

use anyhow::ensure;
use axum::body::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use function_processes::{Function, events};

use super::Step;
use crate::{belvo, program::Maker, setup::Setup, world::World};

/// Rows of a page.
const PAGE: usize = 1_000;
/// Rows whose items the floor that stores copies: rows are of different lengths.
const PATTERNS: usize = 100;

pub(super) enum Work {
    /// Collect a link.
    Collect(Maker, Step),
    /// Only receive and hash its pages.
    Receive,
    /// Only do that and write as many ready-made items, which are copies of these.
    Store(Vec<Value>),
}

impl Work {
    /// To store copies of what ours stores.
    pub(super) async fn store(setup: Setup<'_>) -> anyhow::Result<Self> {
        Ok(Self::Store(stored_rows(setup).await?))
    }

    /// What the window is to the program; the floors are those of an unchanged and of a new one.
    pub(super) fn step(&self) -> Step {
        match self {
            Self::Collect(_, step) => *step,
            Self::Receive => Step::Unchanged,
            Self::Store(_) => Step::First,
        }
    }

    /// `None` for a floor.
    pub(super) fn maker(&self) -> Option<Maker> {
        match self {
            Self::Collect(maker, _) => Some(*maker),
            Self::Receive | Self::Store(_) => None,
        }
    }

    /// Lets the floor that stores make so many items.
    pub(super) async fn prepare(&self, function: &mut Function, rows: usize) -> anyhow::Result<()> {
        let Self::Store(patterns) = self else {
            return Ok(());
        };
        // A new partition each time, so that nothing is overwritten.
        let link = Uuid::new_v4().to_string();
        let making = json!({ "rows": rows, "link": link, "patterns": patterns });
        let event = events::bytes(&json!({ "make": making }));
        let answer = function.invoke(event).await?.answer;
        ensure!(answer["made"] == rows, "the floor answered {answer}");
        Ok(())
    }

    /// Makes at Belvo the change that the window is about, and returns the event.
    pub(super) async fn event(
        &self,
        world: &World,
        link: &str,
        rows: usize,
    ) -> anyhow::Result<Bytes> {
        match self {
            Self::Collect(_, step) => step.happen(world, link, rows).await,
            Self::Receive | Self::Store(_) => Ok(self.first_event(world, link)),
        }
    }

    /// The event of a window that is new at Belvo.
    pub(super) fn first_event(&self, world: &World, link: &str) -> Bytes {
        match self {
            Self::Collect(..) => events::batch(link),
            Self::Receive => events::bytes(&listing(world, link)),
            Self::Store(_) => events::bytes(&json!({ "store": listing(world, link) })),
        }
    }

    /// Whether an answer says that a window of so many rows is done.
    pub(super) fn is_done(&self, answer: &Value, rows: usize) -> bool {
        let has_pages = answer["pages"] == rows.div_ceil(PAGE);
        match self {
            Self::Collect(..) => is_without_failures(answer),
            Self::Receive => has_pages,
            Self::Store(_) => has_pages && answer["rows"] == rows,
        }
    }
}

/// Items of rows as ours stores them, in DynamoDB's JSON; nothing of them stays.
async fn stored_rows(setup: Setup<'_>) -> anyhow::Result<Vec<Value>> {
    let world = setup.world;
    let link = world.belvo.link(PATTERNS).await?;
    let program = setup.programs.function(Maker::Ours, "collect");
    let mut function = Function::start(&program, &world.environment()).await?;
    let answer = function.invoke(events::batch(&link)).await?.answer;
    ensure!(is_without_failures(&answer), "collect answered {answer}");
    function.stop().await?;

    let mut items = world.aws.take_partition(&link)?;
    items.retain(|item| {
        let key = item["_item"]["S"].as_str().unwrap_or_default();
        key.starts_with("T#")
    });
    ensure!(items.len() == PATTERNS, "{} rows are stored", items.len());
    Ok(items)
}

/// A listing for the floors: its first page, and who asks.
fn listing(world: &World, link: &str) -> Value {
    let (keys, belvo) = (belvo::keys(), world.belvo_url());
    json!({
        "url": format!("{belvo}/api/transactions/?link={link}&page_size={PAGE}"),
        "user": keys["secret_id"],
        "password": keys["secret_password"],
    })
}

/// Whether `collect` reports no failures.
fn is_without_failures(answer: &Value) -> bool {
    answer["batchItemFailures"] == json!([])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_done_when_it_has_received_all_pages_and_stored_all_rows() {
        let (receive, store) = (Work::Receive, Work::Store(vec![]));
        let all = json!({ "pages": 2, "rows": 1_250 });
        assert!(receive.is_done(&all, 1_250) && store.is_done(&all, 1_250));
        assert!(!receive.is_done(&json!({ "pages": 1 }), 1_250));
        assert!(!store.is_done(&json!({ "pages": 2, "rows": 1_225 }), 1_250));
    }
}
