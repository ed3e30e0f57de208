//! Every alarm of template.yaml goes off when what it is about has happened. The functions log only
//! errors here, so that no level silences an alarm. What services measure themselves is counted
//! from their answers.

use std::{net::IpAddr, time::Duration};

use domain::{Connection, LinkId, LinkRecord, Resource, Status, Timestamp};
use lambda_http::{http::Method, tracing::subscriber::filter::LevelFilter};
use serde_json::{Value, json};
use shared::queue::Queue;
use test_harness::{AlarmState, Alarms, Datum, eventually};
use webhook::handle;

use crate::{
    log::Log,
    service::Service,
    surroundings::{AUTHORIZATION, Surroundings, http_event},
    webhook::webhook_function,
    worker::{Worker, id, webhook},
};

const AN_HOUR: i64 = 3_600;
const A_DAY: i64 = 24 * AN_HOUR;
/// Metrics of the API, and its route for webhooks.
const API: &str = "AWS/ApiGateway";
const ROUTE: &str = "/webhooks/belvo";

/// Asserts that these lines of a function, and nothing but them, set off an alarm.
async fn assert_rings(alarm: &str, worker: &Worker, log: &Log) {
    assert_rings_of("Collect", alarm, &worker.here, log).await;
}

async fn assert_rings_of(function: &str, alarm: &str, here: &Surroundings, log: &Log) {
    let alarms = Alarms::of(&here.stack).await;
    assert_eq!(alarms.after_lines(alarm, function, &[]), AlarmState::Ok);
    let lines = log.lines();
    let state = alarms.after_lines(alarm, function, &lines);
    assert_eq!(state, AlarmState::Alarm, "{alarm}: {lines:#?}");
}

/// Asserts that so many of what a service counts set off an alarm, and one less does not.
async fn assert_counted(
    alarm: &str,
    here: &Surroundings,
    metric: (&str, &str, &str),
    least: usize,
) {
    let alarms = Alarms::of(&here.stack).await;
    let state = |count| alarms.after_values(alarm, metric, &vec![Datum::now(1.0); count]);
    assert_eq!(state(least), AlarmState::Alarm, "{alarm}");
    assert_eq!(state(least - 1), AlarmState::Ok, "{alarm}");
}

async fn statuses(function: &::webhook::App, name: &str, deliveries: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..deliveries {
        statuses.push(handle(function, http_event(name)).await.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn no_alarm_goes_off_on_a_new_stack() {
    let here = Surroundings::new().await;
    let alarms = Alarms::of(&here.stack).await;
    for (name, state) in alarms.at_first() {
        assert_ne!(state, AlarmState::Alarm, "{name}");
    }
}

#[tokio::test]
async fn webhooks_with_another_authorization() {
    let here = Surroundings::new().await;
    let function = webhook_function(&here, json!({"current": AUTHORIZATION})).await;
    let log = Log::of("webhook", LevelFilter::ERROR);
    let statuses = statuses(&function, "webhook-wrong-authorization", 3).await;
    assert_eq!(statuses, [401; 3]);
    assert_rings_of("Webhook", "UnauthorizedWebhooksAlarm", &here, &log).await;
    assert_counted("RefusedWebhooksAlarm", &here, (API, "4xx", ROUTE), 3).await;
}

#[tokio::test]
async fn webhooks_from_another_address() {
    let here = Surroundings::new().await;
    let elsewhere: IpAddr = "203.0.113.7".parse().unwrap();
    let function = ::webhook::App {
        allowed_source_ips: vec![elsewhere],
        ..webhook_function(&here, json!({"current": AUTHORIZATION})).await
    };
    let log = Log::of("webhook", LevelFilter::ERROR);
    let statuses = statuses(&function, "webhook-historical-update", 3).await;
    assert_eq!(statuses, [403; 3]);
    assert_rings_of("Webhook", "ForbiddenWebhooksAlarm", &here, &log).await;
}

/// API Gateway answers these itself; its access log has the shape that the template gives it.
#[tokio::test]
async fn more_webhooks_at_once_than_the_api_takes() {
    let here = Surroundings::new().await;
    let template = include_str!("../../../template.yaml");
    let (_, format) = template.split_once("          {\"requestId\"").unwrap();
    let (format, _) = format.split_once("\n\n").unwrap();
    let line = format!("{{\"requestId\"{}", format.replace("\n          ", ""))
        .replace("$context.routeKey", "POST /webhooks/belvo")
        .replace("$context.status", "429");
    let line: Value = serde_json::from_str(&line).unwrap();
    let alarms = Alarms::of(&here.stack).await;
    let state = |lines: &[Value]| alarms.after_lines("ThrottledWebhooksAlarm", "Api", lines);
    assert_eq!(state(std::slice::from_ref(&line)), AlarmState::Alarm);
    let mut other = line;
    other["route"] = json!("GET /links");
    assert_eq!(state(&[other]), AlarmState::Ok);
}

#[tokio::test]
async fn webhooks_that_cannot_be_queued() {
    let here = Surroundings::new().await;
    let nowhere = here.stack.aws_at("http://127.0.0.1:1");
    let function = ::webhook::App {
        queue: Queue::new(&nowhere, "http://127.0.0.1:1/queue.fifo".to_owned()),
        ..webhook_function(&here, json!({"current": AUTHORIZATION})).await
    };
    let log = Log::of("webhook", LevelFilter::ERROR);
    let statuses = statuses(&function, "webhook-historical-update", 1).await;
    assert_eq!(statuses, [503]);
    assert_rings_of("Webhook", "ErrorLinesAlarm", &here, &log).await;
    assert_counted("WebhookErrorsAlarm", &here, (API, "5xx", ROUTE), 1).await;
    assert_counted("ApiErrorsAlarm", &here, (API, "5xx", ""), 5).await;
}

#[tokio::test]
async fn a_request_whose_webhook_is_missing() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(400).await;
    worker.issue(&link, &id(), AN_HOUR).await;
    let log = Log::of("collect", LevelFilter::ERROR);
    worker.sweep().await;
    worker.process_everything().await;
    assert_rings("UnannouncedAnswersAlarm", &worker, &log).await;
}

#[tokio::test]
async fn a_request_that_is_not_answered_for_half_a_day() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(5).await;
    worker.issue(&link, &id(), 13 * AN_HOUR).await;
    let log = Log::of("collect", LevelFilter::ERROR);
    worker.sweep().await;
    assert_rings("UnansweredAlarm", &worker, &log).await;
}

#[tokio::test]
async fn a_request_that_expires() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(0).await;
    worker.issue(&link, &id(), A_DAY + 1).await;
    let log = Log::of("collect", LevelFilter::ERROR);
    worker.sweep().await;
    worker.process_everything().await;
    assert_rings("ExpiredRequestsAlarm", &worker, &log).await;
}

#[tokio::test]
async fn a_request_that_stays_incomplete() {
    let mut worker = Worker::with_own_tables().await;
    worker.app.retry_policy.longest_wait = Duration::ZERO;
    worker.app.deadlines.expires_s = 1;
    let (link, id) = (worker.link(20).await, id());
    let mut declaring = webhook(&link, "historical_update", Some(&id));
    declaring["data"] = json!({"total_transactions": 22});
    worker.enqueue(&declaring).await;
    let log = Log::of("collect", LevelFilter::ERROR);
    eventually("the request ends", async || {
        worker.process_everything().await;
        worker.sweep().await;
        let status = worker.record(&id).await.status();
        (status == Status::Incomplete).then_some(())
    })
    .await;
    assert_rings("MissingRowsAlarm", &worker, &log).await;
    assert_rings("IncompleteRequestsAlarm", &worker, &log).await;
}

#[tokio::test]
async fn a_scrub_that_heals_and_comes_days_late() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(40).await;
    worker
        .enqueue(&webhook(&link, "historical_update", None))
        .await;
    worker.process_everything().await;
    let row = &worker.here.sandbox.rows(&link).await.unwrap()[20];
    worker
        .here
        .sandbox
        .delete_row(&link, row["id"].as_str().unwrap())
        .await
        .unwrap();
    let two_days_ago = Timestamp::now().plus_seconds(-2 * A_DAY);
    let late = |known: LinkRecord| known.read_again(Resource::TRANSACTIONS, two_days_ago);
    change(&worker, &link, late).await;

    let log = Log::of("collect", LevelFilter::ERROR);
    worker.sweep().await;
    worker.process_everything().await;
    assert_rings("LateReadingsAlarm", &worker, &log).await;
    assert_rings("HealedRowsAlarm", &worker, &log).await;
}

#[tokio::test]
async fn no_webhook_in_more_than_a_day_although_links_are_refreshed_daily() {
    let worker = Worker::with_own_tables().await;
    let link = worker.link(1).await;
    let connection = Connection {
        status: Some("valid".to_owned()),
        refresh_rate: Some("24h".to_owned()),
        ..Connection::default()
    };
    let registered_at = Timestamp::now().plus_seconds(-37 * AN_HOUR);
    let registered = |known: LinkRecord| known.registered(connection.clone(), registered_at, 1_800);
    change(&worker, &link, registered).await;
    let log = Log::of("collect", LevelFilter::ERROR);
    worker.sweep().await;
    assert_rings("WebhookSilenceAlarm", &worker, &log).await;
}

#[tokio::test]
async fn a_customer_with_hardly_any_retrieval_left() {
    let mut service = Service::new().await;
    service.request.limits.long = 6;
    let link = service.connect("quota").await;
    let log = Log::of("request", LevelFilter::ERROR);
    for month in 1..=5 {
        let days = json!({
            "link": link,
            "date_from": format!("2026-0{month}-01"),
            "date_to": format!("2026-0{month}-28"),
        });
        let (status, body) = service.call(Method::POST, "/requests", "", "", days).await;
        assert_eq!(status, 202, "{body}");
    }
    let (alarm, here) = ("QuotaNearlySpentAlarm", &service.worker.here);
    let lines = log.lines();
    let alarms = Alarms::of(&here.stack).await;
    let percent: Vec<_> = alarms
        .data("RetrievalsLeftPercent", "Request", &lines)
        .iter()
        .map(|datum| datum.value)
        .collect();
    assert_eq!(percent, [83.0, 66.0, 50.0, 33.0, 16.0]);
    assert_rings_of("Request", alarm, here, &log).await;
}

#[tokio::test]
async fn a_message_that_is_given_up() {
    let mut worker = Worker::with_own_tables().await;
    worker.app.retry_policy.attempts = 1;
    let link = worker.link(40).await;
    let failure =
        json!({"on": "get", "times": 1, "action": {"error": {"code": "unexpected_error"}}});
    worker.here.sandbox.rule(failure).await.unwrap();
    let log = Log::of("collect", LevelFilter::ERROR);
    worker
        .enqueue(&webhook(&link, "historical_update", None))
        .await;
    worker.process_everything().await;
    assert_rings("ErrorLinesAlarm", &worker, &log).await;

    let visible = worker.dead_letters().await.len();
    assert_eq!(visible, 1);
    let metric = |queue| ("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue);
    let here = &worker.here;
    assert_counted(
        "DeadLettersAlarm",
        here,
        metric("-dead-letters.fifo"),
        visible,
    )
    .await;
    let unpublished = metric("UnpublishedEventsQueue");
    assert_counted("UnpublishedEventsAlarm", here, unpublished, 1).await;
}

#[tokio::test]
async fn no_sweep_in_half_an_hour() {
    let worker = Worker::with_own_tables().await;
    let log = Log::of("collect", LevelFilter::ERROR);
    worker.sweep().await;
    let alarms = Alarms::of(&worker.here.stack).await;
    let state = |lines: &[Value]| alarms.after_lines("NoSweepAlarm", "Collect", lines);
    assert_eq!(state(&log.lines()), AlarmState::Ok);
    assert_eq!(state(&[]), AlarmState::InsufficientData);
}

#[tokio::test]
async fn what_lambda_and_the_queue_measure() {
    let here = Surroundings::new().await;
    let errors = ("AWS/Lambda", "Errors", "CollectFunction");
    assert_counted("CollectErrorsAlarm", &here, errors, 1).await;
    for (alarm, function) in [
        ("CollectThrottlesAlarm", "CollectFunction"),
        ("WebhookThrottlesAlarm", "WebhookFunction"),
    ] {
        let throttles = ("AWS/Lambda", "Throttles", function);
        assert_counted(alarm, &here, throttles, 1).await;
    }
    let alarms = Alarms::of(&here.stack).await;
    let metric = (
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        "-notifications.fifo",
    );
    let after = |age: Duration| {
        let age = Datum::now(age.as_secs_f64());
        alarms.after_values("QueueAgeAlarm", metric, &[age])
    };
    assert_eq!(after(Duration::from_mins(61)), AlarmState::Alarm);
    assert_eq!(after(Duration::from_mins(59)), AlarmState::Ok);
}

async fn change(worker: &Worker, link: &str, change: impl Fn(LinkRecord) -> LinkRecord) {
    let link = LinkId::parse(link).unwrap();
    let links = &worker.app.control.links;
    links.change(&link, change).await.unwrap();
}
