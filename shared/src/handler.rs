//! What the HTTP functions share: the platform is peeled off here, and the code behind it returns a
//! response or a problem.

use std::time::Duration;

use domain::{LinkId, RequestId, WebhookId};
use lambda_http::{
    Body, Request, Response,
    http::StatusCode,
    tracing::{Instrument, error_span, field::display, info},
};
use tokio::time::timeout;

use crate::{
    http::{self, gateway_request_id},
    problem::Problem,
    telemetry::{ALWAYS, Event, Trace},
};

/// Answers a request with what `handler` returns within `limit`, or else with `too_late`. The
/// problem, and the span of every line logged meanwhile, carry API Gateway's request id; the span
/// has the trace's id, too.
pub async fn answer(
    request: &Request,
    limit: Duration,
    too_late: impl FnOnce() -> Problem,
    handler: impl Future<Output = Result<Response<Body>, Problem>>,
) -> Response<Body> {
    let id = gateway_request_id(request);
    let trace = Trace::current();
    let trace_id = trace.as_ref().map(|trace| display(trace.id()));
    let span = error_span!("call", gateway.request_id = id, trace.id = trace_id);
    let outcome = timeout(limit, handler.instrument(span.clone())).await;

    let response = outcome
        .unwrap_or_else(|_elapsed| Err(too_late()))
        .unwrap_or_else(|problem| problem.at_gateway(id).into_response());
    span.in_scope(|| log_caller(request, response.status()));
    response
}

/// The audit line of a signed call, written at any log level. Belvo's webhooks are not signed.
fn log_caller(request: &Request, status: StatusCode) {
    let caller = http::caller_with_session(request);
    if caller.is_empty() {
        return;
    }
    // Only what is an id: a caller may have put anything there by mistake.
    let link = LinkId::parse(&http::path_parameter(request, "link")).ok();
    let route = http::route_key(request).unwrap_or_default();
    let id_in = |path| {
        let id = http::path_parameter(request, "id");
        route.contains(path).then_some(id)
    };
    let of_request = id_in("/requests/{id}").and_then(|id| RequestId::parse(&id).ok());
    let of_webhook = id_in("/webhooks/{id}").and_then(|id| WebhookId::parse(&id).ok());
    info!(
        target: ALWAYS,
        event = Event::CallAnswered.name(),
        caller,
        route,
        link.id = link.as_ref().map(LinkId::as_str),
        request.id = of_request.as_ref().map(RequestId::as_str),
        webhook.id = of_webhook.as_ref().map(WebhookId::as_str),
        http.status = status.as_u16(),
        "call answered"
    );
}
