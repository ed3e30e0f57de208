//! The archive of webhooks: each is kept with what became of it, recognised when it is delivered
//! again, and processed again when somebody asks for it.

use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use collect::{App, TIME_TO_RELEASE};
use domain::{LinkId, Status, Timestamp, WebhookOutcome};
use lambda_http::http::Method;
use serde_json::{Value, json};
use shared::{
    queue::{Delivery, Task},
    store::{ArchivedWebhook, Control},
};

use crate::{
    changes,
    service::Service,
    surroundings::{api_call, kind, read_of},
    worker::{AMPLE, Worker, id, invoke, webhook},
};

/// The archived webhooks of a link, newest first.
pub(crate) async fn archived(worker: &Worker, link: &str) -> Vec<ArchivedWebhook> {
    let link = LinkId::parse(link).unwrap();
    let webhooks = &worker.app.control.webhooks;
    webhooks.of_link(&link, None, 500).await.unwrap().0
}

/// What became of the webhooks of a link, newest first.
pub(crate) async fn outcomes(worker: &Worker, link: &str) -> Vec<&'static str> {
    let archived = archived(worker, link).await;
    let names = archived.iter().map(|webhook| webhook.outcome.name());
    names.collect()
}

/// Puts a webhook into the queue that was received this many seconds from now, as long after an
/// earlier delivery that SQS does not know it any more.
async fn deliver(worker: &Worker, webhook: &Value, seconds: i64) {
    let at = Timestamp::now().plus_seconds(seconds);
    let delivery = Delivery::new(&webhook.to_string(), "gateway", at).unwrap();
    let link = delivery.webhook.link.to_string();
    let task = serde_json::to_string(&Task::Webhook(delivery)).unwrap();
    worker.enqueue_text(&link, &task).await;
}

async fn process(worker: &Worker, webhook: &Value, seconds: i64) {
    deliver(worker, webhook, seconds).await;
    worker.process_everything().await;
}

async fn gets(worker: &Worker) -> Value {
    worker.here.sandbox.counters().await.unwrap()["gets"].clone()
}

fn of_type(mut webhook: Value, webhook_type: &str) -> Value {
    webhook["webhook_type"] = json!(webhook_type);
    webhook
}

fn failed(mut webhook: Value) -> Value {
    webhook["data"] = json!({"errors": [{"code": "login_error", "message": "m"}]});
    webhook
}

#[tokio::test]
async fn every_webhook_is_archived_with_what_became_of_it() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(20).await;
    let named = || webhook(&link, "historical_update", Some(&id()));
    let unnamed = webhook(&link, "transactions_updated", None);
    for (webhook, outcome) in [
        (named(), "collected"),
        (unnamed.clone(), "collected"),
        (failed(named()), "failed"),
        (failed(unnamed.clone()), "failed"),
        (of_type(unnamed.clone(), "ACCOUNTS"), "noted"),
        (of_type(unnamed.clone(), "OWNERS"), "noted"),
        (of_type(unnamed, "LINK"), "noted"),
    ] {
        let before = archived(&worker, &link).await.len();
        process(&worker, &webhook, 0).await;
        let archived = archived(&worker, &link).await;
        assert_eq!(archived.len(), before + 1, "{webhook}");
        let latest = &archived[0];
        assert_eq!(latest.outcome.name(), outcome, "{webhook}");
        assert_eq!(latest.body, webhook.to_string());
        assert_eq!((latest.deliveries, latest.replayed_at), (1, None));
    }
}

#[tokio::test]
async fn a_collection_is_archived_with_what_it_found() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(20).await;
    let mut webhook = webhook(&link, "historical_update", Some(&id()));
    webhook["data"] = json!({"total_transactions": 20});
    process(&worker, &webhook, 0).await;
    let found = WebhookOutcome::Collected {
        rows: 20,
        written: 20,
        deleted: 0,
        missing: 0,
        verdict: "complete".to_owned(),
    };
    assert_eq!(archived(&worker, &link).await[0].outcome, found);
}

#[tokio::test]
async fn a_webhook_that_names_a_request_costs_no_second_fetch_when_it_is_delivered_again() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(20).await;
    let webhook = webhook(&link, "historical_update", Some(&id()));
    process(&worker, &webhook, 0).await;
    let before = gets(&worker).await;

    deliver(&worker, &webhook, 600).await;
    let redelivered = worker.waiting().await;
    // The queue may deliver the message itself twice as well.
    for _ in 0..2 {
        let failed = worker.invoke(redelivered.clone(), AMPLE).await;
        assert!(failed.is_empty());
    }

    assert_eq!(gets(&worker).await, before);
    let archived = archived(&worker, &link).await;
    let [one] = archived.as_slice() else {
        panic!("{archived:?}")
    };
    assert_eq!(one.deliveries, 2);
    assert!(one.received_at < one.last_received_at);
    assert_eq!(one.outcome.name(), "collected");
}

#[tokio::test]
async fn a_webhook_that_names_no_request_is_news_each_time() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(20).await;
    let webhook = webhook(&link, "transactions_updated", None);
    process(&worker, &webhook, 0).await;
    let before = gets(&worker).await;
    process(&worker, &webhook, 600).await;
    assert_ne!(gets(&worker).await, before);
    assert_eq!(outcomes(&worker, &link).await, ["collected", "collected"]);
}

#[tokio::test]
async fn a_webhook_whose_rows_are_missing_is_processed_when_it_is_delivered_again() {
    let mut worker = Worker::with_own_tables().await;
    worker.app.retry_policy.longest_wait = Duration::ZERO;
    let link = worker.link(20).await;
    let mut webhook = webhook(&link, "historical_update", Some(&id()));
    webhook["data"] = json!({"total_transactions": 22});
    deliver(&worker, &webhook, 0).await;
    assert!(
        worker
            .invoke(worker.waiting().await, AMPLE)
            .await
            .is_empty()
    );
    let waiting = archived(&worker, &link).await;
    assert!(waiting.is_empty(), "before its repetition: {waiting:?}");
    worker.process_everything().await;
    let outcome = archived(&worker, &link).await.remove(0).outcome;
    assert!(!outcome.is_settled(false), "{outcome:?}");

    let sandbox = &worker.here.sandbox;
    let added = sandbox.add_rows(&link, 2, Some("2026-01-10")).await;
    assert_eq!(added.unwrap().len(), 2);
    process(&worker, &webhook, 600).await;
    let archived = archived(&worker, &link).await.remove(0);
    assert!(archived.outcome.is_settled(false), "{archived:?}");
    assert_eq!(archived.deliveries, 2);
}

/// Two webhooks share a fetch, which one invocation does not finish.
#[tokio::test]
async fn a_continued_collection_archives_every_webhook_at_its_end() {
    let worker = Worker::with_pages_of(100).await.in_own_tables().await;
    let link = worker.link(400).await;
    let (id, other) = (id(), id());
    let outage = json!({"on": "get", "skip": 5, "action": {"hang": true}});
    worker.here.sandbox.rule(outage).await.unwrap();
    for request in [Some(id.as_str()), Some(&other), None] {
        deliver(&worker, &webhook(&link, "historical_update", request), 0).await;
    }
    let messages = worker.waiting().await;
    let time = TIME_TO_RELEASE + Duration::from_secs(8);
    assert!(worker.invoke(messages, time).await.is_empty());
    assert_eq!(outcomes(&worker, &link).await, [""; 0]);

    worker.here.sandbox.forget_rules().await.unwrap();
    worker.process_everything().await;
    assert_eq!(outcomes(&worker, &link).await, ["collected"; 3]);
}

#[tokio::test]
async fn a_dead_lettered_webhook_is_archived_and_processed_when_it_is_moved_back() {
    let mut worker = Worker::with_own_tables().await;
    worker.app.retry_policy.attempts = 1;
    let (link, id) = (worker.link(20).await, id());
    let outage = json!({"on": "get", "action": {"error": {"code": "unexpected_error"}}});
    worker.here.sandbox.rule(outage).await.unwrap();
    process(&worker, &webhook(&link, "historical_update", Some(&id)), 0).await;
    assert_eq!(outcomes(&worker, &link).await, ["dead_lettered"]);

    worker.here.sandbox.forget_rules().await.unwrap();
    let dead = worker.dead_letters().await;
    assert!(worker.invoke(dead, AMPLE).await.is_empty());
    assert_eq!(worker.record(&id).await.status(), Status::Collected);
    assert_eq!(outcomes(&worker, &link).await, ["collected"]);
    assert_eq!(archived(&worker, &link).await[0].deliveries, 1);
}

/// The function with a control table that takes so many more writes.
async fn interrupted_after(worker: &Worker, writes: u32) -> App {
    let requests = worker.here.stack.requests_table.clone();
    App {
        control: Control::open(&worker.gated(writes).await, requests),
        ..worker.app.clone()
    }
}

#[tokio::test]
async fn a_webhook_whose_processing_is_interrupted_anywhere_ends_archived() {
    let worker = Worker::with_own_tables().await;
    for writes in 0.. {
        let (link, id) = (worker.link(5).await, id());
        let webhook = webhook(&link, "historical_update", Some(&id));
        deliver(&worker, &webhook, 0).await;
        let interrupted = interrupted_after(&worker, writes).await;
        let messages: Vec<SqsMessage> = worker.waiting().await;
        let failed = invoke(&interrupted, messages, AMPLE).await;
        let is_interrupted = !failed.is_empty();
        let so_far = archived(&worker, &link).await.len();
        assert_eq!(
            so_far,
            usize::from(!is_interrupted),
            "after {writes} writes"
        );

        assert!(worker.invoke(failed, AMPLE).await.is_empty());
        let archived = archived(&worker, &link).await.remove(0);
        assert_eq!(
            archived.outcome.name(),
            "collected",
            "after {writes} writes"
        );
        assert_eq!(archived.deliveries, 1);
        assert_eq!(worker.record(&id).await.status(), Status::Collected);
        if !is_interrupted {
            assert!(writes > 2, "every write was interrupted");
            return;
        }
    }
}

async fn replay(service: &Service, id: &str) -> (u16, Value) {
    let route = "/webhooks/{id}/replays";
    let call = api_call(&Method::POST, route, &json!({"id": id}), "", None);
    // The stack of a test is small.
    let answer = Box::pin(request::handle(&service.request, call)).await;
    read_of(&format!("POST {route}"), &answer)
}

#[tokio::test]
async fn a_replay_processes_an_archived_webhook_again_whatever_became_of_it() {
    let service = Service::new().await;
    let link = service.registered().await;
    let request = id();
    let webhook = webhook(&link, "historical_update", Some(&request));
    let worker = &service.worker;
    process(worker, &webhook, 0).await;
    let first = archived(worker, &link).await.remove(0);
    changes::add_rows(worker, &link, 3).await;
    let notified_at = worker.record(&request).await.facts().notified_at;

    // As often as somebody asks, although the bytes are the same.
    for rows in [43, 46] {
        let (status, accepted) = replay(&service, first.id.as_str()).await;
        assert_eq!(
            (status, &accepted["link"]),
            (202, &json!(link)),
            "{accepted}"
        );
        worker.process_everything().await;
        assert_eq!(service.rows(&link).await, rows);
        let [replayed] = &archived(worker, &link).await[..] else {
            panic!("one item")
        };
        assert_eq!(json!(replayed.replayed_at), accepted["replayed_at"]);
        assert_eq!(replayed.received_at, first.received_at);
        assert_eq!(
            (replayed.deliveries, replayed.outcome.name()),
            (1, "collected")
        );
        assert!(replayed.ended_at > first.ended_at);
        changes::add_rows(worker, &link, 3).await;
    }
    let record = worker.record(&request).await;
    assert_eq!(
        record.facts().notified_at,
        notified_at,
        "as it was received"
    );
}

/// What is archived of a webhook is its JSON without what surrounds it.
#[tokio::test]
async fn a_replay_is_of_the_webhook_that_was_received() {
    let service = Service::new().await;
    let link = service.registered().await;
    let worker = &service.worker;
    for request in [Some(id()), None] {
        let webhook = webhook(&link, "historical_update", request.as_deref());
        let text = format!("\n {webhook}\n");
        let delivery = Delivery::new(&text, "gateway", Timestamp::now()).unwrap();
        let webhook = delivery.webhook_id();
        let task = Task::Webhook(delivery);
        worker.app.queue.send(&task).await.unwrap();
        worker.process_everything().await;
        let before = archived(worker, &link).await.len();

        assert_eq!(replay(&service, webhook.as_str()).await.0, 202);
        worker.process_everything().await;
        let archived = archived(worker, &link).await;
        assert_eq!(archived.len(), before);
        assert!(archived[0].replayed_at.is_some());
    }
}

#[tokio::test]
async fn a_replayed_event_of_a_link_does_not_undo_what_is_known_since() {
    let service = Service::new().await;
    let link = service.registered().await;
    let worker = &service.worker;
    let blocks = crate::service::event(&link, "LINK", "token_required");
    process(worker, &blocks, 0).await;
    assert!(service.record(&link).await.block().is_some());
    service.register(&link, "mine").await;
    assert!(service.record(&link).await.block().is_none());

    let archived = archived(worker, &link).await.remove(0);
    assert_eq!(replay(&service, archived.id.as_str()).await.0, 202);
    worker.process_everything().await;
    assert!(service.record(&link).await.block().is_none());
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused() {
    let service = Service::new().await;
    let link = service.registered().await;
    let worker = &service.worker;
    process(worker, &webhook(&link, "historical_update", None), 0).await;
    let archived = archived(worker, &link).await.remove(0);
    let unknown = "0".repeat(64);
    for (id, status, problem) in [
        ("1", 400, "invalid-field"),
        (unknown.as_str(), 404, "not-found"),
    ] {
        let (answered, body) = replay(&service, id).await;
        assert_eq!((answered, kind(&body)), (status, Some(problem)), "{body}");
    }

    assert_eq!(service.delete(&link, "rows=keep").await.0, 202);
    let (status, body) = replay(&service, archived.id.as_str()).await;
    assert_eq!((status, kind(&body)), (409, Some("link-blocked")), "{body}");
}

#[tokio::test]
async fn webhooks_are_listed_without_and_shown_with_their_bodies() {
    let worker = Worker::with_own_tables().await;
    let (link, request) = (worker.link(5).await, id());
    let query = changes::query(&worker);
    let first = webhook(&link, "historical_update", Some(&request));
    process(&worker, &first, 0).await;
    // Text that is no Unicode is still JSON.
    let odd = webhook(&link, "transactions_updated", None).to_string();
    let odd = odd.replacen('{', r#"{"note":"\ud83d","#, 1);
    let delivery = Delivery::new(&odd, "gateway", Timestamp::now()).unwrap();
    worker
        .app
        .queue
        .send(&Task::Webhook(delivery))
        .await
        .unwrap();
    worker.process_everything().await;

    let get = async |route: &str, path: Value, parameters: &str| {
        let call = api_call(&Method::GET, route, &path, parameters, None);
        let answer = query::handle(&query, call).await;
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        (answer.status().as_u16(), text)
    };
    let listing = async |parameters: &str| {
        let (status, text) = get("/links/{link}/webhooks", json!({"link": link}), parameters).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let newest = listing("limit=1").await;
    let cursor = newest["next_cursor"].as_str().unwrap();
    let oldest = listing(&format!("limit=1&cursor={cursor}")).await;
    let (odd_one, named) = (&newest["webhooks"][0], &oldest["webhooks"][0]);
    assert_eq!(odd_one["webhook_code"], "transactions_updated");
    assert_eq!(
        (&named["request_id"], &named["body"]),
        (&json!(request), &Value::Null)
    );

    let id = |one: &Value| json!({"id": one["id"]});
    let (status, text) = get("/webhooks/{id}", id(odd_one), "").await;
    assert!(
        status == 200 && text.ends_with(&format!(r#""body":{odd}}}"#)),
        "{text}"
    );
    let (status, text) = get("/webhooks/{id}", id(named), "").await;
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &shown["body"]), (200, &first));
    assert_eq!(shown["outcome"]["status"], "collected");
    let unknown = json!({"id": "0".repeat(64)});
    assert_eq!(get("/webhooks/{id}", unknown, "").await.0, 404);
}
