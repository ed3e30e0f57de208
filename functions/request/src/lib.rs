//! What is asked of Belvo: links and the widget that makes them, and above all retrievals, in the
//! asynchronous mode. A retrieval is scarce (Brazil's regulation allows 8 long ones per customer
//! and month), so nothing here sends one twice.

mod body;
mod connect;
mod fields;
mod idempotency;
mod issue;
mod links;
mod quota;

use std::time::Duration;

use lambda_http::{Body, Request, Response, http::StatusCode, tracing};
use shared::{
    belvo::{Advice, BelvoError, Client},
    cause::chain,
    domain::Limits,
    http,
    problem::Problem,
    queue::Queue,
    store::{Requests, StoreError},
};
use tokio::time::timeout;
use url::Url;

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
    /// The hosted Connect Widget.
    pub widget_url: Url,
}

/// Kept below the 29 seconds that template.yaml gives the function.
const TIME_TO_ANSWER: Duration = Duration::from_secs(27);

/// The one route that must not be asked twice.
const RETRIEVE: &str = "POST /requests";

/// Answers the routes that ask something of Belvo.
pub async fn handle(requesting: &Requesting, request: Request) -> Response<Body> {
    let gateway_request_id = http::gateway_request_id(&request);
    let outcome = timeout(
        TIME_TO_ANSWER,
        answer(requesting, &request, &gateway_request_id),
    )
    .await;
    let outcome = outcome.unwrap_or_else(|_| Err(late(&request)));
    outcome.unwrap_or_else(|problem| problem.at_gateway(&gateway_request_id).into_response())
}

async fn answer(
    requesting: &Requesting,
    request: &Request,
    gateway_request_id: &str,
) -> Result<Response<Body>, Problem> {
    match http::route_key(request).as_deref() {
        Some(RETRIEVE) => issue::retrieve(requesting, request, gateway_request_id).await,
        Some("POST /connect/token") => connect::mint(requesting, request, gateway_request_id).await,
        Some("POST /links") => links::register(requesting, request, gateway_request_id).await,
        Some("DELETE /links/{link}") => {
            links::delete(requesting, request, gateway_request_id).await
        }
        _ => Err(Problem::not_found("no such route")),
    }
}

fn late(request: &Request) -> Problem {
    match http::route_key(request).as_deref() {
        Some(RETRIEVE) => issue::unconfirmed(),
        _ => Problem::unavailable("it took too long; ask again, which does no harm").retry_after(1),
    }
}

/// What the caller is told of a call that may be repeated without harm; the cause goes to the log.
/// Belvo's own words stay inside: they may repeat a value, such as a document number.
pub(crate) fn repeatable(error: &BelvoError, gateway_request_id: &str) -> Problem {
    let cause = chain(error).to_string();
    if error.advice() == Advice::Alarm {
        tracing::error!(
            gateway.request_id = gateway_request_id,
            cause,
            "Belvo cannot be used"
        );
    } else {
        tracing::warn!(
            gateway.request_id = gateway_request_id,
            cause,
            "Belvo did not do it"
        );
    }
    match error {
        BelvoError::Rejected {
            code,
            field,
            belvo_request_id,
            ..
        } => {
            let detail = "Belvo refused the request; `belvo_code` says why, and `field` where";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused-by-belvo", detail)
                .about(field.as_deref())
                .from_belvo(code, belvo_request_id.as_deref())
        }
        BelvoError::Later { code, after, .. } => Problem::unavailable("Belvo cannot do it now")
            .from_belvo(code, None)
            .retry_after(after.as_secs()),
        _ if error.advice() == Advice::Alarm => {
            Problem::unavailable("Belvo cannot be used until an operator acts")
        }
        _ => Problem::unavailable("Belvo did not answer; ask again, which does no harm")
            .retry_after(3),
    }
}

pub(crate) fn unavailable(error: &StoreError) -> Problem {
    tracing::error!(cause = %chain(error), "request not carried out");
    Problem::unavailable(
        "the request could not be recorded, so nothing was sent to Belvo; try again",
    )
    .retry_after(1)
}
