//! Seeded randomness, and the small values made of it: ids, digits, money, timestamps. One `Dice`
//! per link, so that what is generated for one link does not depend on any other.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Number, Value};
use time::{Date, Duration, Weekday};

/// A generator that gives the same values in the same order for the same seed and stream.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A whole number from 0 to `end - 1`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0.random_range(0..end)
    }

    /// True once in `n` times.
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

    /// An identification as institutions give them: letters and digits.
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

    /// An amount with two to four decimals, mostly everyday ones. Once in 400 it has all the 15 + 4
    /// digits that Brazil's open finance allows, which a binary float cannot hold.
    pub(crate) fn money(&mut self) -> Value {
        if self.one_in(400) {
            let (first, rest, decimals) = (self.below(9) + 1, self.digits(14), self.digits(4));
            return decimal(&format!("{first}{rest}.{decimals}"));
        }
        let magnitude = self.pick(&[10, 100, 100, 1_000, 1_000, 1_000, 10_000, 100_000]);
        let whole = self.below(magnitude);
        let places = self.pick(&[2, 2, 2, 2, 2, 2, 2, 2, 3, 4]);
        let decimals = self.digits(places);
        decimal(&format!("{whole}.{decimals}"))
    }

    /// A moment on `date` with three to six fraction digits, mostly six and `Z`, at times `+00:00`.
    pub(crate) fn timestamp(&mut self, date: Date) -> String {
        let places = self.pick(&[6, 6, 6, 6, 5, 4, 3]);
        let zone = if self.one_in(8) { "+00:00" } else { "Z" };
        let (clock, fraction) = (self.clock(), self.digits(places));
        format!("{date}T{clock}.{fraction}{zone}")
    }

    /// A moment on `date` with exactly three fraction digits and `Z`, which `transacted_at` asks
    /// for.
    pub(crate) fn timestamp_millis(&mut self, date: Date) -> String {
        let (clock, fraction) = (self.clock(), self.digits(3));
        format!("{date}T{clock}.{fraction}Z")
    }

    fn clock(&mut self) -> String {
        format!(
            "{:02}:{:02}:{:02}",
            self.below(24),
            self.below(60),
            self.below(60)
        )
    }
}

/// A JSON number with exactly these digits; `text` must be a decimal such as `12.340`.
pub(crate) fn decimal(text: &str) -> Value {
    #[expect(clippy::expect_used, reason = "only this crate's own digits get here")]
    let number: Number = text.parse().expect("digits, a point, digits");
    Value::Number(number)
}

/// `date` moved by whole days; stays where it is beyond the calendar's ends.
pub(crate) fn days_after(date: Date, days: i64) -> Date {
    date.checked_add(Duration::days(days)).unwrap_or(date)
}

/// The day a bank books what happened on `date`: weekends move to Monday.
pub(crate) fn booking_day(date: Date) -> Date {
    match date.weekday() {
        Weekday::Saturday => days_after(date, 2),
        Weekday::Sunday => days_after(date, 1),
        _ => date,
    }
}
