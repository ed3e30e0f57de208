//! Belvo's firewall, which refuses an address that sends too many requests. The sandbox listens on
//! 127.0.0.1 only, so all requests come from one address.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

/// The span that Belvo counts requests in.
const SPAN: Duration = Duration::from_secs(30);
/// Word for word what Belvo's firewall sends above 80 requests in 30 seconds.
const PAGE: &str = "<html><head><title>403 Forbidden</title></head><body>\n\n\
                    <center><h1>403 Forbidden</h1></center>\n\n\
                    <hr><center>openresty/1.15.8.2</center>\n\n</body></html>\n";

/// Counts the requests of Belvo's API, and refuses those above a limit if there is one.
///
/// Every request counts, whatever becomes of it. Belvo names the requests that an address sends
/// and excepts none, so the refused ones count too: a client that goes on at the same pace stays
/// refused. What is kept is as much as comes in 30 seconds.
#[derive(Default)]
pub(crate) struct Firewall {
    limit: Option<NonZeroU32>,
    /// When each request of the last 30 seconds came, oldest first.
    recent: VecDeque<Instant>,
    busiest: usize,
    refused: u64,
}

/// What the firewall has counted since the start of the sandbox or since its limit was last set.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Rate {
    /// Requests in the 30 seconds that had the most, including those that were refused.
    pub busiest_30_s: usize,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that the firewall admits in any 30 seconds, if there is a limit.
    pub limit: Option<NonZeroU32>,
}

impl Firewall {
    /// A firewall that has counted nothing yet; without a limit it refuses nothing.
    pub(crate) fn new(limit: Option<NonZeroU32>) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Counts a request that comes now, and says whether it may pass. Requests that come 30 seconds
    /// apart are not within the same 30 seconds.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        while let Some(oldest) = self.recent.front()
            && now.saturating_duration_since(*oldest) >= SPAN
        {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        let sent = self.recent.len();
        self.busiest = self.busiest.max(sent);

        let is_admitted = self.limit.is_none_or(|limit| sent <= limit.get() as usize);
        self.refused += u64::from(!is_admitted);
        is_admitted
    }

    pub(crate) fn rate(&self) -> Rate {
        Rate {
            busiest_30_s: self.busiest,
            refused: self.refused,
            limit: self.limit,
        }
    }
}

/// The answer of the firewall: a page, and not one of Belvo's errors.
pub(crate) fn refusal() -> Response {
    (StatusCode::FORBIDDEN, Html(PAGE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the requests that come at these times, in milliseconds, may pass.
    fn admitted(limit: u32, milliseconds: &[u64]) -> Vec<bool> {
        let start = Instant::now();
        let mut firewall = Firewall::new(NonZeroU32::new(limit));
        let times = milliseconds.iter().map(|at| Duration::from_millis(*at));
        times.map(|at| firewall.admits(start + at)).collect()
    }

    #[test]
    fn a_request_leaves_the_window_after_exactly_30_seconds() {
        assert_eq!(admitted(2, &[0, 9, 29_999]), [true, true, false]);
        assert_eq!(admitted(2, &[0, 9, 30_000]), [true, true, true]);
        assert_eq!(
            admitted(2, &[0, 9, 30_000, 30_008]),
            [true, true, true, false]
        );
    }

    #[test]
    fn no_30_seconds_hold_more_than_the_limit_wherever_they_begin() {
        // Half at the end of one half-minute, half at the start of the next.
        let times = [29_000, 29_000, 30_000, 30_000, 31_000];
        assert_eq!(admitted(4, &times), [true, true, true, true, false]);
    }

    #[test]
    fn a_client_that_does_not_slow_down_stays_refused() {
        let every_ten_seconds: Vec<u64> = (0..9).map(|number| number * 10_000).collect();
        let answers = admitted(2, &every_ten_seconds);
        assert_eq!(answers[..2], [true, true]);
        assert!(answers[2..].iter().all(|is_admitted| !is_admitted));

        let then_pauses = [0, 0, 0, 0, 30_000];
        let answers = [true, true, false, false, true];
        assert_eq!(admitted(2, &then_pauses), answers);
    }

    #[test]
    fn the_busiest_30_seconds_are_remembered_and_older_requests_are_not() {
        let start = Instant::now();
        let mut firewall = Firewall::new(None);
        for second in [0, 1, 2, 3, 40, 41, 80] {
            assert!(firewall.admits(start + Duration::from_secs(second)));
        }

        let rate = firewall.rate();
        assert_eq!((rate.busiest_30_s, rate.refused), (4, 0));
        assert_eq!(firewall.recent.len(), 1);
    }
}
