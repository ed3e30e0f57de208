//! Summaries of repeated measurements.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The median of several values, and the quartiles around it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) upper_quartile: f64,
    pub(crate) runs: usize,
}

impl Spread {
    /// Summarises the values; an error if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> anyhow::Result<Self> {
        let mut values: Vec<_> = values.into_iter().collect();
        anyhow::ensure!(!values.is_empty(), "there are no values to summarise");
        values.sort_by(f64::total_cmp);

        let at = |quarter: usize| values[(values.len() - 1) * quarter / 4];
        // The mean of the two values in the middle where their number is even.
        let median = f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]);
        Ok(Self {
            median,
            lower_quartile: at(1),
            upper_quartile: at(3),
            runs: values.len(),
        })
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "all of them are exact")]
    fn the_median_does_not_follow_an_outlier() {
        let spread = Spread::of([3.0, 1.0, 2.0, 1_000.0, 2.5]).unwrap();
        let found = [
            spread.median,
            spread.lower_quartile,
            spread.upper_quartile,
            Spread::of([1.0, 2.0]).unwrap().median,
        ];
        assert_eq!(found, [2.5, 2.0, 3.0, 1.5]);
    }
}
