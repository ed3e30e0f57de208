//! Links take turns: one that is slow, large or hangs keeps the others waiting for seconds.

use std::time::{Duration, Instant};

use aws_lambda_events::sqs::SqsMessage;
use domain::{RequestId, Status, Verdict};
use serde_json::json;

use crate::worker::{AMPLE, Worker, id, invoke, webhook};

/// A link, and the request that its webhook answers.
struct Announced {
    link: String,
    id: String,
}

impl Announced {
    async fn of(worker: &Worker, rows: u64) -> Self {
        Self {
            link: worker.link(rows).await,
            id: id(),
        }
    }

    /// The same of January, and of a Belvo that takes this long to answer about the link.
    async fn slow(worker: &Worker, rows: u64, delay: Duration) -> Self {
        let announced = Self::of(worker, rows).await;
        let rule = json!({
            "on": "get",
            "link": announced.link,
            "action": {"delay_ms": u64::try_from(delay.as_millis()).unwrap()},
        });
        worker.here.sandbox.rule(rule).await.unwrap();
        worker.issue(&announced.link, &announced.id, 0).await;
        announced
    }

    async fn enqueue(&self, worker: &Worker) {
        let webhook = webhook(&self.link, "historical_update", Some(&self.id));
        worker.enqueue(&webhook).await;
    }

    async fn is_collected(&self, worker: &Worker) -> Option<()> {
        let id = RequestId::parse(&self.id).unwrap();
        let record = worker.app.control.requests.get(&id).await.unwrap()?;
        (record.status() == Status::Collected).then_some(())
    }
}

/// How often Belvo was asked about a link.
async fn gets(worker: &Worker, link: &str) -> u64 {
    let counters = worker.here.sandbox.counters().await.unwrap();
    counters["links"][link]["gets"].as_u64().unwrap_or(0)
}

/// Links that hang and large ones, with a webhook for each: of ten that are received together, one
/// is large.
async fn busy(worker: &Worker) -> (Vec<Announced>, [Announced; 2]) {
    let mut hanging = Vec::new();
    for _ in 0..12 {
        hanging.push(Announced::slow(worker, 20, Duration::from_secs(25)).await);
    }
    let large = [
        Announced::of(worker, 50_000).await,
        Announced::of(worker, 50_000).await,
    ];
    for (large, hanging) in large.iter().zip([&hanging[..9], &hanging[9..]]) {
        large.enqueue(worker).await;
        for hanging in hanging {
            hanging.enqueue(worker).await;
        }
    }
    (hanging, large)
}

/// A small link is announced when both large ones are being read.
async fn a_small_link_behind(worker: &Worker, hanging: &[Announced], large: &[Announced; 2]) {
    let small = Announced::of(worker, 20).await;
    test_harness::eventually("both large links to be read", async || {
        let [one, other] = large.each_ref().map(|large| gets(worker, &large.link));
        (one.await > 0 && other.await > 0).then_some(())
    })
    .await;

    let announced = Instant::now();
    small.enqueue(worker).await;
    let collected = async || small.is_collected(worker).await;
    test_harness::eventually("the small link's rows", collected).await;
    let waited = announced.elapsed();
    eprintln!("the small link waited {:.1} s", waited.as_secs_f64());
    assert!(waited < Duration::from_secs(15), "{waited:?}");

    worker.here.sandbox.forget_rules().await.unwrap();
    for link in hanging {
        let collected = async || link.is_collected(worker).await;
        test_harness::eventually("a link that hung", collected).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_link_waits_seconds_for_links_that_hang_and_for_large_ones() {
    let worker = Worker::with_own_tables().await;
    let environments = [worker.environment().await, worker.environment().await];
    let (hanging, large) = busy(&worker).await;
    let [one, other] = environments.each_ref().map(|app| worker.serve(app));
    tokio::select! {
        () = a_small_link_behind(&worker, &hanging, &large) => {}
        never = one => match never {},
        never = other => match never {},
    }
}

/// A worker whose turns end at once, in parts of ten rows.
async fn with_short_turns() -> Worker {
    let mut worker = Worker::with_pages_of(10).await.in_own_tables().await;
    worker.app.turn = Duration::ZERO;
    worker
}

#[tokio::test]
async fn every_link_of_a_batch_gets_on_at_the_shipped_pace() {
    let worker = Worker::with_own_tables().await;
    let app = worker.environment().await;
    let large = Announced::of(&worker, 50_000).await;
    let small = Announced::of(&worker, 3_000).await;
    large.enqueue(&worker).await;
    small.enqueue(&worker).await;
    let batch = worker.waiting().await;
    let served = invoke(&app, batch, Duration::from_mins(5));
    let collected = test_harness::eventually("the smaller link's rows", async || {
        small.is_collected(&worker).await
    });
    tokio::select! {
        _ = served => {}
        () = collected => {}
    }
    small.is_collected(&worker).await.expect("collected");
}

fn received_again(mut messages: Vec<SqsMessage>) -> Vec<SqsMessage> {
    for message in &mut messages {
        let receives = ("ApproximateReceiveCount".to_owned(), "2".to_owned());
        message.attributes.extend([receives]);
    }
    messages
}

#[tokio::test]
async fn a_collection_goes_on_while_nobody_waits() {
    let worker = with_short_turns().await;
    let announced = Announced::of(&worker, 100).await;
    announced.enqueue(&worker).await;
    assert_eq!(worker.process_everything().await, 1);
    assert_eq!(announced.is_collected(&worker).await, Some(()));
}

#[tokio::test]
async fn a_collection_lets_others_pass_and_goes_on_where_it_stopped() {
    let worker = with_short_turns().await;
    let [large, small] = [
        Announced::of(&worker, 100).await,
        Announced::of(&worker, 5).await,
    ];
    // Until the queue has said that another message waits.
    let slower = json!({"on": "get", "link": large.link, "action": {"delay_ms": 200}});
    worker.here.sandbox.rule(slower).await.unwrap();
    large.enqueue(&worker).await;
    let messages = worker.waiting().await;
    small.enqueue(&worker).await;

    assert!(worker.invoke(messages, AMPLE).await.is_empty());

    let waiting = worker.waiting().await;
    let groups = waiting
        .iter()
        .map(|message| &message.attributes["MessageGroupId"]);
    assert!(groups.eq([&small.link, &large.link]));
    assert!(worker.invoke(waiting, AMPLE).await.is_empty());
    worker.process_everything().await;
    small.is_collected(&worker).await.expect("collected");
    let record = worker.record(&large.id).await;
    let verdict = record.verdict();
    let tally = record.collection.unwrap().tally;
    assert_eq!((verdict, tally.new), (Some(Verdict::Complete), 100));
}

#[tokio::test]
async fn a_page_that_takes_long_is_given_up_while_others_wait_and_read_the_next_time() {
    let worker = with_short_turns().await;
    let slow = Announced::slow(&worker, 5, Duration::from_secs(7)).await;
    slow.enqueue(&worker).await;
    let messages = worker.waiting().await;
    Announced::of(&worker, 5).await.enqueue(&worker).await;

    let retried = worker.invoke(messages, AMPLE).await;
    assert_eq!(retried.len(), 1, "others wait");
    let again = received_again(retried);
    assert!(worker.invoke(again, AMPLE).await.is_empty());
    worker.process_everything().await;
    slow.is_collected(&worker).await.expect("collected");
}

#[tokio::test]
async fn a_page_that_takes_long_is_waited_for_while_nobody_else_waits() {
    let worker = with_short_turns().await;
    let slow = Announced::slow(&worker, 5, Duration::from_secs(7)).await;
    slow.enqueue(&worker).await;
    assert_eq!(worker.process_everything().await, 1);
    slow.is_collected(&worker).await.expect("collected");
}
