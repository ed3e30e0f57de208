//! `POST /requests`: a retrieval is sent at most once.

use domain::{LinkRecord, QuotaHolder, RequestId, Timestamp};
use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, StatusCode, header::LOCATION},
    tracing,
};
use serde_json::json;
use shared::{
    belvo::{BelvoError, RetrievalOutcome},
    cause::chain,
    http,
    problem::Problem,
    queue::Task,
    store::IntentOutcome,
    telemetry::{ALWAYS, Event},
};

use crate::{App, body, idempotency, problems, quota, retrieval_request::RetrievalRequest};

/// Answers 202 with the id of the retrieval, or a problem that says whether Belvo may have acted.
pub(crate) async fn retrieve(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let at = Timestamp::now();
    let asked = RetrievalRequest {
        retrieval: body::parse(request.body().as_ref(), at.day())?,
        at,
    };

    let id = match idempotency::key(request)? {
        Some(key) => {
            let key = idempotency::of_caller(request, &key);
            let keys = &app.control.idempotency_keys;
            idempotency::once(keys, &key, &asked, issue(app, &asked)).await?
        }
        None => issue(app, &asked).await?,
    };
    Ok(accepted(&id))
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

/// Issues the retrieval and records it, unless an identical one is, or may be, in flight. Once
/// Belvo has accepted it the answer is 202, recorded or not: a caller who saw an error would retry,
/// while the webhook creates the record in any case. A failure between the intent and Belvo's
/// answer leaves the intent unknown: no identical one is sent until a request that Belvo's webhook
/// claims it for has ended, or half an hour has passed.
async fn issue(app: &App, asked: &RetrievalRequest) -> Result<RequestId, Problem> {
    let retrieval = &asked.retrieval;
    let link = app.control.links.get(&retrieval.link).await;
    let link = link.map_err(|error| problems::unrecorded(&error))?;
    if let Some(block) = link.as_ref().and_then(LinkRecord::block) {
        return Err(problems::blocked(block));
    }
    let holder = match &link {
        Some(known) => {
            app.belvo.is_about(known.connection.institution.as_deref());
            known.quota_holder()
        }
        None => (&retrieval.link).into(),
    };

    let intent = app.control.intents.begin(retrieval, asked.at).await;
    match intent.map_err(|error| problems::unrecorded(&error))? {
        IntentOutcome::Begun => {}
        IntentOutcome::InFlight(id) => return Ok(id),
        IntentOutcome::Sending => return Err(problems::being_sent()),
        IntentOutcome::Unknown { until } => return Err(problems::unresolved(until, asked.at)),
    }
    let left_percent = reserve(app, asked, &holder).await?;

    let is_known = link.as_ref().is_some_and(LinkRecord::is_known);
    let outcome = send(app, asked, &holder).await?;
    let id = match &outcome {
        RetrievalOutcome::Accepted(id) => id.clone(),
        // It gets an id from us.
        RetrievalOutcome::Ready => RequestId::random(),
    };
    log_issued(asked, &id, left_percent);
    record(app, asked, &id, is_known).await;
    if outcome == RetrievalOutcome::Ready {
        collect_at_once(app, asked, &id).await?;
    }
    Ok(id)
}

/// Counts the retrieval, or withdraws its intent. Returns what is left then, in percent.
async fn reserve(
    app: &App,
    asked: &RetrievalRequest,
    holder: &QuotaHolder,
) -> Result<Option<u32>, Problem> {
    let reserved = quota::reserve(&app.control.quotas, app.limits, asked, holder).await;
    if reserved.is_err() {
        withdraw(app, asked).await;
    }
    reserved
}

/// Sends the retrieval. If Belvo does not accept it, that is recorded.
async fn send(
    app: &App,
    asked: &RetrievalRequest,
    holder: &QuotaHolder,
) -> Result<RetrievalOutcome, Problem> {
    match app.belvo.retrieve(&asked.retrieval).await {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            if error.is_ambiguous() {
                record_unanswered(app, asked).await;
            } else {
                undo(app, asked, holder, &error).await;
            }
            Err(problems::of_retrieval(&error, asked))
        }
    }
}

/// Starts the collection that a webhook would start: Belvo ignored the asynchronous mode and has
/// the data.
async fn collect_at_once(
    app: &App,
    asked: &RetrievalRequest,
    request: &RequestId,
) -> Result<(), Problem> {
    let task = Task::DataReady {
        resource: asked.retrieval.resource,
        link: asked.retrieval.link.clone(),
        request: request.clone(),
        at: Timestamp::now(),
    };
    if let Err(error) = app.queue.send(&task).await {
        tracing::error!(
            event = Event::DataReadyNotQueued.name(),
            correlation.id = request.as_str(),
            cause = %chain(&error),
            "Belvo answered with the data, but its collection could not be queued"
        );
        return Err(problems::not_queued(request.clone()));
    }
    Ok(())
}

/// Logs the line behind the metrics of retrievals (template.yaml).
fn log_issued(asked: &RetrievalRequest, id: &RequestId, left_percent: Option<u32>) {
    let retrieval = &asked.retrieval;
    tracing::info!(
        target: ALWAYS,
        event = Event::RetrievalIssued.name(),
        correlation.id = id.as_str(),
        link.id = retrieval.link.as_str(),
        resource = retrieval.resource.name(),
        window = retrieval.window.map(tracing::field::display),
        left_percent,
        "retrieval issued"
    );
}

/// Records what Belvo accepted, then that the link is known if it was not, and then settles the
/// intent: a settled intent always has a request that is checked, of a link whose webhooks are not
/// held. A failure to record is only logged; the intent then stays unknown until the webhook makes
/// up for it or its time is over.
async fn record(app: &App, asked: &RetrievalRequest, id: &RequestId, is_known: bool) {
    let at = Timestamp::now();
    let due_at = at.plus_seconds(app.request_due_s.into());
    let recorded = async {
        let requests = &app.control.requests;
        requests.issued(id, &asked.retrieval, at, due_at).await?;
        if !is_known {
            let requested = |known: LinkRecord| known.requested(at, app.request_due_s);
            let links = &app.control.links;
            links.change(&asked.retrieval.link, requested).await?;
        }
        app.control.intents.settle(&asked.retrieval, id).await
    };
    if let Err(error) = recorded.await {
        tracing::error!(
            event = Event::RetrievalNotRecorded.name(),
            correlation.id = id.as_str(),
            cause = %chain(&error),
            "retrieval issued but not recorded"
        );
    }
}

/// Records that Belvo gave no answer, so that identical requests learn the truth at once. If that
/// fails, they are told for half a minute that it is being sent.
async fn record_unanswered(app: &App, asked: &RetrievalRequest) {
    let (intents, now) = (&app.control.intents, Timestamp::now());
    let recorded = intents.unanswered(&asked.retrieval, asked.at, now);
    if let Err(error) = recorded.await {
        tracing::warn!(
            event = Event::UnansweredNotRecorded.name(),
            link.id = asked.retrieval.link.as_str(),
            cause = %chain(&error),
            "could not record that Belvo gave no answer"
        );
    }
}

/// Undoes what was written for a retrieval that Belvo definitely did not start.
async fn undo(app: &App, asked: &RetrievalRequest, holder: &QuotaHolder, error: &BelvoError) {
    quota::settle(&app.control.quotas, asked, holder, error).await;
    record_refusal(app, asked, error).await;
    withdraw(app, asked).await;
}

/// Records what a refusal says about the link, so that the next retrieval is not sent in vain:
/// after six, Belvo declares a link invalid.
async fn record_refusal(app: &App, asked: &RetrievalRequest, error: &BelvoError) {
    let BelvoError::Rejected { code, .. } = error else {
        return;
    };
    let link = &asked.retrieval.link;
    let blocked = |known: LinkRecord| known.refused(code, asked.at);
    if let Err(error) = app.control.links.change(link, blocked).await {
        tracing::warn!(
            event = Event::RefusalNotRecorded.name(),
            link.id = link.as_str(),
            cause = %chain(&error),
            "could not record on the link why Belvo refused"
        );
    }
}

/// Withdraws the intent. If that fails, the intent expires after half an hour.
async fn withdraw(app: &App, asked: &RetrievalRequest) {
    let withdrawn = app.control.intents.withdraw(&asked.retrieval, asked.at);
    if let Err(error) = withdrawn.await {
        tracing::warn!(
            event = Event::IntentNotWithdrawn.name(),
            link.id = asked.retrieval.link.as_str(),
            cause = %chain(&error),
            "the intent was not withdrawn; an identical request is refused for half an hour"
        );
    }
}
