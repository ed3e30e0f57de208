//! While a deployment shifts traffic, functions of two versions share the queue and the tables.
//! `tests/data/released` has what the last release wrote: messages, and one item of every kind.
//! This version must process them, and write nothing that the last release could not read. That
//! this version reads the items is tested in `store/golden.rs`.

use std::{collections::BTreeSet, fs, path::PathBuf};

use domain::{
    Comparison, Days, KnownVersion, LinkId, Next, Part, Progress, RequestId, Resource, Row,
    SentRow, Timestamp,
};
use serde_json::{Value, json};
use shared::queue::{Continuation, Coverage, Delivery, Task, TaskKind, Trigger};
use time::macros::date;

use crate::{
    surroundings::{LINK, REQUEST},
    worker::Worker,
};

const ADVICE: &str = "During a deployment, functions of the last release get the messages of this \
    one. A new field may be added if they can do without it; a new kind of message may be written \
    one release after it can be read.";

fn link() -> LinkId {
    LinkId::parse(LINK).unwrap()
}

fn request() -> RequestId {
    RequestId::parse(REQUEST).unwrap()
}

fn at(minute: i64) -> Timestamp {
    let noon = Timestamp::parse("2026-03-01T12:00:00.125Z").unwrap();
    noon.plus_seconds(minute * 60)
}

fn delivery(webhook_type: &str, code: &str, request: Option<&str>) -> Delivery {
    let body = json!({
        "webhook_id": "aadf41a1fc8e4f79a49f7f04027ac999",
        "webhook_type": webhook_type,
        "webhook_code": code,
        "link_id": LINK,
        "request_id": request,
        "external_id": "an id of the caller",
        "data": {"total_transactions": 120},
    });
    Delivery::new(&body.to_string(), "gateway", at(0)).unwrap()
}

fn january() -> Days {
    Days::between(date!(2026 - 01 - 01), date!(2026 - 01 - 31))
}

fn row(id: &str) -> Row {
    Row::whole(SentRow::of(&json!({"id": id}).to_string()).unwrap()).unwrap()
}

/// A part that Belvo returned whole, with one row that was stored before and one that is new.
fn part(known: impl IntoIterator<Item = String>) -> Part {
    let mut part = Part::default();
    let stored = known.into_iter().map(|id| {
        let row = row(&id);
        let version = KnownVersion {
            digest: row.digest(),
            collected_at: None,
            deleted: false,
        };
        (row.id().clone(), version)
    });
    part.comparison = Comparison::new(stored);
    let _ = part.comparison.changes(vec![row("new")]);
    (part.pages, part.count, part.is_whole) = (1, 1, true);
    part
}

/// Divided, with one part fetched.
fn in_parts() -> Progress {
    let mut progress = Progress::new(Days::ALL, true, at(1));
    let february = Days::since(date!(2026 - 02 - 01));
    progress.divide(vec![january(), february], 3, Some(1));
    progress.fetched(&part([]));
    progress
}

/// Fetched, with so many stored rows that Belvo's listing lacks; one is known to be gone.
fn with_missing(rows: usize) -> Progress {
    let mut progress = Progress::new(january(), false, at(1));
    progress.fetched(&part(
        (0..rows).map(|row| format!("00000000-0000-4000-8000-0000000000{row:02}")),
    ));
    progress.end_pass(None);
    if let Next::Ask(ids) = progress.next() {
        progress.absent(&ids[0]);
    }
    progress
}

fn continuation(trigger: Trigger, progress: Progress) -> Task {
    Task::Continue(Box::new(Continuation {
        resource: Resource::TRANSACTIONS,
        link: link(),
        account: None,
        trigger,
        other_webhooks: vec![],
        requests: vec![],
        coverage: Coverage::Certain,
        not_before: None,
        progress,
    }))
}

/// A continuation with everything that one can have.
fn whole_continuation() -> Task {
    let announced = delivery("TRANSACTIONS", "historical_update", Some(REQUEST));
    let mut task = continuation(Trigger::Webhook(Box::new(announced)), in_parts());
    if let Task::Continue(whole) = &mut task {
        whole.other_webhooks = vec![delivery("TRANSACTIONS", "transactions_deleted", None)];
        whole.requests = vec![request()];
        whole.coverage = Coverage::Likely;
        whole.not_before = Some(at(2));
    }
    task
}

/// One of every kind, with every trigger and every stage among the continuations.
fn messages() -> Vec<(&'static str, Task)> {
    let (resource, link) = (Resource::TRANSACTIONS, link());
    let replayed = delivery("TRANSACTIONS", "historical_update", Some(REQUEST));
    let id = replayed.webhook_id();
    let replayed = replayed.replayed(&id, at(3));
    let asked = |days| Task::Collect {
        resource,
        link: link.clone(),
        days,
        at: at(1),
    };
    vec![
        (
            "webhook",
            Task::Webhook(delivery("TRANSACTIONS", "historical_update", Some(REQUEST))),
        ),
        ("webhook-replayed", Task::Webhook(replayed)),
        (
            "webhook-of-the-link",
            Task::Webhook(delivery("LINK", "token_required", None)),
        ),
        (
            "data-ready",
            Task::DataReady {
                resource,
                link: link.clone(),
                request: request(),
                at: at(1),
            },
        ),
        (
            "overdue",
            Task::CheckOverdue {
                resource,
                link: link.clone(),
                request: request(),
                next: at(31),
            },
        ),
        (
            "check-link",
            Task::CheckLink {
                resource,
                link: link.clone(),
            },
        ),
        ("collect", asked(Days::ALL)),
        ("collect-of-days", asked(january())),
        ("continuation", whole_continuation()),
        (
            "continuation-that-asks",
            continuation(Trigger::Asked { at: at(1) }, with_missing(2)),
        ),
        (
            "continuation-that-verifies",
            continuation(Trigger::DataReady { at: at(1) }, with_missing(51)),
        ),
        (
            "continuation-of-a-check",
            continuation(Trigger::Check, in_parts()),
        ),
        ("sweep", Task::Sweep),
        ("link-gone", Task::LinkGone { link: link.clone() }),
    ]
}

fn data(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(folder)
}

fn read(folder: &str, name: &str) -> Value {
    let text = fs::read_to_string(data(folder).join(format!("{name}.json"))).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The names of a folder's files.
fn names(folder: &str) -> BTreeSet<String> {
    let files = fs::read_dir(data(folder)).unwrap();
    let name = |file: fs::DirEntry| file.path().file_stem()?.to_str().map(str::to_owned);
    files.filter_map(|file| name(file.unwrap())).collect()
}

#[test]
fn messages_are_written_as_before() {
    let mut changed = Vec::new();
    for (name, task) in messages() {
        let message = serde_json::to_value(&task).unwrap();
        if read("messages", name) != message {
            let text = serde_json::to_string_pretty(&message).unwrap() + "\n";
            let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
            fs::write(folder.join(format!("{name}.json")), text).unwrap();
            changed.push(name);
        }
    }
    let folder = env!("CARGO_TARGET_TMPDIR");
    assert!(
        changed.is_empty(),
        "{changed:?}: {ADVICE} If that is so, copy the new message from {folder} over the golden \
         one."
    );
}

#[test]
fn every_kind_of_message_is_among_them() {
    let kinds: BTreeSet<_> = messages()
        .iter()
        .map(|(_, task)| task.kind().name())
        .collect();
    let all: BTreeSet<_> = TaskKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(kinds, all);
    let written: BTreeSet<_> = messages()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(
        written,
        names("messages"),
        "no file of a message that is not written"
    );
}

#[tokio::test]
async fn the_messages_of_the_last_release_are_processed() {
    for name in names("released/messages") {
        let worker = Worker::with_own_tables().await;
        let message = read("released/messages", &name);
        let understood = Task::parse(&message.to_string()).unwrap();
        let understood = serde_json::to_value(understood).unwrap();
        assert!(
            has_all_of(&understood, &message),
            "{name}: a field is ignored"
        );

        worker.enqueue_text(LINK, &message.to_string()).await;
        worker.process_everything().await;
        assert!(worker.dead_letters().await.is_empty(), "{name}");
    }
}

#[test]
fn the_last_release_can_read_what_this_version_writes() {
    for folder in ["messages", "items"] {
        for name in names(&format!("released/{folder}")) {
            let before = read(&format!("released/{folder}"), &name);
            let now = read(folder, &name);
            assert!(has_all_of(&now, &before), "{folder}/{name}.json: {ADVICE}");
        }
    }
    let new: Vec<_> = names("messages")
        .difference(&names("released/messages"))
        .cloned()
        .collect();
    assert!(
        new.is_empty(),
        "{new:?}: the last release does not know them. {ADVICE}"
    );
}

/// Whether a value has everything that another has, the same everywhere, and perhaps more fields.
fn has_all_of(now: &Value, before: &Value) -> bool {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => before
            .iter()
            .all(|(name, value)| now.get(name).is_some_and(|now| has_all_of(now, value))),
        (Value::Array(now), Value::Array(before)) => {
            now.len() == before.len()
                && now
                    .iter()
                    .zip(before)
                    .all(|(now, before)| has_all_of(now, before))
        }
        _ => now == before,
    }
}
