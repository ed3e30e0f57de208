//! Keeps the requests of this process below Belvo's rate limit: its firewall answers an address
//! that sends more than 80 requests in 30 seconds with an HTML 403 (Belvo's integration checklist).

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Spacing;
use tokio::time::{Duration, Instant, sleep_until};

/// How many intervals a request waits behind others at most, once it is the first of those that do:
/// however many go first, one in a few is not one of them.
const INTERVALS_BEHIND: u32 = 4;

/// Admits at most a given number of requests in any 30 seconds. Those that go first may be sent at
/// once, up to a third of the number; those behind them come evenly, and leave that third to
/// whoever goes first.
pub struct RateLimiter {
    spacing: Spacing,
    /// When the next request would be due if all came evenly.
    due: Mutex<Instant>,
    /// Each is held by the request that is admitted next.
    first: tokio::sync::Mutex<()>,
    behind: tokio::sync::Mutex<()>,
}

impl RateLimiter {
    /// A limit of `requests_per_30_s`, at least three.
    #[must_use]
    pub fn new(requests_per_30_s: u32) -> Self {
        Self {
            spacing: Spacing::per_30_s(requests_per_30_s),
            due: Mutex::new(Instant::now()),
            first: tokio::sync::Mutex::default(),
            behind: tokio::sync::Mutex::default(),
        }
    }

    /// Waits until a request may be sent that goes first.
    pub async fn admit(&self) {
        let _next = self.first.lock().await;
        while let Some(at) = self.wait(self.spacing.slack) {
            sleep_until(at).await;
        }
    }

    /// Waits until a request may be sent that goes behind those.
    pub async fn admit_behind(&self) {
        let _next = self.behind.lock().await;
        let until = Instant::now() + self.spacing.interval * INTERVALS_BEHIND;
        while let Some(at) = self.wait(Duration::ZERO) {
            if Instant::now() >= until {
                return self.admit().await;
            }
            sleep_until(at.min(until)).await;
        }
    }

    /// Until when a request waits that may be sent so long before it is due. If it need not, it
    /// counts as sent.
    fn wait(&self, slack: Duration) -> Option<Instant> {
        let (mut due, now) = (self.due(), Instant::now());
        let at = due.checked_sub(slack).filter(|at| *at > now);
        if at.is_none() {
            *due = (*due).max(now) + self.spacing.interval;
        }
        at
    }

    fn due(&self) -> MutexGuard<'_, Instant> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::join_all;
    use tokio::time::sleep;

    use super::*;

    const SPAN: Duration = Duration::from_secs(30);

    async fn admissions(limiter: &RateLimiter, count: usize) -> Vec<Instant> {
        let mut times = Vec::new();
        for _ in 0..count {
            limiter.admit().await;
            times.push(Instant::now());
        }
        times
    }

    fn assert_at_most(allowed: u32, times: &[Instant]) {
        for (first, start) in times.iter().enumerate() {
            let within = times[first..]
                .iter()
                .take_while(|at| **at < *start + SPAN)
                .count();
            assert!(within <= allowed as usize, "{within} of {allowed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_span_of_30_seconds_holds_more_requests_than_allowed() {
        for allowed in [3, 30, 80] {
            assert_at_most(allowed, &admissions(&RateLimiter::new(allowed), 300).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_holds_whoever_goes_first() {
        for seed in 0..50 {
            let dice = fastrand::Rng::with_seed(seed);
            let allowed = dice.clone().u32(3..100);
            let limiter = RateLimiter::new(allowed);
            let requests = (0..200).map(|number| {
                let mut dice = fastrand::Rng::with_seed(seed * 1_000 + number);
                let limiter = &limiter;
                async move {
                    sleep(Duration::from_millis(dice.u64(0..120_000))).await;
                    if dice.bool() {
                        limiter.admit().await;
                    } else {
                        limiter.admit_behind().await;
                    }
                    Instant::now()
                }
            });
            let mut times = join_all(requests).await;
            times.sort_unstable();
            assert_at_most(allowed, &times);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_listing_does_not_wait() {
        let start = Instant::now();
        let times = admissions(&RateLimiter::new(30), 10).await;
        assert_eq!(times.last(), Some(&start));
    }

    /// Requests behind others, without end.
    fn a_long_listing(limiter: &Arc<RateLimiter>) {
        let limiter = Arc::clone(limiter);
        tokio::spawn(async move {
            loop {
                limiter.admit_behind().await;
            }
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_listing_does_not_wait_for_long_ones() {
        let limiter = Arc::new(RateLimiter::new(30));
        (0..10).for_each(|_| a_long_listing(&limiter));
        sleep(Duration::from_mins(2)).await;

        let start = Instant::now();
        let times = admissions(&limiter, 9).await;
        assert_eq!(times.last(), Some(&start));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_listing_goes_on_however_many_small_ones_there_are() {
        let limiter = Arc::new(RateLimiter::new(30));
        for _ in 0..10 {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move {
                loop {
                    limiter.admit().await;
                }
            });
        }
        sleep(Duration::from_mins(1)).await;

        let start = Instant::now();
        for _ in 0..10 {
            limiter.admit_behind().await;
        }
        // Each waits its intervals, and then for those that went first before it.
        assert!(start.elapsed() < Duration::from_mins(4));
    }
}
