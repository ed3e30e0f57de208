//! Asks Belvo for a retrieval in the asynchronous mode and records that it did. A retrieval is scarce (Brazil's
//! regulation allows 8 long ones per customer and month), so nothing here sends one twice.

mod body;
mod quota;

use std::time::Duration;

use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, StatusCode, header::LOCATION},
    tracing,
};
use serde_json::json;
use shared::{
    belvo::{Advice, BelvoError, Client, Retrieval, RetrievalOutcome},
    cause::chain,
    domain::{Limits, RequestId, Timestamp},
    http,
    problem::Problem,
    queue::{Delivery, Queue},
    store::{Issued, Requests},
};
use tokio::time::timeout;

/// What the function needs to do its work.
pub struct Requesting {
    /// Belvo's API.
    pub belvo: Client,
    /// Where retrievals are recorded.
    pub requests: Requests,
    /// Where a retrieval goes that Belvo answered at once.
    pub queue: Queue,
    /// Retrievals of a link in a month.
    pub limits: Limits,
    /// Seconds after which a request is looked after if no webhook has come.
    pub request_due_s: u32,
}

/// Kept below the 29 seconds that template.yaml gives the function.
const TIME_TO_ANSWER: Duration = Duration::from_secs(27);

/// Answers `POST /requests`: 202 with the id of the retrieval, or a problem that says whether Belvo may have acted.
pub async fn handle(requesting: &Requesting, request: Request) -> Response<Body> {
    let gateway_request_id = http::gateway_request_id(&request);
    let outcome = match body::parse(request.body().as_ref(), Timestamp::now().day()) {
        Ok(retrieval) => timeout(TIME_TO_ANSWER, issue(requesting, &retrieval, &gateway_request_id))
            .await
            .unwrap_or_else(|_| Err(unconfirmed())),
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(id) => accepted(&id),
        Err(problem) => problem.at_gateway(&gateway_request_id).into_response(),
    }
}

fn accepted(id: &RequestId) -> Response<Body> {
    let path = format!("/requests/{id}");
    let body = json!({ "request_id": id, "status": "issued", "status_url": path });
    let mut response = http::json(StatusCode::ACCEPTED, &body);
    if let Ok(location) = HeaderValue::from_str(&path) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Issues the retrieval and records it. Once Belvo has accepted it the answer is 202, recorded or not: a caller who saw
/// an error would ask again and spend a second retrieval, while the webhook makes the record in any case.
async fn issue(requesting: &Requesting, retrieval: &Retrieval, gateway_request_id: &str) -> Result<RequestId, Problem> {
    quota::reserve(requesting, retrieval).await?;
    let outcome = match requesting.belvo.retrieve(retrieval).await {
        Ok(outcome) => outcome,
        Err(error) => {
            log_refusal(&error, retrieval, gateway_request_id);
            quota::settle(requesting, retrieval, &error).await;
            return Err(problem(&error));
        }
    };
    let (id, ready) = match outcome {
        RetrievalOutcome::Accepted(id) => (id, false),
        RetrievalOutcome::Ready => (RequestId::random(), true),
    };
    tracing::info!(
        correlation.id = id.as_str(),
        gateway.request_id = gateway_request_id,
        link.id = retrieval.link.as_str(),
        window = %retrieval.window,
        answered_at_once = ready,
        "retrieval issued"
    );
    if ready {
        announce(requesting, retrieval, &id).await?;
    }
    if let Err(error) = requesting.requests.issued(&facts(requesting, retrieval, &id)).await {
        tracing::error!(correlation.id = id.as_str(), cause = %chain(&error), "retrieval issued but not recorded");
    }
    Ok(id)
}

/// Starts the collection that a webhook would start.
async fn announce(requesting: &Requesting, retrieval: &Retrieval, id: &RequestId) -> Result<(), Problem> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(correlation.id = id.as_str(), cause = %chain(error), "data ready but collection not started");
        unconfirmed().for_request(Some(id.clone()))
    };
    let delivery = Delivery::of_ready_request(retrieval.resource, &retrieval.link, id);
    let delivery = delivery.map_err(|error| failed(&error))?;
    requesting.queue.send(&delivery).await.map_err(|error| failed(&error))
}

fn facts(requesting: &Requesting, retrieval: &Retrieval, id: &RequestId) -> Issued {
    let at = Timestamp::now();
    Issued {
        id: id.clone(),
        link: retrieval.link.clone(),
        resource: retrieval.resource,
        window: retrieval.window,
        account: retrieval.account.clone(),
        at,
        due_at: at.plus_seconds(requesting.request_due_s.into()),
    }
}

fn log_refusal(error: &BelvoError, retrieval: &Retrieval, gateway_request_id: &str) {
    let cause = chain(error).to_string();
    let link = retrieval.link.as_str();
    if error.advice() == Advice::Alarm {
        tracing::error!(gateway.request_id = gateway_request_id, link.id = link, cause, "Belvo cannot be used");
    } else {
        tracing::warn!(gateway.request_id = gateway_request_id, link.id = link, cause, "retrieval not issued");
    }
}

/// What the caller is told, and above all whether asking again may cost a second retrieval.
fn problem(error: &BelvoError) -> Problem {
    if error.is_ambiguous() {
        return unconfirmed();
    }
    match error {
        BelvoError::Rejected { code, message, field, belvo_request_id, .. } => {
            let detail = if message.is_empty() { "Belvo refused the retrieval" } else { message };
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused-by-belvo", detail)
                .about(field.as_deref())
                .from_belvo(code, belvo_request_id.as_deref())
        }
        BelvoError::Later { code, after, .. } => {
            Problem::unavailable("Belvo cannot bring the data now").from_belvo(code, None).retry_after(after.as_secs())
        }
        BelvoError::Unreachable(_) => {
            Problem::unavailable("Belvo cannot be reached; no retrieval was spent").retry_after(3)
        }
        _ => Problem::unavailable("Belvo cannot be used until an operator acts; no retrieval was spent"),
    }
}

fn unconfirmed() -> Problem {
    let detail = "Belvo did not confirm the retrieval but may have started it; look at GET /links/{link}/requests for \
                  the next minutes before sending it again";
    Problem::new(StatusCode::BAD_GATEWAY, "unconfirmed", detail)
}
