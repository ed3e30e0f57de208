//! Days relative to the present: requests may not end in the future, and the sandbox's rows are of
//! the last year.

use time::{Duration, OffsetDateTime};

/// The day this many days ago, `YYYY-MM-DD`.
#[must_use]
pub fn days_ago(days: i64) -> String {
    (OffsetDateTime::now_utc().date() - Duration::days(days)).to_string()
}
