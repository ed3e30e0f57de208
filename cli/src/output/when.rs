//! Times for people: UTC to the second, and how long ago that is.

use domain::Timestamp;

/// `2026-03-01 12:34:56Z`.
#[must_use]
pub(crate) fn instant(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {}Z", &time[..time.len().min(8)])
}

/// `2026-03-01 12:34:56Z (5 min ago)`, or `(in 5 min)`.
#[must_use]
pub(crate) fn since(at: Timestamp, now: Timestamp) -> String {
    let distance = if at <= now {
        format!("{} ago", age(now.seconds_since(at)))
    } else {
        format!("in {}", age(at.seconds_since(now)))
    };
    format!("{} ({distance})", instant(at))
}

/// A time span in the largest unit of which it has two, such as `5 min` or `36 h`.
#[must_use]
pub(crate) fn age(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / MINUTE),
        7_200..172_800 => format!("{} h", seconds / HOUR),
        _ => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn times_are_utc_and_relative() {
        let (then, now) = (at("2026-03-01T12:34:56.789Z"), at("2026-03-01T12:40:00Z"));
        assert_eq!(since(then, now), "2026-03-01 12:34:56Z (5 min ago)");
        assert_eq!(since(now, then), "2026-03-01 12:40:00Z (in 5 min)");
    }

    #[test]
    fn an_age_is_at_least_two_of_its_unit() {
        let ages = [119, 120, 7_199, 7_200, 172_799, 172_800].map(age);
        assert_eq!(ages, ["119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]);
    }
}
