//! What goes to Belvo stays below its limit, whatever asks for it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use aws_lambda_events::sqs::SqsMessage;
use collect::TIME_TO_RELEASE;
use domain::{Connection, LinkId, LinkRecord, QuotaHolder, Spacing, Timestamp, Verdict};
use futures::future::{join, join_all};
use lambda_http::Request;
use request::{App, handle};
use serde_json::json;
use shared::{
    aws::SdkConfig,
    belvo::{Client, Pace},
    secret::CachedSecret,
    store::{Admission, Control},
};
use tokio::time::sleep;

use crate::{
    surroundings::{
        AMPLE_LIMITS, LINK, Surroundings, good_keys, http_event, kind, read, read_of, route,
    },
    worker::{AMPLE, Worker, id, invoke, webhook},
};

/// As shipped (template.yaml).
const REQUEST_CALLS: u32 = 16;
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
        widget: test_harness::widget_settings(),
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

/// Two environments of the collect function, each with a link that it does not come to an end with
/// and with nine whose calls go first; and the requests of all of them.
async fn collections(worker: &Worker) -> ([(collect::App, Vec<SqsMessage>); 2], Vec<String>) {
    let mut ids = Vec::new();
    let mut environments = Vec::new();
    for _ in 0..2 {
        for link in 0..10 {
            let rows = if link == 0 { 5_000 } else { 250 };
            let (link, id) = (worker.link(rows).await, id());
            let webhook = webhook(&link, "historical_update", Some(&id));
            worker.enqueue(&webhook).await;
            ids.push(id);
        }
        environments.push((worker.environment().await, worker.waiting().await));
    }
    (environments.try_into().ok().unwrap(), ids)
}

#[tokio::test]
async fn all_calls_together_stay_below_belvos_limit() {
    let worker = Worker::with_pages_of(100).await.in_own_tables().await;
    let here = &worker.here;
    let (environments, ids) = collections(&worker).await;
    let apps = join_all((0..5).map(|_| environment(here, &worker.aws, REQUEST_CALLS))).await;
    here.sandbox
        .limit_requests(Some(BELVOS_LIMIT))
        .await
        .unwrap();

    let until = Instant::now() + PRESSED;
    let refusals = AtomicUsize::new(0);
    let callers = (0..60).map(|day| insist(&apps[day % apps.len()], day, until, &refusals));
    let collections = environments.map(|(app, messages)| async move {
        invoke(&app, messages, TIME_TO_RELEASE + PRESSED).await
    });
    let (accepted, failed) = join(join_all(callers), join_all(collections)).await;

    let rate = here.sandbox.rate().await.unwrap();
    let busiest = rate.busiest_30_s;
    let accepted = accepted.into_iter().filter(|accepted| *accepted).count();
    eprintln!("{busiest} calls in 30 s, {accepted} retrievals, {refusals:?} refusals");
    assert_eq!(rate.refused, 0);
    assert!(busiest <= BELVOS_LIMIT as usize, "{busiest}");
    assert!((5..60).contains(&accepted), "{accepted}");
    assert_nothing_is_lost(here, &apps[0], accepted).await;
    here.sandbox.limit_requests(None).await.unwrap();
    let failed = worker.invoke(failed.concat(), AMPLE).await;
    assert!(failed.is_empty(), "{failed:?}");
    worker.process_everything().await;
    for id in &ids {
        let record = worker.record(id).await;
        assert_eq!(record.verdict(), Some(Verdict::Complete));
    }
}

/// How many calls the sandbox has had, refused ones included.
async fn calls(here: &Surroundings) -> usize {
    here.sandbox.rate().await.unwrap().busiest_30_s
}

/// What was accepted was sent once and recorded; what was refused was not sent and left nothing.
async fn assert_nothing_is_lost(here: &Surroundings, app: &App, sent: usize) {
    let link = LinkId::parse(LINK).unwrap();
    let counters = here.sandbox.counters().await.unwrap();
    let retrievals = counters["links"][LINK]["retrievals"].as_u64();
    assert_eq!(retrievals.unwrap_or(0), sent as u64);
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

/// An environment at whose shared pace too many wait.
async fn at_its_limit(worker: &Worker) -> App {
    let app = environment(&worker.here, &worker.aws, REQUEST_CALLS).await;
    let (pace, spacing) = (&app.control.pace, Spacing::per_30_s(REQUEST_CALLS));
    loop {
        let admission = pace.admit(spacing, Duration::from_secs(20), Timestamp::now());
        if matches!(admission.await.unwrap(), Admission::Refused { .. }) {
            return app;
        }
    }
}

#[tokio::test]
async fn whatever_would_wait_too_long_is_not_sent_and_the_caller_told_when_to_try_again() {
    let worker = Worker::with_own_tables().await;
    let app = at_its_limit(&worker).await;
    let link = LinkId::parse(LINK).unwrap();
    let registered =
        |known: LinkRecord| known.registered(Connection::default(), Timestamp::now(), 1_800);
    app.control.links.change(&link, registered).await.unwrap();
    for event in [
        "request-one-month",
        "request-connect-token",
        "request-register-link",
        "request-delete-link",
    ] {
        let call = http_event(event);
        let route = route(&call);
        let answer = handle(&app, call).await;
        let (status, body) = read_of(&route, &answer);
        assert_eq!(
            (status, kind(&body)),
            (429, Some("too-many-calls")),
            "{event}"
        );
        let seconds: u32 = answer.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((10..=23).contains(&seconds), "{event}: {seconds}");
    }
    assert_eq!(calls(&worker.here).await, 0, "nothing was sent");
    assert_nothing_is_lost(&worker.here, &app, 0).await;
    let record = app.control.links.get(&link).await.unwrap();
    assert!(record.unwrap().deletion.is_none());
}

#[tokio::test]
async fn nothing_is_sent_at_a_pace_that_is_not_known() {
    let worker = Worker::with_own_tables().await;
    let here = &worker.here;
    let nowhere = here.stack.aws_at("http://127.0.0.1:9");
    let unknown = Control::open(&nowhere, here.stack.requests_table.clone()).pace;
    let mut app = environment(here, &worker.aws, REQUEST_CALLS).await;
    app.belvo = app.belvo.with_pace(Pace::shared(unknown, REQUEST_CALLS));

    let (status, body) = read(&handle(&app, http_event("request-one-month")).await);

    assert_eq!((status, kind(&body)), (503, Some("unavailable")), "{body}");
    assert_eq!(calls(here).await, 0, "nothing was sent");
    assert_nothing_is_lost(here, &app, 0).await;
}

#[tokio::test]
async fn a_second_attempt_with_newer_keys_counts_as_well() {
    let worker = Worker::with_own_tables().await;
    let here = &worker.here;
    let old = json!({"secret_id": "old", "secret_password": "old"});
    let arn = here.secret(old).await;
    let keys =
        CachedSecret::new(&here.stack.aws, arn.clone()).with_ages(Duration::ZERO, Duration::MAX);
    let mut app = environment(here, &worker.aws, 3).await;
    let pace = Pace::shared(app.control.pace.clone(), 3);
    let belvo = Client::new(here.sandbox.url().parse().unwrap(), keys).unwrap();
    app.belvo = belvo.with_pace(pace);
    app.belvo.warm_up().await;
    let secrets = aws_sdk_secretsmanager::Client::new(&here.stack.aws);
    let rotation = secrets.put_secret_value().secret_id(&arn);
    let rotation = rotation.secret_string(good_keys().to_string());
    rotation.send().await.unwrap();

    // One call goes at once, and the next one is due after 15 seconds.
    let (status, body) = read(&handle(&app, http_event("request-one-month")).await);

    assert_eq!(
        (status, kind(&body)),
        (429, Some("too-many-calls")),
        "{body}"
    );
    assert_eq!(calls(here).await, 1);
    assert_nothing_is_lost(here, &app, 0).await;
}
