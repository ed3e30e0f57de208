//! How tables and sentences write numbers.

use std::fmt::Display;

/// A count, for a ratio.
#[expect(
    clippy::cast_precision_loss,
    reason = "a float is exact up to counts of 2^53"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// A count, with commas between thousands.
pub(crate) fn count(count: impl Display) -> String {
    grouped(&count.to_string())
}

/// With this many decimals, and commas between thousands.
pub(crate) fn decimals(number: f64, places: usize) -> String {
    // A sum of nothing may be minus zero, which this makes zero.
    grouped(&format!("{:.places$}", number + 0.0))
}

/// Without decimals.
pub(crate) fn whole(number: f64) -> String {
    decimals(number, 0)
}

/// With this many significant digits at most, and no zeros after them.
pub(crate) fn significant(number: f64, digits: usize) -> String {
    let rounded = format!("{number:.*e}", digits - 1).parse::<f64>();
    grouped(&rounded.unwrap_or(number).to_string())
}

/// Milliseconds: with a decimal where they are few.
pub(crate) fn ms(milliseconds: f64) -> String {
    if milliseconds >= 100.0 {
        whole(milliseconds)
    } else {
        decimals(milliseconds, 1)
    }
}

/// KiB as megabytes of a million bytes.
pub(crate) fn megabytes(kib: u64) -> f64 {
    float(kib) * 1_024.0 / 1e6
}

/// US dollars: with cents, but for very few or very many.
pub(crate) fn usd(dollars: f64) -> String {
    if dollars >= 1_000.0 {
        whole(dollars)
    } else if dollars >= 0.01 {
        decimals(dollars, 2)
    } else {
        significant(dollars, 2)
    }
}

/// Puts commas between the thousands of the integer part.
fn grouped(number: &str) -> String {
    let integer = number.find('.').unwrap_or(number.len());
    let mut grouped = String::with_capacity(number.len());
    for (place, digit) in number.char_indices() {
        let after_a_digit = grouped.ends_with(|before: char| before.is_ascii_digit());
        if place < integer && after_a_digit && (integer - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted_by_commas() {
        let written = [0.0, -0.0, 12.5, 999.0, 1_000.0, 1_234_567.4, -1_000.0].map(whole);
        assert_eq!(
            written,
            ["0", "0", "12", "999", "1,000", "1,234,567", "-1,000"]
        );
        assert_eq!(decimals(12_345.678_9, 3), "12,345.679");
        assert_eq!(significant(1_300.0, 6), "1,300");
        assert_eq!(count(200_000_u64), "200,000");
    }

    #[test]
    fn small_times_have_a_decimal() {
        assert_eq!(
            [0.04, 99.94, 100.0, 1_234.5].map(ms),
            ["0.0", "99.9", "100", "1,234"]
        );
    }

    #[test]
    fn zeros_say_nothing_of_a_number_that_is_rounded() {
        let written = [0.0, 1.5, 1.050, 0.999_999_9].map(|number| significant(number, 6));
        assert_eq!(written, ["0", "1.5", "1.05", "1"]);
    }

    #[test]
    fn amounts_below_a_cent_have_two_digits() {
        let written = [1_383.4, 756.578, 0.01, 0.001_74, 0.002, 0.000_76, 0.0].map(usd);
        assert_eq!(
            written,
            ["1,383", "756.58", "0.01", "0.0017", "0.002", "0.00076", "0"]
        );
    }
}
