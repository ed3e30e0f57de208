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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_is_sent_at_once_and_no_30_seconds_hold_more_than_all() {
        for (requests, interval, slack) in [
            (
                30,
                Duration::from_millis(1_500),
                Duration::from_millis(13_500),
            ),
            (4, Duration::from_secs(10), Duration::ZERO),
            (
                80,
                Duration::from_secs(30) / 54,
                Duration::from_secs(30) / 54 * 25,
            ),
        ] {
            assert_eq!(Spacing::per_30_s(requests), Spacing { interval, slack });
        }
    }

    #[test]
    fn fewer_than_three_are_three() {
        let three = Spacing {
            interval: Duration::from_secs(15),
            slack: Duration::ZERO,
        };
        assert_eq!([0, 1, 2, 3].map(Spacing::per_30_s), [three; 4]);
    }
}
