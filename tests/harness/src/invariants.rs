//! The invariants that must hold once everything has settled.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Follower, Link, Stack, eventually, trouble::is_unstorable};

/// The delivery ids of acknowledged webhooks, by their links.
pub type Acknowledged = BTreeMap<String, BTreeSet<String>>;

/// Delivers a webhook of a retrieval that nobody asked for, and returns its id.
pub async fn announce(
    stack: &Stack,
    link: &Link<'_>,
    authorization: &str,
    acknowledged: &mut Acknowledged,
) -> String {
    let id = Uuid::new_v4().to_string();
    let body = link.webhook("TRANSACTIONS", "historical_update", Some(&id));
    let answer = stack.deliver(body.to_string(), Some(authorization)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let of_link = acknowledged.entry(link.id.clone()).or_default();
    of_link.extend(delivery_id(&answer.body));
    id
}

/// Asserts that a request has all rows of its link but those that cannot be stored.
pub async fn has_collected_all(stack: &Stack, link: &Link<'_>, id: &str) {
    let record = stack.get(&format!("/requests/{id}")).await.body;
    let (status, verdict) = match unstorable(link).await.len() {
        0 => ("collected", "complete".to_owned()),
        rows => ("incomplete", format!("short by {rows}")),
    };
    assert_eq!(
        (&record["status"], &record["verdict"]),
        (&json!(status), &json!(verdict)),
        "{record}"
    );
}

/// The invariants.
pub async fn check(
    stack: &Stack,
    links: &[Link<'_>],
    acknowledged_later: &Acknowledged,
    follower: &Follower,
    logs: &str,
) {
    links_are_whole(stack, links, follower).await;
    let acknowledged = acknowledged(stack, links, acknowledged_later).await;
    let lost = lost(stack, &acknowledged).await;
    assert!(lost.is_empty(), "I1: acknowledged and lost: {lost:?}");
    nothing_secret_was_logged(stack, logs).await;
}

/// What must hold of rows, requests and histories, link by link.
pub async fn links_are_whole(stack: &Stack, links: &[Link<'_>], follower: &Follower) {
    let mut rows = BTreeMap::new();
    for link in links {
        // I2 and I4: each row once, as Belvo has it, and none that Belvo does not have; a row that
        // cannot be stored is named.
        let unstorable = unstorable(link).await;
        assert_eq!(left_out(stack, link).await, unstorable, "{}", link.id);
        let stored = link.assert_equals_the_sandbox_but_for(&unstorable).await;
        // I10: whoever follows the changes has the same.
        follower
            .assert_equals_the_sandbox_but_for(link, &unstorable)
            .await;
        rows.insert(link.id.clone(), stored);
        every_notified_request_has_ended(stack, link).await;
    }
    marks_are_right(stack, &rows).await;
    for link in links {
        histories_are_whole(stack, link, latest(&rows[&link.id])).await;
    }
}

/// The webhooks of links that were acknowledged: to the sandbox, and to whoever sent these.
pub async fn acknowledged(
    stack: &Stack,
    links: &[Link<'_>],
    to_others: &Acknowledged,
) -> Acknowledged {
    let log = stack.sandbox.log().await.unwrap();
    let of_link = |link: &Link<'_>| {
        let mut ids = acknowledged_by_log(link, &log);
        ids.extend(to_others.get(&link.id).into_iter().flatten().cloned());
        assert!(!ids.is_empty(), "no webhook of {}", link.id);
        (link.id.clone(), ids)
    };
    links.iter().map(of_link).collect()
}

/// I1: which of these webhooks have left no trace.
pub async fn lost(stack: &Stack, acknowledged: &Acknowledged) -> Acknowledged {
    let mut lost = Acknowledged::new();
    for (link, ids) in acknowledged {
        let archived = archived(stack, link).await;
        let missing: BTreeSet<_> = ids.difference(&archived).cloned().collect();
        if !missing.is_empty() {
            lost.insert(link.clone(), missing);
        }
    }
    lost
}

/// The ids of the rows that the link's record says are not stored.
async fn left_out(stack: &Stack, link: &Link<'_>) -> BTreeSet<String> {
    let record = stack.get(&format!("/links/{}", link.id)).await.body;
    let named = record["left_out"]["transactions"].as_array();
    let ids = named
        .into_iter()
        .flatten()
        .map(|row| row["id"].as_str().unwrap_or_default().to_owned());
    ids.collect()
}

/// Whether a request has ended; as incomplete, if each of its fetches was troubled or rows of it
/// cannot be stored.
fn has_ended(record: &Value) -> bool {
    ["collected", "failed", "incomplete"].contains(&record["status"].as_str().unwrap())
}

/// I1: whatever was acknowledged has ended, or ends once a late webhook has been processed.
async fn every_notified_request_has_ended(stack: &Stack, link: &Link<'_>) {
    let mut cursor = String::new();
    loop {
        let path = format!("/links/{}/requests?limit=100{cursor}", link.id);
        let page = eventually(&format!("the requests of {} to end", link.id), || async {
            let page = stack.get(&path).await.body;
            let ended = |record: &Value| record["notified_at"].is_null() || has_ended(record);
            page["requests"]
                .as_array()
                .unwrap()
                .iter()
                .all(ended)
                .then_some(page)
        })
        .await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return,
        }
    }
}

/// The delivery ids of a link's webhooks that the sandbox sent and that were acknowledged: none, if
/// each of them went wrong.
fn acknowledged_by_log(link: &Link<'_>, log: &Value) -> BTreeSet<String> {
    let deliveries = log["deliveries"].as_array().unwrap().iter();
    let of_link = deliveries.filter(|delivery| delivery["link"] == link.id.as_str());
    let attempts = of_link.flat_map(|delivery| delivery["attempts"].as_array().unwrap());
    let answers = attempts.filter_map(|attempt| attempt["answer"].as_str());
    let answers = answers.filter_map(|answer| serde_json::from_str::<Value>(answer).ok());
    answers.filter_map(|answer| delivery_id(&answer)).collect()
}

/// The delivery ids of a link's webhooks that were processed.
async fn archived(stack: &Stack, link: &str) -> BTreeSet<String> {
    let (mut archived, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/links/{link}/webhooks?limit=100{cursor}");
        let page = stack.get(&path).await.body;
        let ids = page["webhooks"].as_array().unwrap().iter();
        // Of a webhook that names no request, the id also has the time of its receipt.
        archived.extend(ids.map(|webhook| webhook["id"].as_str().unwrap()[..64].to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return archived,
        }
    }
}

/// Of each transaction that several links hold under one day, all rows but one are marked as
/// duplicates of it.
async fn marks_are_right(stack: &Stack, rows: &BTreeMap<String, BTreeMap<String, Value>>) {
    let mut unmarked: BTreeMap<String, u32> = BTreeMap::new();
    let mut marked = BTreeMap::new();
    for (link, rows) in rows {
        let page = stack
            .get(&format!("/links/{link}/transactions?limit=500"))
            .await
            .body;
        let marks = page["same_as"].as_object().unwrap().clone();
        for (id, row) in rows {
            let Some(key) = institution_key(row) else {
                continue;
            };
            match marks.get(id) {
                Some(original) => {
                    marked.insert(id.clone(), (key, original.clone()));
                }
                None => *unmarked.entry(key).or_default() += 1,
            }
        }
    }
    let twice: Vec<_> = unmarked.iter().filter(|(_, rows)| **rows > 1).collect();
    assert!(twice.is_empty(), "not marked: {twice:?}");
    for (id, (name, original)) in marked {
        let (link, of) = (
            original["link"].as_str().unwrap(),
            original["id"].as_str().unwrap(),
        );
        let kept;
        let older = if let Some(rows) = rows.get(link) {
            rows
        } else {
            // Of a link that was deleted without its rows.
            kept = stack.known_link(link).stored().await;
            assert!(kept.contains_key(of), "{id} is said to be the erased {of}");
            &kept
        };
        // Of one that cannot be stored, an earlier version is.
        let Some(older) = older.get(of) else {
            continue;
        };
        // It may be on another day by now.
        let without_day = |name: &str| name.rsplit_once(' ').map(|(name, _)| name.to_owned());
        assert_eq!(
            without_day(&name),
            institution_key(older).as_deref().and_then(without_day),
            "{id} is not {original}"
        );
    }
}

/// What identifies a transaction at its institution, with its day.
fn institution_key(row: &Value) -> Option<String> {
    let (account, name) = (
        &row["account"]["internal_identification"],
        &row["internal_identification"],
    );
    (account.is_string() && name.is_string())
        .then(|| format!("{account} {name} {}", row["value_date"]))
}

/// The ids of the three rows that Belvo collected last: they are the likeliest to have versions.
fn latest(rows: &BTreeMap<String, Value>) -> impl Iterator<Item = &String> {
    let mut ids: Vec<_> = rows.keys().collect();
    ids.sort_by_key(|id| Reverse(rows[*id]["collected_at"].as_str()));
    ids.into_iter().take(3)
}

/// The versions of a row follow one another, in the order in which Belvo collected them (I3), and
/// the last one is what is listed.
async fn histories_are_whole(stack: &Stack, link: &Link<'_>, ids: impl Iterator<Item = &String>) {
    for id in ids {
        let history = stack
            .get(&format!("/links/{}/transactions/{id}/history", link.id))
            .await
            .body;
        let versions = history["versions"].as_array().unwrap();
        for pair in versions.windows(2) {
            let (until, from) = (
                pair[0]["until"].as_str().unwrap(),
                pair[1]["observed_at"].as_str().unwrap(),
            );
            let follows = if pair[0]["deleted"] == json!(true) {
                until <= from
            } else {
                until == from
            };
            assert!(follows, "{id} has a gap: {history}");
            assert!(
                collected_at(&pair[0]) <= collected_at(&pair[1]),
                "I3: {id} went back: {history}"
            );
        }
        assert!(
            versions.last().unwrap()["until"].is_null(),
            "the last version of {id} has an end: {history}"
        );
    }
}

/// When Belvo collected a version of a row.
fn collected_at(version: &Value) -> &str {
    let at = version["transaction"]["collected_at"].as_str();
    at.expect("a row of the sandbox says when it was collected")
}

/// I7, for the known secrets.
async fn nothing_secret_was_logged(stack: &Stack, logs: &str) {
    assert!(!logs.contains(&stack.authorization));
    let keys = stack.belvo_keys().await;
    assert!(!logs.contains(keys["secret_password"].as_str().unwrap()));
}

/// The ids of the sandbox's rows that cannot be stored.
async fn unstorable(link: &Link<'_>) -> BTreeSet<String> {
    let truth = link.truth().await.into_iter();
    let rows = truth.filter(|(_, row)| is_unstorable(row));
    rows.map(|(id, _)| id).collect()
}

/// By what an acknowledgement says the webhook is archived.
#[must_use]
pub fn delivery_id(acknowledgement: &Value) -> Option<String> {
    Some(acknowledgement["delivery_id"].as_str()?.to_owned())
}
