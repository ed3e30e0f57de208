//! A service that keeps a copy of links' rows by following their changes. What it is told,
//! and where it goes on, change together: its work may be dropped at any time.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;
use reqwest::StatusCode;
use serde_json::Value;

use crate::{Link, Stack, difference};

/// What it has, and where it goes on. It asks for the news of all links and reads those of its own.
#[derive(Debug, Clone)]
pub struct Follower {
    cursor: String,
    links: BTreeMap<String, LinkCopy>,
}

/// What it has of a link.
#[derive(Debug, Clone, Default)]
struct LinkCopy {
    sequence: u64,
    cursor: String,
    /// By their resources and ids; transactions have the ids of their accounts.
    rows: BTreeMap<String, BTreeMap<String, Value>>,
    /// The ids of those that were ever said to be gone.
    removed: BTreeSet<String>,
}

impl Follower {
    /// One that has nothing of these links yet.
    pub fn of<'a>(links: impl IntoIterator<Item = &'a Link<'a>>) -> Self {
        let nothing = |link: &Link<'_>| (link.id.clone(), LinkCopy::default());
        Self {
            cursor: String::new(),
            links: links.into_iter().map(nothing).collect(),
        }
    }

    /// Takes a link as its own, if it is none yet and there is something of it to follow.
    pub async fn begin(&mut self, stack: &Stack, link: &str) {
        if self.links.contains_key(link) {
            return;
        }
        let answer = stack.get(&format!("/links/{link}/changes?limit=1")).await;
        if answer.status == StatusCode::OK {
            let mut copy = LinkCopy::default();
            copy.follow(stack, link).await;
            self.links.insert(link.to_owned(), copy);
        }
    }

    /// Asks which links have news, and follows them, until there is nothing more.
    pub async fn follow_all(&mut self, stack: &Stack) {
        loop {
            let path = format!("/changes?limit=100{}", self.cursor);
            let answer = stack.read(&path).await;
            for news in answer["links"].as_array().expect("links") {
                let link = news["link"].as_str().expect("a link");
                let sequence = news["sequence"].as_u64().expect("a sequence");
                self.hear(stack, link, sequence).await;
            }
            self.cursor = next(&answer);
            if answer["has_more"] == false {
                return;
            }
        }
    }

    /// Follows a link, if it is one of its own and this is news of it.
    pub async fn hear(&mut self, stack: &Stack, link: &str, sequence: u64) {
        let copy = self.links.get_mut(link);
        let Some(copy) = copy.filter(|copy| copy.sequence < sequence) else {
            return;
        };
        copy.follow(stack, link).await;
        copy.sequence = sequence;
    }

    /// Its copy of a link's transactions.
    #[must_use]
    pub fn transactions(&self, link: &Link<'_>) -> BTreeMap<String, Value> {
        self.rows(link, "transactions")
    }

    /// Its copy of a link's rows of a resource.
    #[must_use]
    pub fn rows(&self, link: &Link<'_>, resource: &str) -> BTreeMap<String, Value> {
        let rows = self.links[&link.id].rows.get(resource);
        rows.cloned().unwrap_or_default()
    }

    /// The ids of a link's rows that were ever said to be gone.
    #[must_use]
    pub fn removed(&self, link: &Link<'_>) -> &BTreeSet<String> {
        &self.links[&link.id].removed
    }

    /// Asserts that its copy of a link is what Belvo has, but for these rows.
    pub async fn assert_equals_the_sandbox_but_for(
        &self,
        link: &Link<'_>,
        left_out: &BTreeSet<String>,
    ) {
        let (mut truth, mut copy) = (link.truth().await, self.transactions(link));
        truth.retain(|id, _| !left_out.contains(id));
        copy.retain(|id, _| !left_out.contains(id));
        assert!(copy.keys().eq(truth.keys()), "{}", link.id);
        for (id, mut row) in truth {
            row["account"] = row["account"]["id"].clone();
            assert_eq!(difference(&copy[&id], &row), None, "{id}");
        }
    }
}

impl LinkCopy {
    /// Reads the changes of its link until there is nothing more.
    async fn follow(&mut self, stack: &Stack, link: &str) {
        loop {
            let path = format!("/links/{link}/changes?limit=40{}", self.cursor);
            let answer = stack.read(&path).await;
            self.take(&answer);
            if answer["has_more"] == false {
                return;
            }
        }
    }

    fn take(&mut self, answer: &Value) {
        if answer["erased"] == true {
            self.rows.clear();
        }
        let all = |name: &str| answer[name].as_array().expect("an array").iter();
        for changed in all("added").chain(all("modified")) {
            let (id, row) = (id(&changed["row"]), changed["row"].clone());
            let rows = self.of_resource(changed);
            assert_is_not_older(&row, rows.get(&id));
            rows.insert(id, row);
        }
        for removed in all("removed") {
            // One that was never there, because it cannot be stored, may be said to be gone.
            if self.of_resource(removed).remove(&id(removed)).is_some() {
                self.removed.insert(id(removed));
            }
        }
        self.cursor = next(answer);
    }

    /// The rows of the resource that a change names.
    fn of_resource(&mut self, change: &Value) -> &mut BTreeMap<String, Value> {
        let resource = change["resource"].as_str().expect("a resource");
        self.rows.entry(resource.to_owned()).or_default()
    }
}

/// I3: no version of a row is replaced by one that Belvo collected before it.
fn assert_is_not_older(row: &Value, known: Option<&Value>) {
    let collected = |row: &Value| Timestamp::parse(row["collected_at"].as_str()?);
    if let (Some(this), Some(known)) = (collected(row), known.and_then(collected)) {
        assert!(known <= this, "I3: {row} after the version of {known}");
    }
}

fn id(of: &Value) -> String {
    of["id"].as_str().expect("an id").to_owned()
}

fn next(answer: &Value) -> String {
    let cursor = answer["next_cursor"].as_str().expect("a cursor");
    format!("&cursor={cursor}")
}
