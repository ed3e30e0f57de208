//! Seeded randomness and the small values made from it: ids, digits, money, timestamps. Each link
//! has its own `Dice`: its data does not depend on any other link.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Number, Value};
use time::{Date, Duration, Weekday};

/// Gives the same values in the same order for the same seed and stream.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A whole number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0.random_range(0..end)
    }

    /// True once in `n` rolls on average.
    pub(crate) fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// One of `choices`, which must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        #[expect(
            clippy::expect_used,
            reason = "every list of choices is a constant of this crate"
        )]
        *choices.choose(&mut self.0).expect("a choice")
    }

    pub(crate) fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.0.random())
            .into_uuid()
            .to_string()
    }

    /// A decimal string of `length` digits.
    pub(crate) fn digits(&mut self, length: usize) -> String {
        self.string(b"0123456789", length)
    }

    /// An identification as institutions assign them, of letters and digits.
    pub(crate) fn identification(&mut self, length: usize) -> String {
        self.string(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            length,
        )
    }

    fn string(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length)
            .map(|_| char::from(self.pick(alphabet)))
            .collect()
    }

    /// Eleven digits that look like a CPF and cannot be one: the last check digit is wrong.
    pub(crate) fn impossible_cpf(&mut self) -> String {
        let mut cpf: Vec<u32> = (0..9).map(|_| self.below(10)).collect();

        for length in [9_u32, 10] {
            let sum: u32 = cpf
                .iter()
                .zip((2..=length + 1).rev())
                .map(|(digit, weight)| digit * weight)
                .sum();
            cpf.push(sum * 10 % 11 % 10);
        }

        cpf[10] = (cpf[10] + 1) % 10;
        cpf.iter().map(u32::to_string).collect()
    }

    /// An amount with two to four decimals, usually an everyday one. One in 400 has all the 15 + 4
    /// digits that Brazil's open finance allows, more than a binary float can hold.
    pub(crate) fn money(&mut self) -> Value {
        if self.one_in(400) {
            let first = self.below(9) + 1;
            let (rest, decimals) = (self.digits(14), self.digits(4));
            return decimal(&format!("{first}{rest}.{decimals}"));
        }

        let magnitude = self.pick(&[10, 100, 100, 1_000, 1_000, 1_000, 10_000, 100_000]);
        let whole = self.below(magnitude);
        let places = self.pick(&[2, 2, 2, 2, 2, 2, 2, 2, 3, 4]);
        let decimals = self.digits(places);
        decimal(&format!("{whole}.{decimals}"))
    }

    /// A moment on `date` with three to six fraction digits, usually six, and in one of eight cases
    /// with `+00:00` instead of `Z`.
    pub(crate) fn timestamp(&mut self, date: Date) -> String {
        let places = self.pick(&[6, 6, 6, 6, 5, 4, 3]);
        let zone = if self.one_in(8) { "+00:00" } else { "Z" };
        let (clock, fraction) = (self.clock(), self.digits(places));
        format!("{date}T{clock}.{fraction}{zone}")
    }

    /// A moment on `date` with exactly three fraction digits and `Z`, as `transacted_at` must have.
    pub(crate) fn timestamp_millis(&mut self, date: Date) -> String {
        let (clock, fraction) = (self.clock(), self.digits(3));
        format!("{date}T{clock}.{fraction}Z")
    }

    fn clock(&mut self) -> String {
        let (hour, minute, second) = (self.below(24), self.below(60), self.below(60));
        format!("{hour:02}:{minute:02}:{second:02}")
    }
}

/// A JSON number with exactly these digits. `text` must be a decimal such as `12.340`.
pub(crate) fn decimal(text: &str) -> Value {
    #[expect(clippy::expect_used, reason = "the text is always made by this crate")]
    let number: Number = text.parse().expect("digits, a point, digits");
    Value::Number(number)
}

/// `date` moved by whole days; unchanged if the result is outside the calendar.
pub(crate) fn days_after(date: Date, days: i64) -> Date {
    date.checked_add(Duration::days(days)).unwrap_or(date)
}

/// The day on which a bank books a transaction of `date`: those of a weekend on Monday.
pub(crate) fn booking_day(date: Date) -> Date {
    match date.weekday() {
        Weekday::Saturday => days_after(date, 2),
        Weekday::Sunday => days_after(date, 1),
        _ => date,
    }
}
