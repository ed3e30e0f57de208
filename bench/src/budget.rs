//! What a collection and a delivery may ask for: a change that asks for more fails here, in every
//! test run, and not only when somebody measures. The figures are in `bench/budget.json`, the units
//! with a few for rows that are larger by chance; lower them when a change asks for less.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Bytes;
use collect::{KnownByResource, RetryPolicy, TURN};
use domain::{
    Comparison, Days, Deadlines, Filter, LinkId, Observation, QuotaHolder, Resource,
    RetrievalClass, ScrubPeriod, Timestamp, UnknownLinks, WebhookId, WebhookOutcome,
};
use function_processes::events;
use lambda_http::tracing::{
    self,
    subscriber::{filter::LevelFilter, registry, util::SubscriberInitExt},
};
use serde::Deserialize;
use serde_json::json;
use shared::{
    aws::{CallBudget, SdkConfig, sdk_config},
    belvo::Client,
    queue::{DeadLetters, Queue},
    secret::CachedSecret,
    store::{Control, ProcessedWebhook, Reservation, Rows, TransactionsTable},
    telemetry,
};

use crate::{
    collections::{Counts, Step, counts},
    report::costs::{Followers, LogBytes},
    world::World,
};

/// Rows of the window: one full page.
pub(crate) const ROWS: usize = 1_000;

/// The most that may be asked for.
#[derive(Deserialize)]
pub(crate) struct Budget {
    collections: BTreeMap<Step, Bound>,
    pub(crate) followers: Followers,
    webhooks: BoundOfArchive,
    write_units_of_a_counted_retrieval: f64,
    sqs_requests_of_a_delivery: u64,
    log_bytes: LogBytes,
}

/// The most of a collection of [`ROWS`] rows.
#[derive(Deserialize)]
struct Bound {
    gets: u64,
    aws_requests: u64,
    write_units: f64,
    write_units_of_the_record: f64,
    read_units: f64,
}

/// The most of the archive of webhooks, for each of them.
#[derive(Deserialize)]
struct BoundOfArchive {
    write_units: f64,
    read_units: f64,
}

impl Budget {
    pub(crate) fn committed() -> Self {
        serde_json::from_str(include_str!("../budget.json")).unwrap()
    }
}

/// On a machine that is busy with other tests, a call that takes seconds is not made again: it
/// would count twice.
const UNHURRIED: CallBudget = CallBudget {
    call: Duration::from_mins(5),
    attempt: Duration::from_mins(2),
};

fn aws(world: &World) -> SdkConfig {
    sdk_config(UNHURRIED)
        .unwrap()
        .into_builder()
        .endpoint_url(world.aws.url())
        .build()
}

/// The function `collect` in this process.
pub(crate) fn collect(world: &World) -> collect::App {
    let aws = aws(world);
    let keys = CachedSecret::new(&aws, "belvo".to_owned());
    collect::App {
        belvo: Client::new(world.belvo.url().parse().unwrap(), keys).unwrap(),
        control: Control::open(&aws, world.aws.requests_table.clone()),
        transactions: TransactionsTable::open(&aws, world.aws.transactions_table.clone()),
        queue: Queue::new(&aws, "http://127.0.0.1/queue.fifo".to_owned()),
        dead_letters: DeadLetters::new(&aws, "http://127.0.0.1/dead-letters.fifo".to_owned()),
        deadlines: Deadlines {
            due_s: 1_800,
            expires_s: 86_400,
        },
        retry_policy: RetryPolicy {
            attempts: 30,
            longest_wait: Duration::from_mins(15),
        },
        scrubs: ScrubPeriod::of_days(7),
        turn: TURN,
        unknown_links: UnknownLinks::Collect,
        known_fields: KnownByResource::default(),
    }
}

#[tokio::test]
async fn a_collection_asks_for_no_more_than_is_committed() {
    let world = World::plain().await.unwrap();
    let (collect, link) = (collect(&world), world.belvo.link(ROWS).await.unwrap());
    collect.belvo.warm_up().await;
    for step in Step::ALL {
        let event = step.happen(&world, &link, ROWS).await.unwrap();
        world.aws.take_asked();
        let gets_before = world.belvo.gets().await.unwrap();

        let event = serde_json::from_slice(&event).unwrap();
        let response = collect::handle(&collect, event, Duration::from_mins(5)).await;

        assert!(response.batch_item_failures.is_empty(), "{step:?}");
        let gets = world.belvo.gets().await.unwrap() - gets_before;
        let asked = counts(&world, gets, world.aws.take_asked(), None);
        assert_within(step, &asked, &Budget::committed().collections[&step]);
    }
}

fn assert_within(step: Step, asked: &Counts, bound: &Bound) {
    let requests: u64 = asked.requests.values().sum();
    assert!(asked.gets <= bound.gets, "{step:?}: {} GETs", asked.gets);
    assert!(
        requests <= bound.aws_requests,
        "{step:?}: {:?}",
        asked.requests
    );
    for (what, units, most) in [
        ("write units of rows", asked.write_units, bound.write_units),
        (
            "write units of the record",
            asked.write_units_of_the_record,
            bound.write_units_of_the_record,
        ),
        ("read units", asked.read_units, bound.read_units),
    ] {
        assert!(
            units <= most,
            "{step:?}: {units} {what}, and no more than {most} are committed"
        );
    }
}

/// The function `webhook` in this process.
async fn webhook(world: &World) -> webhook::App {
    let aws = aws(world);
    let app = webhook::App {
        queue: Queue::new(&aws, "http://127.0.0.1/queue.fifo".to_owned()),
        secret: CachedSecret::new(&aws, "webhook".to_owned()),
        ack_status: lambda_http::http::StatusCode::ACCEPTED,
        allowed_source_ips: vec![],
    };
    app.secret.get().await.unwrap();
    app
}

async fn deliver(app: &webhook::App) {
    let event = events::good_delivery("57a2fbe1-84ac-4ebd-9893-7dd181a3caec");
    let event = lambda_http::request::from_str(std::str::from_utf8(&event).unwrap()).unwrap();
    let answer = webhook::handle(app, event).await;
    assert_eq!(answer.status(), 202);
}

/// Counts what is written.
struct Count(Arc<AtomicUsize>);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes that a function logs during a call.
///
/// While there is one subscriber alone, tracing asks the thread that first reaches a line whether
/// it wants that line, and remembers the answer for all threads. Those of other tests want none, so
/// there are two subscribers.
async fn logged(function: &'static str, call: impl Future<Output = ()>) -> usize {
    let bytes = Arc::<AtomicUsize>::default();
    let written = Arc::clone(&bytes);
    let lines = telemetry::lines(function, LevelFilter::INFO, move || {
        Count(Arc::clone(&written))
    });
    let second = registry().set_default();
    let until_dropped = lines.set_default();
    call.await;
    drop(until_dropped);
    drop(second);
    bytes.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_line_that_another_test_reached_first_is_counted() {
    let line = || tracing::info!("a line");
    let call = async {
        std::thread::spawn(line).join().unwrap();
        line();
    };
    assert!(logged("bench", call).await > 0);
}

/// What is logged is billed by the byte: `report/costs.rs` has the price.
#[tokio::test]
async fn no_more_is_logged_than_is_committed() {
    let world = World::plain().await.unwrap();
    let bound = Budget::committed().log_bytes;
    let (webhook, collect) = (webhook(&world).await, collect(&world));
    let link = world.belvo.link(ROWS).await.unwrap();
    let invoke = async |event: Bytes| {
        let event = serde_json::from_slice(&event).unwrap();
        let response = collect::handle(&collect, event, Duration::from_mins(5)).await;
        assert!(response.batch_item_failures.is_empty());
    };
    invoke(Step::First.happen(&world, &link, ROWS).await.unwrap()).await;

    let sweep = events::sent(&json!({"kind": "sweep", "at": "2026-03-01T00:00:00Z"}));
    let refresh = Step::Refresh.happen(&world, &link, ROWS).await.unwrap();
    for (what, bytes, most) in [
        (
            "delivery",
            logged("webhook", deliver(&webhook)).await,
            bound.delivery,
        ),
        (
            "refresh",
            logged("collect", invoke(refresh)).await,
            bound.refresh,
        ),
        ("sweep", logged("collect", invoke(sweep)).await, bound.sweep),
    ] {
        assert!(
            bytes > 0 && u32::try_from(bytes).unwrap() <= most,
            "{what}: {bytes} bytes, and {most} are committed"
        );
    }
}

#[tokio::test]
async fn a_delivery_is_one_request_to_the_queue() {
    let world = World::plain().await.unwrap();
    let app = webhook(&world).await;
    world.aws.take_asked();

    deliver(&app).await;

    let asked = world.aws.take_asked();
    assert!(asked.requests("SendMessage") <= Budget::committed().sqs_requests_of_a_delivery);
    assert_eq!(asked.requests.len(), 1, "{:?}", asked.requests);
}

/// One for the counter, and one for its place in the listing of the month.
#[tokio::test]
async fn counting_a_retrieval_costs_what_is_committed() {
    let world = World::plain().await.unwrap();
    let control = Control::open(&aws(&world), world.aws.requests_table.clone());
    let at = Timestamp::parse("2026-03-15T00:00:00.000Z").unwrap();
    // As many links as one customer hardly has.
    for _ in 0..10 {
        let link = LinkId::parse(&uuid::Uuid::new_v4().to_string()).unwrap();
        let holder = QuotaHolder::customer("a user of a bank", link);
        world.aws.take_asked();
        let reserved = control
            .quotas
            .reserve(&holder, RetrievalClass::Long, 99, at);
        let granted = reserved.await.unwrap();
        assert!(matches!(granted, Reservation::Granted { .. }));
        let written = world.aws.take_asked().written(&world.aws.requests_table);
        let most = Budget::committed().write_units_of_a_counted_retrieval;
        assert!(written > 0.0 && written <= most, "{written}");
    }
}

/// A webhook of an unknown type leads to nothing else, so that all that is asked for is for the
/// archive.
#[tokio::test]
async fn a_webhook_and_its_redelivery_cost_what_is_committed_for_the_archive() {
    let world = World::plain().await.unwrap();
    let (collect, link) = (collect(&world), uuid::Uuid::new_v4().to_string());
    let webhook = events::webhook_of("OWNERS", &link);
    for received_at in ["2026-03-01T00:00:00.000Z", "2026-03-01T00:10:00.000Z"] {
        let event = events::delivered_at(&webhook, received_at);
        let event = serde_json::from_slice(&event).unwrap();
        world.aws.take_asked();
        let response = collect::handle(&collect, event, Duration::from_mins(5)).await;
        assert!(response.batch_item_failures.is_empty(), "{received_at}");
        assert_archive_within(&world, received_at);
    }
}

#[tokio::test]
async fn the_documented_webhook_of_a_collection_fits_into_the_archives_budget() {
    let world = World::plain().await.unwrap();
    let control = Control::open(&aws(&world), world.aws.requests_table.clone());
    let link = LinkId::parse(&uuid::Uuid::new_v4().to_string()).unwrap();
    let at = Timestamp::parse("2026-03-01T00:00:00.000Z").unwrap();
    let outcome = WebhookOutcome::Collected {
        rows: 100_000,
        written: 100_000,
        deleted: 1_000,
        missing: 1_000,
        verdict: "short by 1000".to_owned(),
    };
    let processed = ProcessedWebhook {
        id: WebhookId::at(&"0".repeat(64), at),
        link: &link,
        body: &events::webhook(link.as_str()).to_string(),
        received_at: at,
        replayed_at: Some(at),
        ended_at: at,
        outcome: &outcome,
    };
    control.webhooks.processed(&processed).await.unwrap();
    assert_archive_within(&world, "a collection");
}

fn assert_archive_within(world: &World, what: &str) {
    let (asked, bound) = (world.aws.take_asked(), Budget::committed().webhooks);
    let written = asked.written(&world.aws.requests_table);
    assert!(
        written > 0.0 && written <= bound.write_units,
        "{what}: {written}"
    );
    assert!(asked.read() <= bound.read_units, "{what}: {}", asked.read());
}

/// What a listing of the past reads: leaves of the index, the rows of its page, and one earlier
/// version of each, however many there are.
#[tokio::test]
async fn a_listing_of_the_past_reads_what_it_shows() {
    const LIMIT: u16 = 10;
    let world = World::plain().await.unwrap();
    let table = TransactionsTable::open(&aws(&world), world.aws.transactions_table.clone());
    let rows = table.rows(Resource::TRANSACTIONS);
    let at = |minute: u32| Timestamp::parse(&format!("2026-03-01T00:{minute:02}:00Z")).unwrap();

    let mut read = Vec::new();
    for versions in [2, 20] {
        let link = LinkId::parse(&uuid::Uuid::new_v4().to_string()).unwrap();
        for version in 0..versions {
            store_version(&rows, &link, version, at(version)).await;
        }
        world.aws.take_asked();
        let filter = Filter::default();
        let listed = rows.list_as_of(&link, &filter, at(0), None, LIMIT).await;
        let (listed, _) = listed.unwrap();
        assert_eq!(listed.len(), usize::from(LIMIT));
        assert!(
            listed
                .iter()
                .all(|listed| test_harness::json_of(&listed.row)["description"] == "0")
        );
        read.push(world.aws.take_asked().read());
    }
    let page = f64::from(LIMIT);
    assert!(
        read[0] <= 2.0 * page + 4.0,
        "{read:?} units for {page} rows"
    );
    assert!(read[1] <= read[0], "{read:?}: more versions, more units");
}

/// Stores fifty rows as they are in one of their versions.
async fn store_version(rows: &Rows, link: &LinkId, version: u32, at: Timestamp) {
    let page = (0..50).map(|id| {
        let row = json!({
            "id": format!("row-{id:02}"), "value_date": "2026-01-01",
            "description": version.to_string(),
        });
        test_harness::taken_apart(&row).0
    });
    let known = rows.known(link, Days::ALL, None).await.unwrap();
    let changes = Comparison::new(known).changes(page.collect());
    let seen = Observation { at, request: None };
    rows.put(link, &changes, &seen).await.unwrap();
}
