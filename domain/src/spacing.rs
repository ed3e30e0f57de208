//! How requests are spaced so that no 30 seconds hold too many of them.

use std::time::Duration;

/// At most a given number of requests in any 30 seconds, by the generic cell rate algorithm (GCRA):
/// a third of them at once, so that a few do not wait, the others evenly spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spacing {
    /// Between two requests, if all come evenly.
    pub interval: Duration,
    /// How long before it is due a request may be sent.
    pub slack: Duration,
}

impl Spacing {
    /// The span that Belvo counts requests in.
    pub const SPAN: Duration = Duration::from_secs(30);

    /// For `requests` in 30 seconds, at least three.
    #[must_use]
    pub fn per_30_s(requests: u32) -> Self {
        let requests = requests.max(3);
        let burst = requests / 3;
        let interval = Self::SPAN / (requests - burst);
        Self {
            interval,
            slack: interval * (burst - 1),
        }
    }
}
