//! Refuses what Belvo would refuse: each customer has a limited number of retrievals of
//! transactions a month. Retrievals of other resources are not counted: the limits are Open Finance
//! Brazil's.

use domain::{Limits, Quota, QuotaHolder};
use lambda_http::tracing;
use shared::{
    belvo::{BelvoError, NO_RETRIEVAL_LEFT},
    cause::chain,
    problem::{Problem, ProblemKind},
    store::{Quotas, Reservation, StoreError},
    telemetry::Event,
};

use crate::{problems, retrieval_request::RetrievalRequest};

/// Counts the retrieval, or refuses it: nothing is sent beyond the limit, nor if it cannot be
/// counted. Returns what is left then of those that Belvo limits, in percent.
pub(crate) async fn reserve(
    quotas: &Quotas,
    limits: Limits,
    asked: &RetrievalRequest,
    holder: &QuotaHolder,
) -> Result<Option<u32>, Problem> {
    let Some(class) = asked.class() else {
        return Ok(None);
    };

    let limit = limits.of(class);
    let reservation = quotas.reserve(holder, class, limit, asked.at).await;
    match reservation.map_err(|error| problems::unrecorded(&error))? {
        Reservation::Granted { left } => Ok(Some(left * 100 / limit)),
        Reservation::Exhausted => {
            let left = quotas.left(holder, limits, asked.at).await;
            let left = left.map_err(|error| problems::unrecorded(&error))?;
            let quota = left.into_iter().find(|quota| quota.class == class);
            Err(refusal(asked, class.name(), quota))
        }
    }
}

/// Corrects the count after Belvo did not accept a retrieval. A count that cannot be corrected is
/// one too high, and Belvo's own refusal still applies.
pub(crate) async fn settle(
    quotas: &Quotas,
    asked: &RetrievalRequest,
    holder: &QuotaHolder,
    error: &BelvoError,
) {
    let Some(class) = asked.class() else {
        return;
    };

    let is_closed = matches!(
        error,
        BelvoError::Rejected { code, .. } if code == NO_RETRIEVAL_LEFT
    );
    let outcome = async {
        quotas.release(holder, class, asked.at).await?;
        if is_closed {
            quotas.refused(holder, class, asked.at).await?;
        }
        Ok::<_, StoreError>(())
    };
    if let Err(error) = outcome.await {
        tracing::warn!(
            event = Event::QuotaNotCorrected.name(),
            link.id = asked.retrieval.link.as_str(),
            cause = %chain(&error),
            "the count of retrievals was not corrected"
        );
    }
}

fn refusal(asked: &RetrievalRequest, class: &str, quota: Option<Quota>) -> Problem {
    let closed_until = quota.as_ref().and_then(|quota| quota.closed_until);
    let why = match closed_until {
        Some(until) => format!(
            "Belvo has refused a {class} retrieval of this link's customer because none is left. \
             It is asked again after {until}."
        ),
        None => format!("This link's customer has no {class} retrieval left this month."),
    };
    let detail = format!("{why} Nothing was sent to Belvo.");
    let problem = Problem::new(ProblemKind::QuotaExhausted, detail);
    let Some(quota) = quota else {
        return problem;
    };

    let again_at = closed_until.or(quota.resets_at);
    let wait_s = again_at.map_or(0, |at| at.seconds_since(asked.at));
    problem.retry_after(wait_s).with_quota(quota)
}
