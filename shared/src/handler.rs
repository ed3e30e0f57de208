//! What the HTTP functions share: the platform is peeled off here, and what is left returns an
//! answer or a problem.

use std::time::Duration;

use lambda_http::{
    Body, Request, Response,
    tracing::{Instrument, error_span},
};
use tokio::time::timeout;

use crate::{http::gateway_request_id, problem::Problem};

/// Answers a request by what `handler` returns within `limit`, or by `too_late`. API Gateway's id
/// of the call is in the problem, and in the span of every line that is logged meanwhile.
pub async fn answer(
    request: &Request,
    limit: Duration,
    too_late: impl FnOnce() -> Problem,
    handler: impl Future<Output = Result<Response<Body>, Problem>>,
) -> Response<Body> {
    let id = gateway_request_id(request);
    let span = error_span!("call", gateway.request_id = id);
    let outcome = timeout(limit, handler.instrument(span)).await;

    outcome
        .unwrap_or_else(|_elapsed| Err(too_late()))
        .unwrap_or_else(|problem| problem.at_gateway(&id).into_response())
}
