//! Asks Belvo for a retrieval in the asynchronous mode and records that it did. A retrieval is scarce (Brazil's
//! regulation allows 8 long ones per customer and month), so nothing here sends one twice.

mod body;
mod idempotency;
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
    store::{Intention, Issued, Requests, StoreError},
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
    let asked = body::parse(request.body().as_ref(), Timestamp::now().day())
        .and_then(|retrieval| Ok((retrieval, idempotency::key(&request)?)));
    let outcome = match asked {
        Ok((retrieval, key)) => {
            let asking = Asking { retrieval, at: Timestamp::now(), gateway_request_id: &gateway_request_id };
            timeout(TIME_TO_ANSWER, idempotency::once(requesting, &asking, key.as_deref()))
                .await
                .unwrap_or_else(|_| Err(unconfirmed()))
        }
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(id) => accepted(&id),
        Err(problem) => problem.at_gateway(&gateway_request_id).into_response(),
    }
}

/// One wish for a retrieval.
struct Asking<'a> {
    retrieval: Retrieval,
    /// When it came in: its intent and its place in a month are of this time.
    at: Timestamp,
    gateway_request_id: &'a str,
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

/// Issues the retrieval and records it, unless an equal one is under way, or may be. Once Belvo has accepted it the answer is
/// 202, recorded or not: a caller who saw an error would ask again, while the webhook makes the record in any case. A failure
/// between the intent and Belvo's answer leaves the intent unknown: nothing equal is sent before Belvo's webhook claims it or
/// half an hour has passed.
async fn issue(requesting: &Requesting, asking: &Asking<'_>) -> Result<RequestId, Problem> {
    let (requests, retrieval) = (&requesting.requests, &asking.retrieval);
    match requests.intend(retrieval, asking.at).await.map_err(|error| unavailable(&error))? {
        Intention::Begun => {}
        Intention::InFlight(id) => return Ok(id),
        Intention::Sending => return Err(in_progress()),
        Intention::Unknown { until } => return Err(unresolved(until, asking.at)),
    }
    let outcome = match quota::reserve(requesting, asking).await {
        Ok(()) => requesting.belvo.retrieve(retrieval).await,
        Err(problem) => {
            withdraw(requesting, asking).await;
            return Err(problem);
        }
    };
    match outcome {
        Ok(RetrievalOutcome::Accepted(id)) => Ok(record(requesting, asking, id, false).await),
        Ok(RetrievalOutcome::Ready) => {
            let id = record(requesting, asking, RequestId::random(), true).await;
            announce(requesting, retrieval, &id).await?;
            Ok(id)
        }
        Err(error) => {
            log_refusal(&error, retrieval, asking.gateway_request_id);
            if !error.is_ambiguous() {
                quota::settle(requesting, asking, &error).await;
                withdraw(requesting, asking).await;
            }
            Err(problem(&error))
        }
    }
}

/// Records what Belvo accepted. What cannot be recorded is only logged: the webhook makes up for it.
async fn record(requesting: &Requesting, asking: &Asking<'_>, id: RequestId, ready: bool) -> RequestId {
    tracing::info!(
        correlation.id = id.as_str(),
        gateway.request_id = asking.gateway_request_id,
        link.id = asking.retrieval.link.as_str(),
        window = %asking.retrieval.window,
        answered_at_once = ready,
        "retrieval issued"
    );
    let facts = facts(requesting, &asking.retrieval, &id);
    let (issued, sent) =
        tokio::join!(requesting.requests.issued(&facts), requesting.requests.sent(&asking.retrieval, &id));
    for error in [issued, sent].into_iter().filter_map(Result::err) {
        tracing::error!(correlation.id = id.as_str(), cause = %chain(&error), "retrieval issued but not recorded");
    }
    id
}

/// Gives up the right to send. If that fails, it ends by itself after half an hour.
async fn withdraw(requesting: &Requesting, asking: &Asking<'_>) {
    if let Err(error) = requesting.requests.withdraw(&asking.retrieval, asking.at).await {
        tracing::warn!(link.id = asking.retrieval.link.as_str(), cause = %chain(&error), "intent not withdrawn");
    }
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

fn unavailable(error: &StoreError) -> Problem {
    tracing::error!(cause = %chain(error), "retrieval not sent");
    Problem::unavailable("the request could not be recorded, so nothing was sent to Belvo; try again").retry_after(1)
}

fn in_progress() -> Problem {
    let detail = "the same retrieval is being sent at this moment; ask again for its id";
    Problem::new(StatusCode::CONFLICT, "in-progress", detail).retry_after(2)
}

fn unresolved(until: Timestamp, now: Timestamp) -> Problem {
    let detail = format!(
        "the same retrieval was sent and not answered, so Belvo may be at it; it can be sent again after {until}, or \
         when Belvo's webhook has told"
    );
    Problem::new(StatusCode::CONFLICT, "unresolved", detail).retry_after(until.millis_since(now) / 1_000)
}

fn unconfirmed() -> Problem {
    let detail = "Belvo did not confirm the retrieval but may have started it; an equal request is refused \
                  until Belvo's webhook has told, or half an hour has passed";
    Problem::new(StatusCode::BAD_GATEWAY, "unconfirmed", detail)
}
