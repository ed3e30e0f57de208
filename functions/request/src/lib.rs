//! Asks Belvo for a retrieval in the asynchronous mode and records that it did. A retrieval is scarce (Brazil's
//! regulation allows 8 long ones per customer and month), so nothing here sends one twice.

mod body;

use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, StatusCode, header::LOCATION},
    tracing,
};
use serde_json::json;
use shared::{
    belvo::{Advice, BelvoError, Client, Notification, Retrieval, RetrievalOutcome},
    cause::chain,
    domain::{RequestId, Timestamp},
    http,
    problem::Problem,
    queue::{Delivery, Queue},
    store::{Issued, Requests},
};

/// What the function needs to do its work.
pub struct Requesting {
    /// Belvo's API.
    pub belvo: Client,
    /// Where retrievals are recorded.
    pub requests: Requests,
    /// Where a retrieval goes that Belvo answered at once.
    pub queue: Queue,
}

/// Answers `POST /requests`: 202 with the id of the retrieval, or a problem that says whether Belvo may have acted.
pub async fn handle(requesting: &Requesting, request: Request) -> Response<Body> {
    let gateway_request_id = http::gateway_request_id(&request);
    let outcome = match body::parse(request.body().as_ref(), Timestamp::now().day()) {
        Ok(retrieval) => issue(requesting, retrieval, &gateway_request_id).await,
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(id) => accepted(&id),
        Err(problem) => problem.at_gateway(&gateway_request_id).into_response(),
    }
}

fn accepted(id: &RequestId) -> Response<Body> {
    let path = format!("/requests/{id}");
    let mut response = http::json(202, &json!({ "request_id": id, "status": "issued", "status_url": path }));
    if let Ok(location) = HeaderValue::from_str(&path) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Issues the retrieval and records it.
async fn issue(requesting: &Requesting, retrieval: Retrieval, gateway_request_id: &str) -> Result<RequestId, Problem> {
    let outcome = requesting.belvo.retrieve(&retrieval).await.map_err(|error| {
        log_refusal(&error, &retrieval, gateway_request_id);
        problem(&error)
    })?;
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
    record(requesting, &retrieval, &id, ready).await.map_err(|error| {
        tracing::error!(correlation.id = id.as_str(), cause = %chain(&*error), "retrieval issued but not recorded");
        let detail = "Belvo accepted the retrieval, but it could not be recorded here; do not send it again: \
                      its webhook will bring the data";
        Problem::unavailable(detail).for_request(Some(id.clone()))
    })?;
    Ok(id)
}

/// Records the retrieval; if its data is ready, also starts the collection that a webhook would start.
async fn record(
    requesting: &Requesting,
    retrieval: &Retrieval,
    id: &RequestId,
    ready: bool,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let issued = Issued {
        id: id.clone(),
        link: retrieval.link.clone(),
        resource: retrieval.resource,
        window: retrieval.window,
        account: retrieval.account.clone(),
        at: Timestamp::now(),
    };
    requesting.requests.issued(&issued).await?;
    if ready {
        let delivery = Delivery::of_ready_request(retrieval.resource, &retrieval.link, id)?;
        let notification = Notification::parse(delivery.webhook.get().as_bytes())?;
        requesting.queue.send(&delivery, &notification).await?;
    }
    Ok(())
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
        let detail = "Belvo did not confirm the retrieval but may have started it; look at GET /links/{link}/requests \
                      for the next minutes before sending it again";
        return Problem::new(StatusCode::BAD_GATEWAY, "unconfirmed", detail);
    }
    match error {
        BelvoError::Rejected { code, message, field, belvo_request_id, .. } => {
            let detail = if message.is_empty() { "Belvo refused the retrieval" } else { message };
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused-by-belvo", detail)
                .about(field.as_deref())
                .from_belvo(code, belvo_request_id.as_deref())
        }
        BelvoError::Later { code, after, .. } => {
            Problem::unavailable("Belvo cannot take the retrieval now; nothing was sent to the institution")
                .from_belvo(code, None)
                .retry_after(after.as_secs())
        }
        BelvoError::Unreachable(_) => Problem::unavailable("Belvo cannot be reached; nothing was sent").retry_after(3),
        _ => Problem::unavailable("Belvo cannot be used until its operator acts; nothing was sent to the institution"),
    }
}
