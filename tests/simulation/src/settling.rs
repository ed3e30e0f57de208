//! Bringing a run to rest, and what must hold then.

use std::{collections::BTreeMap, time::Duration};

use reqwest::StatusCode;
use serde_json::Value;
use test_harness::{
    Follower, Link,
    invariants::{self, Acknowledged, announce, has_collected_all},
};
use tokio::time::{Instant, sleep};

use crate::{
    aws::tables,
    complete,
    settings::{LONG_RETRIEVALS, REQUEST_DUE_S, REQUEST_EXPIRES_S},
    users::Users,
};

/// In this time every message has been processed, once nothing goes wrong: a message of a killed
/// function stays hidden for half an hour, a link is asked four times at most.
const SETTLED_IN: Duration = Duration::from_hours(6);
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// In this time a deletion is confirmed: it is checked half an hour later, and then again.
pub(crate) const DELETED_IN: Duration = Duration::from_mins(70);
/// In this time, whatever was recorded has its event.
const PUBLISHED_IN: Duration = Duration::from_mins(1);

/// Waits until the queues are empty; dead letters are moved back.
async fn calm(users: &Users<'_>) {
    let began = Instant::now();
    loop {
        users.redrive();
        if users.world.queues.count() == 0 {
            return;
        }
        assert!(
            began.elapsed() < SETTLED_IN,
            "{} messages are left after {SETTLED_IN:?}",
            users.world.queues.count()
        );
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Ends all trouble, sends a webhook for every link, and waits until each request has ended; twice
/// if there are several links, because what is marked in one depends on what another has become.
/// Returns what was acknowledged meanwhile.
pub(crate) async fn settle(users: &Users<'_>, links: &[Link<'_>]) -> Acknowledged {
    users.world.calm();
    users
        .stack
        .sandbox
        .forget_rules()
        .await
        .expect("the sandbox answers");
    calm(users).await;
    // Whatever nobody announced is checked meanwhile, and has expired.
    sleep(if users.have_deleted() {
        DELETED_IN
    } else {
        Duration::from_secs(2 * REQUEST_DUE_S + REQUEST_EXPIRES_S)
    })
    .await;
    calm(users).await;
    for link in links {
        complete::check(users, link).await;
    }

    let mut acknowledged = Acknowledged::new();
    for _ in 0..links.len().min(2) {
        for link in links {
            let authorization = users.world.secrets.authorization();
            let id = announce(users.stack, link, &authorization, &mut acknowledged).await;
            calm(users).await;
            has_collected_all(users.stack, link, &id).await;
        }
    }
    sleep(PUBLISHED_IN).await;
    acknowledged
}

/// Parts the links into those that are there and those that somebody deleted.
pub(crate) async fn living<'a>(users: &Users<'a>) -> (Vec<Link<'a>>, Vec<Link<'a>>) {
    let (mut living, mut deleted) = (Vec::new(), Vec::new());
    for link in users.links() {
        let answer = users.stack.get(&format!("/links/{}", link.id)).await;
        // Nothing is known of a link of which nobody has told.
        let known = [StatusCode::OK, StatusCode::NOT_FOUND];
        assert!(known.contains(&answer.status), "{answer:?}");
        if answer.body["deletion"].is_object() {
            deleted.push(link);
        } else {
            living.push(link);
        }
    }
    (living, deleted)
}

/// Everything that must hold once a run is at rest.
pub(crate) async fn check(
    users: &Users<'_>,
    (living, deleted): (&[Link<'_>], &[Link<'_>]),
    acknowledged: &Acknowledged,
    follower: &Follower,
    logs: &str,
) {
    invariants::check(users.stack, living, acknowledged, follower, logs).await;
    let all: Vec<_> = living.iter().chain(deleted).collect();
    for link in &all {
        every_request_has_ended(users, link).await;
    }
    no_retrieval_was_sent_in_vain(users, &all).await;
    for id in users.accepted() {
        let record = users.stack.get(&format!("/requests/{id}")).await;
        assert_eq!(record.status, StatusCode::OK, "accepted and lost: {id}");
    }
    for link in living {
        nothing_was_removed_in_vain(users, link, follower);
    }
    for link in deleted {
        is_deleted(users, link).await;
    }
    events_tell_the_latest(users, living).await;
    assert_eq!(users.world.strayed.get(), 0, "I8: another host was called");
    let violations = users.world.belvo.violations();
    assert!(
        violations.is_empty(),
        "Belvo does not document: {violations:?}"
    );
    assert!(!logs.contains("canary"), "I7: a row was logged");
    let authorization = users.world.secrets.authorization();
    assert!(!logs.contains(&authorization), "I7: a secret was logged");
}

/// I5, and each end has an event.
async fn every_request_has_ended(users: &Users<'_>, link: &Link<'_>) {
    let events = users.world.bus.about(&link.id);
    for record in users.requests_of(link).await {
        let ended = ["collected", "failed", "incomplete", "expired"];
        let has_ended = ended.iter().any(|status| record["status"] == *status);
        assert!(has_ended, "I5: {record}");
        let name = format!("request.{}", record["status"].as_str().unwrap_or_default());
        let is_of_it =
            |event: &&Value| event["type"] == name.as_str() && event["request"] == record["id"];
        assert!(
            events.iter().any(|event| is_of_it(&event)),
            "no event of {record}: {events:?}"
        );
    }
}

/// I6: no more retrievals of a link than somebody asked for, and with those that are counted with
/// them than Belvo allows.
async fn no_retrieval_was_sent_in_vain(users: &Users<'_>, links: &[&Link<'_>]) {
    let mut of_holders: BTreeMap<String, u64> = BTreeMap::new();
    for link in links {
        let (retrievals, asked) = (link.retrievals().await, users.asked(&link.id));
        assert!(
            retrievals <= asked,
            "I6: {retrievals} retrievals, {asked} asked for"
        );
        *of_holders.entry(users.quota_holder(link)).or_default() += retrievals;
    }
    let most = of_holders.into_values().max().unwrap_or_default();
    assert!(most <= LONG_RETRIEVALS.into(), "I6: {most} retrievals");
}

/// I4: the consumer was never without a row that Belvo has.
fn nothing_was_removed_in_vain(users: &Users<'_>, link: &Link<'_>, follower: &Follower) {
    for row in follower.removed(link) {
        let is_gone = users.world.belvo.has_deleted(row);
        assert!(is_gone, "I4: {row} is not gone");
    }
}

/// Nothing is left of rows that were to be erased.
pub(crate) async fn is_deleted(users: &Users<'_>, link: &Link<'_>) {
    let record = users.stack.get(&format!("/links/{}", link.id)).await.body;
    let at_belvo = users.stack.sandbox.rows(&link.id).await;
    assert!(at_belvo.is_err(), "still at Belvo: {}", link.id);
    let deletion = &record["deletion"];
    assert!(
        !deletion["deleted_at"].is_null(),
        "not known to be deleted: {record}"
    );
    if deletion["rows"] == "erase" {
        assert!(!deletion["erased_at"].is_null(), "not erased: {record}");
        let mut left = tables::items_of(&users.world.tables, &link.id);
        // What tells those who follow the link that it was erased.
        left.retain(|item| item["_item"]["S"] != "C" && item["_erased"].is_null());
        assert!(left.is_empty(), "not erased: {left:?}");
    }
}

/// The latest event of a link has its latest news.
async fn events_tell_the_latest(users: &Users<'_>, links: &[Link<'_>]) {
    let page = users.stack.get("/changes?limit=100").await.body;
    let latest = |link: &str| {
        let all = page["links"].as_array().into_iter().flatten();
        let mut of_link = all.filter(|news| news["link"] == link);
        of_link.find_map(|news| news["sequence"].as_u64())
    };
    for link in links {
        let events = users.world.bus.about(&link.id);
        let published = events
            .iter()
            .filter_map(|event| event["sequence"].as_u64())
            .max();
        assert_eq!(
            published,
            latest(&link.id),
            "the latest news of {}",
            link.id
        );
    }
}
