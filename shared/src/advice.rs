//! What a caller does about an error. Each error gives its own.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Try again, not before this wait.
    Retry(Duration),
    /// Do not try again: it would fail the same way. Other work may continue.
    Stop,
    /// Nothing like this will work until an operator acts: keep the work and raise the alarm.
    Alarm,
}

/// The first wait of the exponential back-off that Belvo recommends ("base interval of three
/// seconds with a factor of two", Belvo's OpenAPI), also used for AWS.
pub const FIRST_RETRY: Duration = Duration::from_secs(3);

/// The wait, and up to half as long again at random, so that what failed together is not tried
/// again together.
#[must_use]
pub fn with_jitter(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + fastrand::f64() / 2.0)
}
