//! Keeps below Belvo's rate limit: its firewall answers an address that sends more than 80 requests
//! in 30 seconds with an HTML 403 (Belvo's integration checklist).

use tokio::{
    sync::Mutex,
    time::{Duration, Instant, sleep_until},
};

/// The span that Belvo counts requests in.
const SPAN: Duration = Duration::from_secs(30);

/// Admits at most a given number of requests in any 30 seconds by the generic cell rate algorithm
/// (GCRA): a third of them at once, so that a small listing does not wait, the others evenly
/// spaced.
pub struct RateLimiter {
    interval: Duration,
    slack: Duration,
    /// When the next request would be due if all came evenly.
    due: Mutex<Instant>,
}

impl RateLimiter {
    /// A limit of `requests_per_30_s`, at least three.
    #[must_use]
    pub fn new(requests_per_30_s: u32) -> Self {
        let requests = requests_per_30_s.max(3);
        let burst = requests / 3;
        let interval = SPAN / (requests - burst);
        Self {
            interval,
            slack: interval * (burst - 1),
            due: Mutex::new(Instant::now()),
        }
    }

    /// Waits until a request may be sent.
    pub async fn admit(&self) {
        let at = {
            let mut due = self.due.lock().await;
            let now = Instant::now();
            let at = due.checked_sub(self.slack).map_or(now, |at| at.max(now));
            *due = (*due).max(now) + self.interval;
            at
        };
        sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn admissions(limiter: &RateLimiter, count: usize) -> Vec<Instant> {
        let mut times = Vec::new();
        for _ in 0..count {
            limiter.admit().await;
            times.push(Instant::now());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn no_span_of_30_seconds_holds_more_requests_than_allowed() {
        for allowed in [3, 36, 80] {
            let times = admissions(&RateLimiter::new(allowed), 300).await;
            for (first, start) in times.iter().enumerate() {
                let within = times[first..]
                    .iter()
                    .take_while(|at| **at < *start + SPAN)
                    .count();
                assert!(within <= allowed as usize, "{within} of {allowed}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_listing_does_not_wait() {
        let start = Instant::now();
        let times = admissions(&RateLimiter::new(36), 12).await;
        assert_eq!(times.last(), Some(&start));
    }
}
