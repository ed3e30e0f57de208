//! How long real services take to answer, as their callers see it. What their makers document is an
//! order of magnitude; what is assumed beyond it is said beside each figure. Latencies of services
//! have a long tail, so that each is drawn from a lognormal distribution that is given by its
//! median and its 99th percentile.

use std::{
    collections::BTreeMap,
    f64::consts::TAU,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How many standard deviations the 99th percentile of a normal distribution is above its median.
const DEVIATIONS_TO_P99: f64 = 2.326_347_874;
/// Between a function and AWS in the same region: "single-digit milliseconds" between zones by AWS
/// ("AWS global infrastructure"). The millisecond is assumed. Included in the services' latencies.
pub(crate) const ROUND_TRIP_TO_AWS: Duration = Duration::from_millis(1);
/// Between a function and Belvo. Assumed: Belvo documents no region.
pub(crate) const ROUND_TRIP_TO_BELVO: Duration = Duration::from_millis(30);

/// What a function waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Awaited {
    /// A connection, TLS included.
    Connection,
    DynamoDb,
    Sqs,
    SecretsManager,
    Belvo,
}

/// A distribution of latencies, in milliseconds.
#[derive(Clone, Copy)]
struct Latency {
    median_ms: f64,
    p99_ms: f64,
}

impl Latency {
    /// "Single-digit millisecond" by AWS ("Understanding Amazon DynamoDB latency", AWS Database
    /// Blog), which is the time inside the service. The round trip to it is added, and the tail is
    /// assumed.
    const DYNAMODB: Self = Self {
        median_ms: 5.0,
        p99_ms: 20.0,
    };
    /// From the call that sends a message to a FIFO queue to its consumer, half of the messages
    /// took 28 ms and more, and those to a standard queue 16 ms
    /// (<https://bitesizedserverless.com/bite/serverless-messaging-latency-compared>). Sending is a
    /// part of this. How large a part, and the tail, are assumed.
    const SQS: Self = Self {
        median_ms: 15.0,
        p99_ms: 100.0,
    };
    /// AWS documents none. Assumed: slower than DynamoDB, because the value is decrypted by KMS.
    const SECRETS_MANAGER: Self = Self {
        median_ms: 20.0,
        p99_ms: 100.0,
    };
    /// What Belvo takes for any answer, the round trip not included. Assumed, as is the tail, which
    /// applies to [`BELVO_MS_PER_KB`], too. That answers may take more than five seconds is known
    /// (<https://github.com/belvo-finance/belvo-python/pull/144>).
    const BELVO: Self = Self {
        median_ms: 70.0,
        p99_ms: 280.0,
    };

    /// How many times the median an answer takes that is so many standard deviations slower.
    fn factor(self, deviations: f64) -> f64 {
        (deviations * (self.p99_ms / self.median_ms).ln() / DEVIATIONS_TO_P99).exp()
    }
}

/// What Belvo takes for each kilobyte of an answer. Assumed: with it, a page of 1,000 rows, of
/// 1,950 kB, takes the half second that `bench/prices.json` assumes.
const BELVO_MS_PER_KB: f64 = 0.205;

/// The latencies of all services.
fn of_services() -> BTreeMap<Awaited, Latency> {
    BTreeMap::from([
        (Awaited::DynamoDb, Latency::DYNAMODB),
        (Awaited::Sqs, Latency::SQS),
        (Awaited::SecretsManager, Latency::SECRETS_MANAGER),
        (Awaited::Belvo, Latency::BELVO),
    ])
}

/// Draws latencies: the same ones in the same order for the same seed, whatever is drawn for other
/// services.
pub(crate) struct Draws(Mutex<Streams>);

type Streams = BTreeMap<Awaited, Stream>;

struct Stream {
    latency: Latency,
    random: ChaCha8Rng,
}

impl Draws {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Mutex::new(streams(seed)))
    }

    /// Begins anew with another seed.
    pub(crate) fn begin(&self, seed: u64) {
        *self.streams() = streams(seed);
    }

    /// How many times its median the next answer of a service takes.
    pub(crate) fn next(&self, awaited: Awaited) -> Slowness {
        let mut streams = self.streams();
        let drawn = streams.get_mut(&awaited).map(|stream| Slowness {
            awaited,
            median_ms: stream.latency.median_ms,
            factor: stream.latency.factor(normal(&mut stream.random)),
        });
        drawn.unwrap_or(Slowness {
            awaited,
            median_ms: 0.0,
            factor: 1.0,
        })
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn streams(seed: u64) -> Streams {
    (0..)
        .zip(of_services())
        .map(|(number, (awaited, latency))| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(number);
            (awaited, Stream { latency, random })
        })
        .collect()
}

/// A number from the standard normal distribution, by the transform of Box and Muller.
fn normal(random: &mut impl Rng) -> f64 {
    // The logarithm of zero is not a number of deviations.
    let (radius, angle) = (1.0 - random.random::<f64>(), random.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}

/// What was drawn for one answer, whose size is not yet known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slowness {
    awaited: Awaited,
    median_ms: f64,
    factor: f64,
}

impl Slowness {
    /// From the request to the first byte of its answer of so many bytes.
    pub(crate) fn of_answer(self, bytes: usize) -> Duration {
        let (round_trip, per_kb) = match self.awaited {
            Awaited::Belvo => (ROUND_TRIP_TO_BELVO, BELVO_MS_PER_KB),
            _ => (Duration::ZERO, 0.0),
        };
        let kb = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e3;
        let milliseconds = self.factor * (self.median_ms + per_kb * kb);
        round_trip + Duration::from_secs_f64(milliseconds / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, awaited: Awaited, count: usize) -> Vec<Duration> {
        let draws = Draws::seeded(seed);
        (0..count)
            .map(|_| draws.next(awaited).of_answer(0))
            .collect()
    }

    #[test]
    fn half_of_the_latencies_are_below_the_median_and_one_in_a_hundred_beyond_the_p99() {
        for (awaited, latency) in of_services() {
            let mut drawn = drawn(1, awaited, 20_001);
            drawn.sort();
            let offset = match awaited {
                Awaited::Belvo => 30.0,
                _ => 0.0,
            };
            let at = |rank: usize| drawn[rank].as_secs_f64() * 1e3 - offset;
            let (median, p99) = (at(10_000), at(19_800));
            assert!((median / latency.median_ms - 1.0).abs() < 0.03, "{median}");
            assert!((p99 / latency.p99_ms - 1.0).abs() < 0.1, "{p99}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_latencies_whatever_other_services_are_asked() {
        let draws = Draws::seeded(7);
        let mixed: Vec<_> = (0..50)
            .map(|_| {
                let _ = draws.next(Awaited::Sqs);
                draws.next(Awaited::DynamoDb).of_answer(0)
            })
            .collect();
        assert_eq!(mixed, drawn(7, Awaited::DynamoDb, 50));
        assert_ne!(mixed, drawn(8, Awaited::DynamoDb, 50));
        assert_ne!(mixed, drawn(7, Awaited::Sqs, 50));
    }

    #[test]
    fn a_large_answer_of_belvo_takes_longer_and_one_of_dynamodb_does_not() {
        let draws = Draws::seeded(1);
        let belvo = draws.next(Awaited::Belvo);
        let of_its_bytes = |bytes| belvo.of_answer(bytes).saturating_sub(ROUND_TRIP_TO_BELVO);
        assert!(of_its_bytes(1_950_000) > 4 * of_its_bytes(0));
        let dynamodb = draws.next(Awaited::DynamoDb);
        assert_eq!(dynamodb.of_answer(1_950_000), dynamodb.of_answer(0));
    }
}
