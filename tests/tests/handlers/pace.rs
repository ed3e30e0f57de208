//! What goes to Belvo stays below its limit, whatever asks for it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use collect::TIME_TO_RELEASE;
use domain::{LinkId, QuotaHolder, Status, Timestamp};
use futures::future::{join, join_all};
use lambda_http::Request;
use request::{App, handle};
use serde_json::json;
use shared::{aws::SdkConfig, belvo::Pace, store::Control};
use tokio::time::sleep;

use crate::{
    surroundings::{AMPLE_LIMITS, LINK, Surroundings, good_keys, http_event, kind, read},
    worker::{Worker, id, invoke, webhook},
};

/// As shipped (template.yaml).
const COLLECT_CALLS: u32 = 30;
const REQUEST_CALLS: u32 = 20;
/// Belvo's limit for an address in 30 seconds.
const BELVOS_LIMIT: u32 = 80;
/// How long callers try, and collections run.
const PRESSED: Duration = Duration::from_secs(31);

/// An environment of the request function, among others with the same table.
async fn environment(here: &Surroundings, tables: &SdkConfig, calls: u32) -> App {
    let control = Control::open(tables, here.stack.requests_table.clone());
    let pace = Pace::shared(control.pace.clone(), calls);
    App {
        belvo: here.belvo(good_keys()).await.with_pace(pace),
        control,
        queue: here.queue().await,
        limits: AMPLE_LIMITS,
        request_due_s: 1_800,
        widget_url: here.widget_url(),
        widget: Surroundings::widget(),
    }
}

/// A retrieval of the day so many days ago.
fn retrieval(days_ago: usize) -> Request {
    let days_ago = i64::try_from(days_ago).unwrap();
    let day = Timestamp::now()
        .plus_seconds(-days_ago * 24 * 60 * 60)
        .day();
    let mut event = http_event("request-one-month");
    let body = json!({"link": LINK, "date_from": day.to_string(), "date_to": day.to_string()});
    *event.body_mut() = body.to_string().into();
    event
}

/// Sends a retrieval until it is accepted, as often as its answers say, while time is left. Returns
/// whether it was, and counts how often it was refused.
async fn insist(app: &App, days_ago: usize, until: Instant, refusals: &AtomicUsize) -> bool {
    loop {
        let answer = handle(app, retrieval(days_ago)).await;
        let retry_after = answer.headers().get("retry-after").cloned();
        let (status, body) = read(&answer);
        if status == 202 {
            return true;
        }
        assert_eq!(
            (status, kind(&body)),
            (429, Some("too-many-calls")),
            "{body}"
        );
        refusals.fetch_add(1, Ordering::Relaxed);
        let seconds = retry_after.expect("when to try again");
        let wait = Duration::from_secs(seconds.to_str().unwrap().parse().unwrap());
        if Instant::now() + wait > until {
            return false;
        }
        sleep(wait).await;
    }
}

/// An environment of the collect function with a share of its own.
async fn collecting(worker: &Worker) -> collect::App {
    let belvo = worker.here.belvo(good_keys()).await;
    collect::App {
        belvo: belvo.with_pace(Pace::in_process(COLLECT_CALLS)),
        ..worker.app.clone()
    }
}

#[tokio::test]
async fn all_calls_together_stay_below_belvos_limit() {
    let worker = Worker::with_pages_of(100).await.in_own_tables().await;
    let here = &worker.here;
    let [one, other] = [id(), id()];
    for id in [&one, &other] {
        let link = worker.link(5_000).await;
        let webhook = webhook(&link, "historical_update", Some(id));
        worker.enqueue(&webhook).await;
    }
    let apps = join_all((0..5).map(|_| environment(here, &worker.aws, REQUEST_CALLS))).await;
    let environments = [collecting(&worker).await, collecting(&worker).await];
    let messages = worker.waiting().await;
    here.limit_requests(Some(BELVOS_LIMIT)).await;

    let until = Instant::now() + PRESSED;
    let refusals = AtomicUsize::new(0);
    let callers = (0..60).map(|day| insist(&apps[day % apps.len()], day, until, &refusals));
    let collections = environments
        .iter()
        .zip(&messages)
        .map(async |(app, message)| {
            invoke(app, vec![message.clone()], TIME_TO_RELEASE + PRESSED).await
        });
    let (accepted, failed) = join(join_all(callers), join_all(collections)).await;

    let (busiest, refused_by_belvo) = here.rate().await;
    assert!(failed.concat().is_empty(), "{failed:?}");
    assert_eq!(refused_by_belvo, 0);
    assert!((70..=BELVOS_LIMIT.into()).contains(&busiest), "{busiest}");
    let accepted = accepted.into_iter().filter(|accepted| *accepted).count();
    eprintln!("{busiest} calls in 30 s, {accepted} retrievals, {refusals:?} refusals");
    assert!((20..60).contains(&accepted), "{accepted}");
    assert_nothing_is_lost(here, &apps[0], accepted).await;
    here.limit_requests(None).await;
    worker.process_everything().await;
    for id in [&one, &other] {
        let record = worker.record(id).await;
        assert_eq!(record.status(), Status::Collected);
        assert_eq!(record.collection.unwrap().tally.rows, 5_000);
    }
}

/// What was accepted was sent once and recorded; what was refused was not sent and left nothing.
async fn assert_nothing_is_lost(here: &Surroundings, app: &App, sent: usize) {
    let link = LinkId::parse(LINK).unwrap();
    let counters = here.counters().await;
    assert_eq!(counters["links"][LINK]["retrievals"], sent);
    let (recorded, _) = app
        .control
        .requests
        .of_link(&link, None, 100)
        .await
        .unwrap();
    assert_eq!(recorded.len(), sent);
    let open = app.control.intents.unconfirmed(&link).await.unwrap();
    assert!(open.is_empty(), "{open:?}");
    let quotas = &app.control.quotas;
    let holder = QuotaHolder::from(&link);
    let left = quotas.left(&holder, AMPLE_LIMITS, Timestamp::now()).await;
    let used: u32 = left.unwrap().iter().map(|quota| quota.used).sum();
    assert_eq!(used as usize, sent);
}
