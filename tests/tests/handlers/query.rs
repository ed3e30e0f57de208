//! The handler of the query function.

use domain::{
    Connection, LinkId, LinkRecord, RequestId, Resource, Retrieval, Timestamp, WebhookOutcome,
};
use lambda_http::{http::Method, tracing::subscriber::filter::LevelFilter};
use query::{App, handle};
use serde_json::{Value, json};
use shared::{queue::Task, store::ProcessedWebhook};

use crate::{
    log::Log,
    surroundings::{
        AMPLE_LIMITS, LINK, REQUEST, Surroundings, api_call, event, http_event, kind, read_of,
        route, signed_by,
    },
};

async fn app(here: &Surroundings) -> App {
    App {
        control: here.own_control().await,
        transactions: here.transactions(),
        limits: AMPLE_LIMITS,
    }
}

/// Archives the webhook of `events/collect-historical-update.json`.
async fn archive_the_webhook(app: &App) {
    let batch: Value = serde_json::from_str(&event("collect-historical-update")).unwrap();
    let message = batch["Records"][0]["body"].as_str().unwrap();
    let Ok(Task::Webhook(delivery)) = Task::parse(message) else {
        panic!("{message}")
    };
    let processed = ProcessedWebhook {
        id: delivery.webhook_id(),
        link: &delivery.webhook.link,
        body: delivery.body.get(),
        received_at: delivery.received_at,
        replayed_at: None,
        ended_at: Timestamp::now(),
        outcome: &WebhookOutcome::Held,
    };
    let webhooks = &app.control.webhooks;
    webhooks.processed(&processed).await.unwrap();
}

#[tokio::test]
async fn every_query_event_gets_its_answer() {
    let here = Surroundings::new().await;
    let app = app(&here).await;
    let request = RequestId::parse(REQUEST).unwrap();
    let at = Timestamp::now();
    let retrieval = Retrieval::of(LinkId::parse(LINK).unwrap(), Resource::TRANSACTIONS);
    let issued = app.control.requests.issued(&request, &retrieval, at, at);
    issued.await.unwrap();
    let registered =
        |link: LinkRecord| link.registered(Connection::default(), Timestamp::now(), 1_800);
    let link = LinkId::parse(LINK).unwrap();
    app.control.links.change(&link, registered).await.unwrap();

    archive_the_webhook(&app).await;

    let cases = [
        ("query-links", 200, Ok("links")),
        ("query-link", 200, Ok("registered_at")),
        ("query-request", 200, Ok("issued_at")),
        ("query-requests-of-link", 200, Ok("requests")),
        ("query-accounts", 200, Ok("accounts")),
        ("query-quota", 200, Ok("retrievals")),
        ("query-quotas", 200, Ok("quotas")),
        ("query-balances", 200, Ok("balances")),
        ("query-webhook", 200, Ok("body")),
        ("query-webhooks-of-link", 200, Ok("webhooks")),
        (
            "query-history-of-an-unknown-transaction",
            404,
            Err("not-found"),
        ),
        ("query-changes", 200, Ok("next_cursor")),
        ("query-transactions", 200, Ok("transactions")),
        ("query-transactions-filtered", 200, Ok("transactions")),
        ("query-bad-cursor", 400, Err("invalid-field")),
    ];
    for (name, status, content) in cases {
        let event = http_event(name);
        let (answered, body) = read_of(&route(&event), &handle(&app, event).await);
        assert_eq!(answered, status, "{name}: {body}");
        match content {
            Ok(field) => assert!(body.get(field).is_some(), "{name}: {body}"),
            Err(problem) => assert_eq!(kind(&body), Some(problem), "{name}: {body}"),
        }
    }
}

#[tokio::test]
async fn who_read_whose_data_is_logged_at_any_level() {
    let here = Surroundings::new().await;
    let app = app(&here).await;
    let who = "arn:aws:sts::123456789012:assumed-role/payments/somebody";
    let log = Log::of("query", LevelFilter::ERROR);

    handle(&app, signed_by(http_event("query-transactions"), who)).await;
    handle(&app, signed_by(http_event("query-request"), who)).await;
    handle(&app, http_event("query-transactions")).await;

    let lines = log.lines();
    let [line, of_request] = lines.as_slice() else {
        panic!("one line for each call that somebody signed: {lines:?}")
    };
    let fields = json!({
        "message": "call answered",
        "event": "call_answered",
        "caller": who,
        "route": "GET /links/{link}/transactions",
        "link.id": LINK,
        "http.status": 200,
    });
    assert_eq!(line["fields"], fields);
    assert_eq!(of_request["fields"]["request.id"], REQUEST);
}

#[tokio::test]
async fn what_a_caller_puts_into_a_path_by_mistake_is_not_logged() {
    let here = Surroundings::new().await;
    let app = app(&here).await;
    let log = Log::of("query", LevelFilter::DEBUG);
    let path = json!({"link": "52998224725", "id": "52998224725"});
    let route = "/links/{link}/transactions/{id}/history";
    let call = api_call(&Method::GET, route, &path, "", None);

    let answer = handle(&app, signed_by(call, "arn:aws:iam::123456789012:user/u")).await;

    assert_eq!(answer.status(), 400);
    let text = format!("{:?}", log.lines());
    assert!(
        text.contains("call_answered") && !text.contains("52998224725"),
        "{text}"
    );
}
