//! A consumer of all links: it asks which have news, and reads the changes of these only.

use std::{collections::BTreeMap, time::Duration};

use domain::{LinkId, Resource};
use lambda_http::http::Method;
use query::{App, handle};
use serde_json::{Value, json};

use crate::{
    changes::{self, Consumer, add_rows, collect},
    service::{Service, event},
    surroundings::{api_call, read},
    worker::{AMPLE, Worker, webhook},
};

/// What a consumer of all links has.
#[derive(Default)]
struct Follower {
    cursor: Option<String>,
    sequences: BTreeMap<String, u64>,
    links: BTreeMap<String, Consumer>,
}

impl Follower {
    /// Asks until there is nothing more, reads the links of which it has not seen the latest news,
    /// and returns them.
    async fn follow(&mut self, query: &App, limit: u16) -> Vec<String> {
        let mut read = Vec::new();
        loop {
            let (news, has_more) = self.ask(query, limit).await;
            for (link, sequence) in news {
                if self.sequences.get(&link) == Some(&sequence) {
                    continue;
                }
                let consumer = self.links.entry(link.clone()).or_default();
                Box::pin(consumer.follow(query, &link, 100)).await;
                self.sequences.insert(link.clone(), sequence);
                read.push(link);
            }
            if !has_more {
                read.sort_unstable();
                return read;
            }
        }
    }

    /// Asks once.
    async fn ask(&mut self, query: &App, limit: u16) -> (Vec<(String, u64)>, bool) {
        let cursor = self.cursor.as_ref();
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let (status, answer) = get(query, &format!("limit={limit}{cursor}")).await;
        assert_eq!(status, 200, "{answer}");
        self.cursor = Some(answer["next_cursor"].as_str().unwrap().to_owned());
        let links = answer["links"].as_array().unwrap();
        assert!(links.len() <= usize::from(limit), "{answer}");
        let news = links.iter().map(|one| {
            let link = one["link"].as_str().unwrap().to_owned();
            (link, one["sequence"].as_u64().unwrap())
        });
        (news.collect(), answer["has_more"].as_bool().unwrap())
    }

    async fn assert_has_what_is_stored(&self, query: &App) {
        for (link, consumer) in &self.links {
            assert_eq!(consumer.rows, changes::stored(query, link).await, "{link}");
        }
    }
}

async fn get(query: &App, parameters: &str) -> (u16, Value) {
    let call = api_call(&Method::GET, "/changes", &json!({}), parameters, None);
    read(&handle(query, call).await)
}

/// A worker, its query function, and links of which rows are collected.
async fn collected(links: usize) -> (Worker, App, Vec<String>) {
    let worker = Worker::with_own_tables().await;
    let query = changes::query(&worker);
    let mut ids = Vec::new();
    for _ in 0..links {
        let link = worker.link(12).await;
        collect(&worker, &link).await;
        ids.push(link);
    }
    ids.sort_unstable();
    (worker, query, ids)
}

#[tokio::test]
async fn only_links_with_news_are_read_again() {
    let (worker, query, links) = collected(5).await;
    let mut follower = Follower::default();
    assert_eq!(follower.follow(&query, 2).await, links);
    assert_eq!(follower.follow(&query, 2).await, Vec::<String>::new());

    add_rows(&worker, &links[3], 2).await;
    for link in &links {
        collect(&worker, link).await;
    }
    assert_eq!(follower.follow(&query, 2).await, [links[3].clone()]);
    follower.assert_has_what_is_stored(&query).await;
    assert_eq!(follower.links[&links[3]].rows.len(), 14);
}

#[tokio::test]
async fn what_changes_while_news_are_told_is_told_in_the_same_round_or_the_next() {
    let (worker, query, links) = collected(4).await;
    let mut follower = Follower::default();
    let (told, has_more) = follower.ask(&query, 1).await;
    assert!(has_more);
    let first = told[0].0.clone();
    add_rows(&worker, &first, 2).await;
    collect(&worker, &first).await;

    let mut read = follower.follow(&query, 1).await;
    read.extend(follower.follow(&query, 1).await);
    read.sort_unstable();
    assert_eq!(read, links, "also the one that was told before its change");
    follower.assert_has_what_is_stored(&query).await;
}

#[tokio::test]
async fn what_becomes_of_a_link_is_news() {
    let service = Service::new().await;
    let query = changes::query(&service.worker);
    let mut follower = Follower::default();
    let link = service.registered().await;
    assert_eq!(follower.follow(&query, 100).await, [link.as_str()]);
    for code in ["token_required", "link_deleted"] {
        if code == "link_deleted" {
            service.delete(&link, "rows=erase").await;
            service.worker.here.until_gone(&link).await;
        }
        service.process(event(&link, "LINK", code)).await;
        assert_eq!(
            follower.follow(&query, 100).await,
            [link.as_str()],
            "{code}"
        );
    }
    service
        .process(event(
            &link,
            "CONSENT",
            "openfinance_consent_about_to_expire",
        ))
        .await;
    assert!(
        follower.follow(&query, 100).await.is_empty(),
        "it is deleted"
    );
}

#[tokio::test]
async fn new_accounts_are_news_without_rows() {
    let (worker, query, links) = collected(1).await;
    let mut follower = Follower::default();
    follower.follow(&query, 100).await;
    let accounts = worker.here.sandbox.accounts(&links[0]).await.unwrap();
    let (sandbox, id) = (&worker.here.sandbox, accounts[0]["id"].as_str().unwrap());
    let renamed = json!({"name": "another name"});
    let changed = sandbox.patch_account(&links[0], id, renamed).await;
    changed.unwrap();
    let mut announced = webhook(&links[0], "historical_update", None);
    announced["webhook_type"] = json!("ACCOUNTS");
    worker.enqueue(&announced).await;
    worker.process_everything().await;
    assert_eq!(follower.follow(&query, 100).await, links);
}

#[tokio::test]
async fn rows_that_an_interrupted_collection_has_stored_are_news_after_the_next_one() {
    let (worker, query, links) = collected(1).await;
    let mut follower = Follower::default();
    follower.follow(&query, 100).await;
    add_rows(&worker, &links[0], 2).await;
    collect(&worker, &links[0]).await;
    // As if it had crashed after its rows were stored, before the link's record was written.
    let id = LinkId::parse(&links[0]).unwrap();
    let known = follower.sequences[&links[0]];
    let earlier = |mut link: domain::LinkRecord| {
        link.log -= 1;
        link
    };
    worker.app.control.links.change(&id, earlier).await.unwrap();
    follower.follow(&query, 100).await;

    collect(&worker, &links[0]).await;
    let record = worker.app.control.links.get(&id).await.unwrap().unwrap();
    let last = &record.collected[Resource::TRANSACTIONS.name()];
    assert_eq!((last.added, last.rows), (0, 14));
    assert!(known < record.sequence.number());
    assert_eq!(follower.follow(&query, 100).await, links);
}

#[tokio::test]
async fn rows_that_were_stored_before_belvo_refused_the_rest_are_news() {
    let worker = Worker::with_pages_of(100).await.in_own_tables().await;
    let (link, query) = (worker.link(400).await, changes::query(&worker));
    let refused = json!({
        "on": "get",
        "skip": 5,
        "action": {"error": {"code": "invalid_link"}},
    });
    worker.here.sandbox.rule(refused).await.unwrap();
    collect(&worker, &link).await;

    let mut follower = Follower::default();
    assert_eq!(follower.follow(&query, 100).await, [link.as_str()]);
    let rows = follower.links[&link].rows.len();
    assert!((1..400).contains(&rows), "{rows}");
    follower.assert_has_what_is_stored(&query).await;
}

#[tokio::test]
async fn rows_that_were_stored_before_the_last_attempt_failed_are_news() {
    let mut worker = Worker::with_pages_of(100).await.in_own_tables().await;
    worker.app.retry_policy.longest_wait = Duration::ZERO;
    let (link, query) = (worker.link(400).await, changes::query(&worker));
    let failure = json!({
        "on": "get",
        "skip": 5,
        "action": {"error": {"code": "unexpected_error"}},
    });
    worker
        .enqueue(&webhook(&link, "transactions_updated", None))
        .await;
    let mut failed = Vec::new();
    // An attempt that ends before, because the machine is busy, has the next one behind it.
    for attempt in 0.. {
        assert!(attempt < 10, "no rows are stored");
        worker.here.sandbox.forget_rules().await.unwrap();
        worker.here.sandbox.rule(failure.clone()).await.unwrap();
        failed.extend(worker.waiting().await);
        failed = worker.invoke(failed, AMPLE).await;
        if !worker.items_of(&link).await.is_empty() {
            break;
        }
    }
    worker.app.retry_policy.attempts = 1;
    assert!(worker.invoke(failed, AMPLE).await.is_empty());
    worker.process_everything().await;
    assert_eq!(worker.dead_letters().await.len(), 1);

    let mut follower = Follower::default();
    assert_eq!(follower.follow(&query, 100).await, [link.as_str()]);
    assert!(!follower.links[&link].rows.is_empty());
    follower.assert_has_what_is_stored(&query).await;
}

#[tokio::test]
async fn a_cursor_that_no_answer_contained_is_named() {
    let (_worker, query, _) = collected(0).await;
    for cursor in ["x", "e30x", "eyJhdCI6MX0"] {
        let (status, problem) = get(&query, &format!("cursor={cursor}")).await;
        assert_eq!(
            (status, &problem["field"]),
            (400, &json!("cursor")),
            "{cursor}"
        );
    }
}
