//! `POST /requests`: a retrieval is sent at most once.

use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, StatusCode, header::LOCATION},
    tracing,
};
use serde_json::json;
use shared::{
    belvo::{Advice, BelvoError, Retrieval, RetrievalOutcome},
    cause::chain,
    domain::{Block, LinkRecord, RequestId, Timestamp},
    http,
    problem::Problem,
    queue::Delivery,
    store::{Intention, Issued},
};

use crate::{Requesting, body, idempotency, quota, unavailable};

/// Answers 202 with the id of the retrieval, or a problem that says whether Belvo may have acted.
pub(crate) async fn retrieve(
    requesting: &Requesting,
    request: &Request,
    gateway_request_id: &str,
) -> Result<Response<Body>, Problem> {
    let at = Timestamp::now();
    let asking = Asking {
        retrieval: body::parse(request.body().as_ref(), at.day())?,
        at,
        gateway_request_id,
    };
    let key = idempotency::key(request)?;
    idempotency::once(requesting, &asking, key.as_deref())
        .await
        .map(|id| accepted(&id))
}

/// One wish for a retrieval.
pub(crate) struct Asking<'a> {
    pub(crate) retrieval: Retrieval,
    /// When it came in: its intent and its place in a month are of this time.
    pub(crate) at: Timestamp,
    pub(crate) gateway_request_id: &'a str,
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

/// Issues the retrieval and records it, unless an equal one is under way, or may be. Once Belvo has
/// accepted it the answer is 202, recorded or not: a caller who saw an error would ask again, while
/// the webhook makes the record in any case. A failure between the intent and Belvo's answer leaves
/// the intent unknown: nothing equal is sent before Belvo's webhook claims it or half an hour has
/// passed.
pub(crate) async fn issue(
    requesting: &Requesting,
    asking: &Asking<'_>,
) -> Result<RequestId, Problem> {
    let (requests, retrieval) = (&requesting.requests, &asking.retrieval);
    let link = requests
        .link(&retrieval.link)
        .await
        .map_err(|error| unavailable(&error))?;
    if let Some(block) = link.as_ref().and_then(LinkRecord::block) {
        return Err(blocked(block));
    }
    let holder = link
        .as_ref()
        .map_or_else(|| (&retrieval.link).into(), LinkRecord::quota_holder);
    match requests
        .intend(retrieval, asking.at)
        .await
        .map_err(|error| unavailable(&error))?
    {
        Intention::Begun => {}
        Intention::InFlight(id) => return Ok(id),
        Intention::Sending => return Err(in_progress()),
        Intention::Unknown { until } => return Err(unresolved(until, asking.at)),
    }
    let outcome = match quota::reserve(requesting, asking, &holder).await {
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
                quota::settle(requesting, asking, &holder, &error).await;
                note_refusal(requesting, asking, &error).await;
                withdraw(requesting, asking).await;
            }
            Err(belvo_problem(&error))
        }
    }
}

/// Remembers what a refusal says of the link, so that the next retrieval is not sent in vain: after
/// six, Belvo calls a link invalid.
async fn note_refusal(requesting: &Requesting, asking: &Asking<'_>, error: &BelvoError) {
    let BelvoError::Rejected { code, .. } = error else {
        return;
    };
    let link = &asking.retrieval.link;
    // A link that is not otherwise known is not entered for a mistake in its id.
    let refused = |known: LinkRecord| known.refused(code, asking.at);
    if let Err(error) = requesting.requests.change_link(link, refused).await {
        tracing::warn!(link.id = link.as_str(), cause = %chain(&error), "refusal not noted");
    }
}

/// Records what Belvo accepted, and then settles its intent: an intent that is settled has a
/// request that is looked after. What cannot be recorded is only logged; the intent stays unknown
/// until the webhook, which makes up for it, or its time.
async fn record(
    requesting: &Requesting,
    asking: &Asking<'_>,
    id: RequestId,
    ready: bool,
) -> RequestId {
    tracing::info!(
        correlation.id = id.as_str(),
        gateway.request_id = asking.gateway_request_id,
        link.id = asking.retrieval.link.as_str(),
        resource = asking.retrieval.resource.name(),
        window = asking.retrieval.window.map(tracing::field::display),
        answered_at_once = ready,
        "retrieval issued"
    );
    let facts = facts(requesting, &asking.retrieval, &id);
    let recorded = async {
        requesting.requests.issued(&facts).await?;
        requesting.requests.sent(&asking.retrieval, &id).await
    };
    if let Err(error) = recorded.await {
        tracing::error!(correlation.id = id.as_str(), cause = %chain(&error), "retrieval issued but not recorded");
    }
    id
}

/// Gives up the right to send. If that fails, it ends by itself after half an hour.
async fn withdraw(requesting: &Requesting, asking: &Asking<'_>) {
    if let Err(error) = requesting
        .requests
        .withdraw(&asking.retrieval, asking.at)
        .await
    {
        tracing::warn!(link.id = asking.retrieval.link.as_str(), cause = %chain(&error), "intent not withdrawn");
    }
}

/// Starts the collection that a webhook would start.
async fn announce(
    requesting: &Requesting,
    retrieval: &Retrieval,
    id: &RequestId,
) -> Result<(), Problem> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(correlation.id = id.as_str(), cause = %chain(error), "data ready but collection not started");
        unconfirmed().for_request(Some(id.clone()))
    };
    let delivery = Delivery::of_ready_request(retrieval.resource, &retrieval.link, id);
    let delivery = delivery.map_err(|error| failed(&error))?;
    requesting
        .queue
        .send(&delivery)
        .await
        .map_err(|error| failed(&error))
}

fn facts(requesting: &Requesting, retrieval: &Retrieval, id: &RequestId) -> Issued {
    let at = Timestamp::now();
    Issued {
        id: id.clone(),
        link: retrieval.link.clone(),
        resource: retrieval.resource,
        window: retrieval.window,
        account: retrieval.account.clone(),
        direction: retrieval.direction,
        at,
        due_at: at.plus_seconds(requesting.request_due_s.into()),
    }
}

fn log_refusal(error: &BelvoError, retrieval: &Retrieval, gateway_request_id: &str) {
    let cause = chain(error).to_string();
    let link = retrieval.link.as_str();
    if error.advice() == Advice::Alarm {
        tracing::error!(
            gateway.request_id = gateway_request_id,
            link.id = link,
            cause,
            "Belvo cannot be used"
        );
    } else {
        tracing::warn!(
            gateway.request_id = gateway_request_id,
            link.id = link,
            cause,
            "retrieval not issued"
        );
    }
}

/// What the caller is told, and above all whether asking again may cost a second retrieval.
fn belvo_problem(error: &BelvoError) -> Problem {
    if error.is_ambiguous() {
        return unconfirmed();
    }
    match error {
        BelvoError::Rejected {
            code,
            message,
            field,
            belvo_request_id,
            ..
        } => {
            let detail = if message.is_empty() {
                "Belvo refused the request"
            } else {
                message
            };
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused-by-belvo", detail)
                .about(field.as_deref())
                .from_belvo(code, belvo_request_id.as_deref())
        }
        BelvoError::Later { code, after, .. } => Problem::unavailable("Belvo cannot do it now")
            .from_belvo(code, None)
            .retry_after(after.as_secs()),
        BelvoError::Unreachable(_) => {
            Problem::unavailable("Belvo cannot be reached; no retrieval was spent").retry_after(3)
        }
        _ => Problem::unavailable(
            "Belvo cannot be used until an operator acts; no retrieval was spent",
        ),
    }
}

fn blocked(block: Block) -> Problem {
    let detail = format!(
        "nothing can be retrieved for this link, and nothing was sent to Belvo; {}",
        block.reason.remedy()
    );
    Problem::new(StatusCode::CONFLICT, "link-blocked", detail).with_block(block)
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
    Problem::new(StatusCode::CONFLICT, "unresolved", detail)
        .retry_after(until.millis_since(now) / 1_000)
}

pub(crate) fn unconfirmed() -> Problem {
    let detail = "Belvo did not confirm the retrieval but may have started it; an equal request is refused \
                  until Belvo's webhook has told, or half an hour has passed";
    Problem::new(StatusCode::BAD_GATEWAY, "unconfirmed", detail)
}
