//! When a request to Belvo may be sent.

use std::{sync::Arc, time::Duration};

use domain::{Spacing, Timestamp};
use tokio::time::sleep;

use super::{BelvoError, RateLimiter};
use crate::store::{self, Admission};

/// The longest a request waits at the shared pace. With the time for its answer and for what is
/// written before and after, it fits into the 29 s of `request`.
const PATIENCE: Duration = Duration::from_secs(5);

/// What keeps requests below Belvo's rate limit.
#[derive(Clone)]
pub enum Pace {
    /// For a function of which so few environments run that each has a share of its own.
    InProcess(Arc<RateLimiter>),
    /// For one of which as many run as there are callers.
    Shared(store::Pace, Spacing),
}

impl Pace {
    /// A share of so many requests in 30 seconds, of this process alone.
    #[must_use]
    pub fn in_process(requests_per_30_s: u32) -> Self {
        Self::InProcess(Arc::new(RateLimiter::new(requests_per_30_s)))
    }

    /// A share of so many requests in 30 seconds, of all processes with the same table.
    #[must_use]
    pub fn shared(pace: store::Pace, requests_per_30_s: u32) -> Self {
        Self::Shared(pace, Spacing::per_30_s(requests_per_30_s))
    }

    /// Waits until a request may be sent, which in this process goes behind others or not. At the
    /// shared pace it is refused if too many wait.
    pub(super) async fn admit(&self, goes_first: bool) -> Result<(), BelvoError> {
        match self {
            Self::InProcess(limiter) => {
                if goes_first {
                    limiter.admit().await;
                } else {
                    limiter.admit_behind().await;
                }
                Ok(())
            }
            Self::Shared(pace, spacing) => {
                match pace.admit(*spacing, PATIENCE, Timestamp::now()).await? {
                    Admission::After(wait) => sleep(wait).await,
                    Admission::Refused { retry_after: after } => {
                        return Err(BelvoError::TooManyRequests { after });
                    }
                }
                Ok(())
            }
        }
    }
}
