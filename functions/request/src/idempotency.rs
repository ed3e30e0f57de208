//! `Idempotency-Key`: the same request with the same key is processed once ("The Idempotency-Key
//! HTTP Header Field", IETF draft).

use domain::RequestId;
use lambda_http::{Request, tracing};
use shared::{
    cause::chain,
    http,
    problem::{Problem, ProblemKind},
    store::{IdempotencyKeys, KeyState},
    telemetry::Event,
};

use crate::{problems, retrieval_request::RetrievalRequest};

const HEADER: &str = "idempotency-key";
const LONGEST: usize = 255;

/// The key of a request, if it has one: 1 to 255 printable ASCII characters.
pub(crate) fn key(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(HEADER) else {
        return Ok(None);
    };
    let is_printable = |key: &&str| key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match value.to_str().ok().filter(is_printable) {
        Some(key) if (1..=LONGEST).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Problem::field(
            "Idempotency-Key",
            "Idempotency-Key must be 1 to 255 printable ASCII characters",
        )),
    }
}

/// The key as one of its caller's: another caller may use the same one for something else.
pub(crate) fn of_caller(request: &Request, key: &str) -> String {
    format!("{}\n{key}", http::caller(request))
}

/// Processes a request, or repeats the answer recorded for its key. A request that had no effect is
/// forgotten, so that it can be sent again with the same key.
pub(crate) async fn once(
    keys: &IdempotencyKeys,
    key: &str,
    asked: &RetrievalRequest,
    work: impl Future<Output = Result<RequestId, Problem>>,
) -> Result<RequestId, Problem> {
    let fingerprint = asked.retrieval.intent_key();
    let state = keys.begin(key, &fingerprint, asked.at).await;
    match state.map_err(|error| problems::unrecorded(&error))? {
        KeyState::New => {}
        KeyState::Answered(id) => return Ok(id),
        KeyState::Reused => {
            let detail = "This Idempotency-Key was sent with another body. Use a new key for a new \
                          request.";
            return Err(Problem::new(ProblemKind::IdempotencyKeyReused, detail));
        }
        KeyState::InProgress => {
            let detail = "The request with this Idempotency-Key is being processed. Retry for its \
                          answer.";
            return Err(Problem::new(ProblemKind::InProgress, detail).retry_after(2));
        }
    }

    let outcome = work.await;
    let recorded = match &outcome {
        Ok(id) => keys.answered(key, id).await,
        Err(_) => keys.forget(key).await,
    };
    if let Err(error) = recorded {
        // The intent still keeps an identical retrieval from being sent twice.
        tracing::warn!(
            event = Event::AnswerNotRecorded.name(),
            cause = %chain(&error),
            "the answer to the Idempotency-Key was not recorded"
        );
    }
    outcome
}
