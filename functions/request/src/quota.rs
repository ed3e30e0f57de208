//! Refuses what Belvo would refuse: each link has so many retrievals of transactions a month.
//! Retrievals of other resources are not counted: the limits are Open Finance Brazil's.

use lambda_http::{http::StatusCode, tracing};
use shared::{
    belvo::{BelvoError, NO_RETRIEVAL_LEFT},
    cause::chain,
    domain::{QuotaHolder, Resource, RetrievalClass},
    problem::Problem,
    store::Reservation,
};

use crate::{Requesting, issue::Asking, unavailable};

/// Counts the retrieval, or refuses it: nothing is sent beyond the limit, nor while it cannot be
/// counted.
pub(crate) async fn reserve(
    requesting: &Requesting,
    asking: &Asking<'_>,
    holder: &QuotaHolder,
) -> Result<(), Problem> {
    let Some(class) = class(asking) else {
        return Ok(());
    };
    let reservation = requesting
        .requests
        .reserve(holder, class, requesting.limits.of(class), asking.at)
        .await;
    match reservation.map_err(|error| unavailable(&error))? {
        Reservation::Granted => Ok(()),
        Reservation::Exhausted => Err(refusal(requesting, asking, holder, class).await),
    }
}

/// Brings the count in line with what Belvo said instead of accepting. A count that cannot be
/// mended is one too high, and Belvo's own word still counts.
pub(crate) async fn settle(
    requesting: &Requesting,
    asking: &Asking<'_>,
    holder: &QuotaHolder,
    error: &BelvoError,
) {
    let (Some(class), link) = (class(asking), &asking.retrieval.link) else {
        return;
    };
    let outcome = match error {
        BelvoError::Rejected { code, .. } if code == NO_RETRIEVAL_LEFT => {
            requesting
                .requests
                .exhausted(holder, class, asking.at)
                .await
        }
        _ => {
            requesting
                .requests
                .give_back(holder, class, asking.at)
                .await
        }
    };
    if let Err(error) = outcome {
        tracing::warn!(link.id = link.as_str(), cause = %chain(&error), "retrieval count not mended");
    }
}

async fn refusal(
    requesting: &Requesting,
    asking: &Asking<'_>,
    holder: &QuotaHolder,
    class: RetrievalClass,
) -> Problem {
    let quotas = match requesting
        .requests
        .quotas(holder, requesting.limits, asking.at)
        .await
    {
        Ok(quotas) => quotas,
        Err(error) => return unavailable(&error),
    };
    let detail = format!(
        "this link's customer has no {} retrieval left this month; nothing was sent to Belvo",
        class.name()
    );
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "quota-exhausted", detail);
    let Some(quota) = quotas.into_iter().find(|quota| quota.class == class) else {
        return problem;
    };
    let seconds = quota
        .resets_at
        .map_or(0, |at| at.millis_since(asking.at) / 1_000);
    problem.retry_after(seconds).with_quota(quota)
}

/// How a retrieval is counted, if it is.
fn class(asking: &Asking<'_>) -> Option<RetrievalClass> {
    let counted = asking.retrieval.resource == Resource::TRANSACTIONS;
    let window = asking.retrieval.window.filter(|_| counted)?;
    Some(RetrievalClass::of(&window, asking.at.day()))
}
