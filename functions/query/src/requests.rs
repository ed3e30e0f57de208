//! Requests as the API shows them: their facts, and what follows from these.

use domain::{
    AccountId, Check, Direction, RequestRecord, Resource, Status, Timestamp, Unconfirmed, Verdict,
    Window,
};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde::Serialize;
use serde_json::json;
use shared::{http, problem::Problem, store::Cursor};

use crate::{App, parameters, unavailable};

#[derive(Serialize)]
struct RequestView<'a> {
    #[serde(flatten)]
    record: &'a RequestRecord,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// The checks behind the verdict, which is the worst of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compared: Vec<Check>,
}

/// A retrieval that is not a request yet, and may never become one.
#[derive(Serialize)]
struct UnconfirmedView<'a> {
    resource: Resource,
    #[serde(flatten)]
    window: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a AccountId>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    since: Timestamp,
    status: Status,
    /// When Belvo can no longer be working on it, so that an identical one can be sent.
    until: Timestamp,
}

pub(crate) async fn show(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let id = parameters::request_id(request)?;
    let record = app.control.requests.get(&id).await.map_err(unavailable)?;
    match record {
        Some(record) => Ok(http::json(StatusCode::OK, &RequestView::from(&record))),
        None => Err(Problem::not_found("Unknown request.").for_request(Some(id))),
    }
}

/// Requests of all links that stand somewhere: what an operator looks for.
pub(crate) async fn list_with_status(
    app: &App,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let status = parameters::status(request)?;
    let (after, limit) = (
        parameters::cursor(request, Cursor::is_of_an_instant)?,
        parameters::limit(request)?,
    );
    let requests = &app.control.requests;
    let listed = requests.with_status(status, after.as_ref(), limit).await;
    let (records, next) = listed.map_err(unavailable)?;

    let listing = json!({
        "requests": records.iter().map(RequestView::from).collect::<Vec<_>>(),
        "next_cursor": next.map(|cursor| cursor.encode()),
    });
    Ok(http::json(StatusCode::OK, &listing))
}

pub(crate) async fn list_of_link(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let link = parameters::link(request)?;
    let (after, limit) = (
        parameters::cursor(request, Cursor::is_of_an_instant)?,
        parameters::limit(request)?,
    );
    let unconfirmed = async {
        // They are few and newer than all requests, so that the first page shows them.
        if after.is_some() {
            Ok(Vec::new())
        } else {
            app.control.intents.unconfirmed(&link).await
        }
    };
    let listed = app.control.requests.of_link(&link, after.as_ref(), limit);
    let ((records, next), unconfirmed) =
        tokio::try_join!(listed, unconfirmed).map_err(unavailable)?;

    let now = Timestamp::now();
    let unconfirmed: Vec<_> = unconfirmed
        .iter()
        .map(|one| UnconfirmedView::new(one, now))
        .collect();
    let listing = json!({
        "requests": records.iter().map(RequestView::from).collect::<Vec<_>>(),
        "unconfirmed": unconfirmed,
        "next_cursor": next.map(|cursor| cursor.encode()),
    });
    Ok(http::json(StatusCode::OK, &listing))
}

impl<'a> From<&'a RequestRecord> for RequestView<'a> {
    fn from(record: &'a RequestRecord) -> Self {
        Self {
            record,
            status: record.status(),
            verdict: record.verdict(),
            compared: record.checks(),
        }
    }
}

impl<'a> UnconfirmedView<'a> {
    fn new(unconfirmed: &'a Unconfirmed, now: Timestamp) -> Self {
        let (retrieval, intent) = (&unconfirmed.retrieval, unconfirmed.intent());
        Self {
            resource: retrieval.resource,
            window: retrieval.window,
            account: retrieval.account.as_ref(),
            direction: retrieval.direction,
            since: unconfirmed.since,
            status: intent.status(now),
            until: intent.until(),
        }
    }
}
