//! `Idempotency-Key`: the same request with the same key is carried out once ("The Idempotency-Key
//! HTTP Header Field", IETF draft).

use lambda_http::{Request, http::StatusCode, tracing};
use shared::{cause::chain, domain::RequestId, problem::Problem, store::Keyed};

use crate::{
    Requesting,
    issue::{Asking, issue},
    unavailable,
};

const HEADER: &str = "idempotency-key";
const LONGEST: usize = 255;

/// The key of a request, if it has one: 1 to 255 printable ASCII characters.
pub(crate) fn key(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(HEADER) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=LONGEST).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Problem::field(
            "Idempotency-Key",
            "Idempotency-Key must be 1 to 255 printable ASCII characters",
        )),
    }
}

/// Issues the retrieval, or repeats the answer that its key had. A request that came to nothing is
/// forgotten: with the same key it may be sent again.
pub(crate) async fn once(
    requesting: &Requesting,
    asking: &Asking<'_>,
    key: Option<&str>,
) -> Result<RequestId, Problem> {
    let Some(key) = key else {
        return issue(requesting, asking).await;
    };
    let requests = &requesting.requests;
    let known = requests
        .begin(key, &asking.retrieval.fingerprint(), asking.at)
        .await;
    match known.map_err(|error| unavailable(&error))? {
        Keyed::Fresh => {}
        Keyed::Answered(id) => return Ok(id),
        Keyed::OtherRequest => {
            let detail =
                "this Idempotency-Key was sent with another body; use a new key for a new request";
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                detail,
            ));
        }
        Keyed::InProgress => {
            let detail = "the request with this Idempotency-Key is being carried out; ask again for its answer";
            return Err(Problem::new(StatusCode::CONFLICT, "in-progress", detail).retry_after(2));
        }
    }
    let outcome = issue(requesting, asking).await;
    let noted = match &outcome {
        Ok(id) => requests.answered(key, id).await,
        Err(_) => requests.forget(key).await,
    };
    if let Err(error) = noted {
        // The intent still keeps an equal retrieval from being sent twice.
        tracing::warn!(gateway.request_id = asking.gateway_request_id, cause = %chain(&error), "answer not remembered");
    }
    outcome
}
