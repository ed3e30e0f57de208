//! Keeps the requests of this process below Belvo's rate limit: its firewall answers an address
//! that sends more than 80 requests in 30 seconds with an HTML 403 (Belvo's integration checklist).

use std::sync::{Mutex, PoisonError};

use domain::Spacing;
use tokio::time::{Instant, sleep_until};

/// How many intervals pass between two requests that go behind others, at most, before one of them
/// goes first: however many others there are, a long listing goes on.
const INTERVALS_BEHIND: u32 = 4;

/// Admits at most a given number of requests in any 30 seconds. Those that go first may be sent at
/// once, up to a third of the number; those behind them come evenly, and leave that third to
/// whoever goes first.
pub struct RateLimiter {
    spacing: Spacing,
    next: Mutex<Next>,
}

/// Which requests may be sent sooner where many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Behind,
}

struct Next {
    /// When the next request would be due if all came evenly.
    due: Instant,
    /// When one that goes behind others is to go first.
    first: Instant,
}

impl RateLimiter {
    /// A limit of `requests_per_30_s`, at least three.
    #[must_use]
    pub fn new(requests_per_30_s: u32) -> Self {
        let spacing = Spacing::per_30_s(requests_per_30_s);
        let now = Instant::now();
        let next = Mutex::new(Next {
            due: now,
            first: now + spacing.interval * INTERVALS_BEHIND,
        });
        Self { spacing, next }
    }

    /// Waits until a request may be sent that goes first.
    pub async fn admit(&self) {
        self.wait(Place::First).await;
    }

    /// Waits until a request may be sent that goes behind those.
    pub async fn admit_behind(&self) {
        self.wait(Place::Behind).await;
    }

    /// Holds no place while it waits: a caller that does not look, because it stores a page
    /// meanwhile, holds up nobody. Whoever has waited longest wakes first.
    async fn wait(&self, place: Place) {
        while let Err(at) = self.take(place) {
            sleep_until(at).await;
        }
    }

    /// Counts a request as sent, or says when to try again.
    fn take(&self, place: Place) -> Result<(), Instant> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, due) = (Instant::now(), next.due);
        let first = due.checked_sub(self.spacing.slack).unwrap_or(now);
        let at = match place {
            Place::First => first,
            Place::Behind => due.min(first.max(next.first)),
        };
        if at > now {
            return Err(at);
        }
        next.due = due.max(now) + self.spacing.interval;
        if place == Place::Behind {
            next.first = now + self.spacing.interval * INTERVALS_BEHIND;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::join_all;
    use tokio::time::{Duration, sleep};

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
        // Each waits four intervals of 1.5 s, and then for the ten others that go first.
        assert!(start.elapsed() < Duration::from_secs(10 * (6 + 15)));
    }
}
