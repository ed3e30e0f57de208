//! `POST /requests`: asks Belvo for a retrieval and records it.

use std::time::Duration;

use chrono::{NaiveDate, TimeDelta, Utc};
use lambda_http::{Error, Request, Response, run, service_fn, tracing};
use peers::{Belvo, Record, answer, plain_id, sdk_config, timestamp, variable};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

const SHAPE: &str = "the body must be JSON with link (a UUID), date_from and date_to (YYYY-MM-DD)";
const WINDOW: &str = "date_from must not be after date_to, and date_to not in the future";

struct App {
    belvo: Belvo,
    record: Record,
    due_after: TimeDelta,
}

/// The retrieval that a body asks for.
#[derive(Deserialize)]
struct Retrieval {
    link: Uuid,
    date_from: NaiveDate,
    date_to: NaiveDate,
}

/// Belvo's answer to a retrieval.
#[derive(Deserialize)]
struct Accepted {
    request_id: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = sdk_config().await;
    let due_after = Duration::from_secs(variable("REQUEST_DUE_S")?.parse()?);
    let app = App {
        belvo: Belvo::from_env(&config).await?,
        record: Record::new(
            aws_sdk_dynamodb::Client::new(&config),
            variable("REQUESTS_TABLE")?,
        ),
        due_after: TimeDelta::from_std(due_after)?,
    };

    // During INIT, so that the first invocation finds them.
    app.belvo.warm_up().await?;
    run(service_fn(|request| handle(&app, request))).await
}

/// Answers 202 with the id of the retrieval once Belvo has accepted it.
async fn handle(app: &App, request: Request) -> Result<Response<String>, Error> {
    let retrieval = match parse(request.body()) {
        Ok(retrieval) => retrieval,
        Err(fault) => return answer(400, &json!({ "detail": fault })),
    };
    let link = retrieval["link"].as_str();
    let response = match app.belvo.retrieve(&retrieval).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(link_id = link, %error, "retrieval not confirmed");
            let detail = "Belvo did not confirm the retrieval but may have started it";
            return answer(502, &json!({ "detail": detail }));
        }
    };
    let status = response.status();
    if status != StatusCode::ACCEPTED {
        tracing::warn!(
            link_id = link,
            status = status.as_u16(),
            "retrieval refused"
        );
        return answer(
            502,
            &json!({ "detail": format!("Belvo answered {status}") }),
        );
    }

    let accepted: Accepted = response.json().await?;
    acknowledge(app, &plain_id(&accepted.request_id), &retrieval).await
}

/// Records a retrieval that Belvo has accepted.
async fn acknowledge(app: &App, id: &str, retrieval: &Value) -> Result<Response<String>, Error> {
    let link = retrieval["link"].as_str();
    let event = "retrieval_issued";
    tracing::info!(event, link_id = link, request_id = id, "retrieval issued");
    if let Err(error) = record(app, id, retrieval).await {
        // The webhook makes up for it; after an error, the caller would spend another retrieval.
        let event = "retrieval_not_recorded";
        tracing::error!(event, request_id = id, %error, "retrieval issued but not recorded");
    }
    let status_url = format!("/requests/{id}");
    let body = json!({ "request_id": id, "status": "issued", "status_url": status_url });
    answer(202, &body)
}

/// The retrieval as Belvo is asked for it, or what is wrong.
fn parse(body: &[u8]) -> Result<Value, &'static str> {
    let asked: Retrieval = serde_json::from_slice(body).map_err(|_| SHAPE)?;
    let Retrieval {
        link,
        date_from,
        date_to,
    } = asked;
    if date_from > date_to || date_to > Utc::now().date_naive() {
        return Err(WINDOW);
    }
    Ok(json!({ "link": link.to_string(), "date_from": date_from, "date_to": date_to }))
}

async fn record(app: &App, id: &str, retrieval: &Value) -> Result<(), Error> {
    let now = Utc::now();
    let facts = json!({
        "id": id,
        "resource": "transactions",
        "issued_at": timestamp(now),
        "due": "due",
        "due_at": timestamp(now + app.due_after),
        "link": retrieval["link"],
        "date_from": retrieval["date_from"],
        "date_to": retrieval["date_to"],
    });
    let once = json!({ "listed_at": timestamp(now) });
    app.record.update(id, facts, once, false).await
}
