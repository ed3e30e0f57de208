//! Refuses what Belvo would refuse: each link has so many retrievals a month.

use lambda_http::{http::StatusCode, tracing};
use shared::{
    belvo::{BelvoError, Retrieval},
    cause::chain,
    domain::{RetrievalClass, Timestamp},
    problem::Problem,
    store::{Reservation, StoreError},
};

use crate::Requesting;

/// Belvo's code for a month that has no retrieval left.
const NONE_LEFT: &str = "operational_limits_reached";

/// Counts the retrieval, or refuses it: nothing is sent beyond the limit, nor while it cannot be counted.
pub(crate) async fn reserve(requesting: &Requesting, retrieval: &Retrieval) -> Result<(), Problem> {
    let (class, now) = class(retrieval);
    let reservation = requesting.requests.reserve(&retrieval.link, class, requesting.limits.of(class), now).await;
    match reservation.map_err(|error| unavailable(&error))? {
        Reservation::Granted => Ok(()),
        Reservation::Exhausted => Err(refusal(requesting, retrieval).await),
    }
}

/// Brings the count in line with what Belvo said instead of accepting. What Belvo may have acted on stays counted. A count
/// that cannot be mended is one too high, and Belvo's own word still counts.
pub(crate) async fn settle(requesting: &Requesting, retrieval: &Retrieval, error: &BelvoError) {
    let (class, now) = class(retrieval);
    let outcome = match error {
        error if error.is_ambiguous() => return,
        BelvoError::Rejected { code, .. } if code == NONE_LEFT => {
            requesting.requests.exhausted(&retrieval.link, class, now).await
        }
        _ => requesting.requests.give_back(&retrieval.link, class, now).await,
    };
    if let Err(error) = outcome {
        tracing::warn!(link.id = retrieval.link.as_str(), cause = %chain(&error), "retrieval count not mended");
    }
}

async fn refusal(requesting: &Requesting, retrieval: &Retrieval) -> Problem {
    let (class, now) = class(retrieval);
    let quotas = match requesting.requests.quotas(&retrieval.link, requesting.limits, now).await {
        Ok(quotas) => quotas,
        Err(error) => return unavailable(&error),
    };
    let detail = format!("this link has no {} retrieval left this month; nothing was sent to Belvo", class.name());
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "quota-exhausted", detail);
    let Some(quota) = quotas.into_iter().find(|quota| quota.class == class) else { return problem };
    let seconds = quota.resets_at.map_or(0, |at| at.millis_since(now) / 1_000);
    problem.retry_after(seconds).with_quota(quota)
}

fn class(retrieval: &Retrieval) -> (RetrievalClass, Timestamp) {
    let now = Timestamp::now();
    (RetrievalClass::of(&retrieval.window, now.day()), now)
}

fn unavailable(error: &StoreError) -> Problem {
    tracing::error!(cause = %chain(error), "retrieval not counted");
    Problem::unavailable("the retrieval could not be counted, so it was not sent; try again").retry_after(1)
}
