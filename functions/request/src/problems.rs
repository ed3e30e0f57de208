//! What a caller sees of a failure, and what the log sees of its cause.

use domain::{Block, Intent, LinkId, RequestId, Timestamp};
use lambda_http::tracing;
use shared::{
    advice::Advice,
    belvo::BelvoError,
    cause::chain,
    problem::{Problem, ProblemKind},
    store::StoreError,
    telemetry::Event,
};

use crate::retrieval_request::RetrievalRequest;

/// A retrieval that was not issued. The problem says above all whether a retry may use up a second
/// retrieval, and why Belvo refused, in Belvo's words.
pub(crate) fn of_retrieval(error: &BelvoError, asked: &RetrievalRequest) -> Problem {
    if let Some(problem) = unsent(error) {
        return problem;
    }
    log(error, Some(&asked.retrieval.link));
    match error {
        _ if error.is_ambiguous() => unconfirmed(asked.at),
        BelvoError::Rejected { message, .. } => match message.as_str() {
            "" => refused(error, "Belvo refused the request."),
            message => refused(error, message),
        },
        BelvoError::Unreachable(_) => {
            Problem::unavailable("Belvo cannot be reached. No retrieval was spent.").retry_after(3)
        }
        BelvoError::Later { .. } => later(error),
        BelvoError::NeedsOperator {
            retry_after: Some(after),
            ..
        } => Problem::unavailable(
            "Belvo does not accept the API keys, which may just have been rotated. No retrieval \
             was spent.",
        )
        .retry_after(after.as_secs() + 1),
        _ => Problem::unavailable(
            "Belvo cannot be used until an operator acts. No retrieval was spent.",
        ),
    }
}

/// Another call, which is safe to repeat. Belvo's own words stay inside: they may repeat a value,
/// such as a document number.
pub(crate) fn of_call(error: &BelvoError) -> Problem {
    if let Some(problem) = unsent(error) {
        return problem;
    }
    log(error, None);
    match error {
        BelvoError::Rejected { .. } => refused(
            error,
            "Belvo refused the request; `belvo_code` says why, and `field` where.",
        ),
        BelvoError::Later { .. } => later(error),
        _ if error.advice() == Advice::Alarm => {
            Problem::unavailable("Belvo cannot be used until an operator acts.")
        }
        _ => Problem::unavailable("Belvo gave no usable answer. The call is safe to repeat.")
            .retry_after(3),
    }
}

/// A call that was not sent, because of the pace at which calls are.
fn unsent(error: &BelvoError) -> Option<Problem> {
    match error {
        BelvoError::TooManyRequests { after } => {
            log(error, None);
            let detail = "Nothing was sent to Belvo, which takes a limited number of calls in 30 \
                          seconds, and too many wait already. Try again.";
            let problem = Problem::new(ProblemKind::TooManyCalls, detail);
            Some(problem.retry_after(after.as_secs() + 1))
        }
        BelvoError::NoPace(error) => Some(unrecorded(error)),
        _ => None,
    }
}

fn log(error: &BelvoError, link: Option<&LinkId>) {
    let cause = chain(error).to_string();
    let link = link.map(LinkId::as_str);
    if error.advice() == Advice::Alarm {
        tracing::error!(
            event = Event::BelvoUnusable.name(),
            link.id = link,
            cause,
            "Belvo cannot be used"
        );
    } else {
        tracing::warn!(
            event = Event::BelvoCallFailed.name(),
            link.id = link,
            cause,
            "the call to Belvo failed"
        );
    }
}

fn refused(error: &BelvoError, detail: &str) -> Problem {
    let problem = Problem::new(ProblemKind::RefusedByBelvo, detail);
    match error {
        BelvoError::Rejected {
            code,
            field,
            belvo_request_id,
            ..
        } => problem
            .about(field.as_deref())
            .from_belvo(code, belvo_request_id.as_deref()),
        _ => problem,
    }
}

fn later(error: &BelvoError) -> Problem {
    let problem = Problem::unavailable("Belvo cannot process this right now. Retry later.");
    match error {
        BelvoError::Later { code, after, .. } => {
            problem.from_belvo(code, None).retry_after(after.as_secs())
        }
        _ => problem,
    }
}

/// The store failed before the request was processed.
pub(crate) fn unrecorded(error: &StoreError) -> Problem {
    tracing::error!(
        event = Event::RequestNotProcessed.name(),
        cause = %chain(error),
        "the request could not be recorded, so it was not processed"
    );
    let detail = "The request could not be recorded, so it was not processed. Try again.";
    Problem::unavailable(detail).retry_after(1)
}

pub(crate) fn blocked(block: Block) -> Problem {
    let detail = format!(
        "Nothing can be retrieved for this link, and nothing was sent to Belvo. {}",
        block.reason.remedy()
    );
    Problem::new(ProblemKind::LinkBlocked, detail).with_block(block)
}

pub(crate) fn being_sent() -> Problem {
    let detail = "An identical retrieval is being sent. Retry for its id.";
    Problem::new(ProblemKind::InProgress, detail).retry_after(2)
}

pub(crate) fn unresolved(until: Timestamp, now: Timestamp) -> Problem {
    let detail = format!(
        "Belvo gave no answer to an identical retrieval, and may be working on it. Retry after \
         {until}, or once a webhook that names it has been collected."
    );
    Problem::new(ProblemKind::Unresolved, detail).retry_after(until.seconds_since(now))
}

/// A retrieval that was sent at this time, at the latest, and not answered.
pub(crate) fn unconfirmed(sent_at: Timestamp) -> Problem {
    let until = Intent::open(sent_at).until();
    let detail = format!(
        "Belvo gave no answer in time, and may be working on the retrieval. An identical request \
         is refused until {until}, or until a webhook that names the retrieval has been collected."
    );
    Problem::new(ProblemKind::Unconfirmed, detail)
        .retry_after(until.seconds_since(Timestamp::now()))
}

/// Belvo answered with the data, so a retrieval was spent and must not be repeated.
pub(crate) fn not_queued(request: RequestId) -> Problem {
    let detail = format!(
        "Belvo has the data, but its collection could not be queued. It is collected by the \
         overdue check; follow GET /requests/{request}."
    );
    Problem::new(ProblemKind::Unconfirmed, detail).for_request(Some(request))
}
