//! The throughput of DynamoDB's partitions: how many units a second the items of one partition key
//! may consume ("Best practices for designing and using partition keys effectively", DynamoDB
//! developer guide), counted in a token bucket for each.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::time::{Duration, Instant};

/// What is unused is kept this long. DynamoDB keeps up to five minutes' worth where it can, and
/// promises none ("DynamoDB burst and adaptive capacity", developer guide).
const KEPT: Duration = Duration::from_secs(1);

/// Whether units are read or written; each has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Read,
    Write,
}

/// The units that a partition gives in a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throughput {
    pub(crate) write_units: f64,
    pub(crate) read_units: f64,
}

impl Throughput {
    /// Of a partition as DynamoDB documents it.
    pub(crate) const DOCUMENTED: Self = Self {
        write_units: 1_000.0,
        read_units: 3_000.0,
    };
}

/// The partitions of a table, each with its buckets.
pub(super) struct Partitions {
    throughput: Throughput,
    buckets: Mutex<HashMap<(String, Kind), Bucket>>,
}

/// Units that may be consumed now. Less than nothing if an operation turned out to consume more
/// than there was.
struct Bucket {
    units: f64,
    as_of: Instant,
    /// All that was consumed so far.
    consumed: f64,
}

impl Bucket {
    fn consume(&mut self, units: f64) {
        self.units -= units;
        self.consumed += units;
    }
}

impl Partitions {
    pub(super) fn new(throughput: Throughput) -> Self {
        Self {
            throughput,
            buckets: Mutex::default(),
        }
    }

    /// Takes units from a partition if it has as many.
    pub(super) fn take(&self, partition: &str, kind: Kind, units: f64) -> bool {
        self.with_bucket(partition, kind, |bucket| {
            let has_them = units <= bucket.units;
            if has_them {
                bucket.consume(units);
            }
            has_them
        })
    }

    /// Takes units that were consumed already, whether or not the partition has as many.
    pub(super) fn charge(&self, partition: &str, kind: Kind, units: f64) {
        self.with_bucket(partition, kind, |bucket| bucket.consume(units));
    }

    /// The units that a partition gave so far.
    pub(super) fn consumed(&self, partition: &str, kind: Kind) -> f64 {
        self.with_bucket(partition, kind, |bucket| bucket.consumed)
    }

    fn with_bucket<T>(
        &self,
        partition: &str,
        kind: Kind,
        change: impl FnOnce(&mut Bucket) -> T,
    ) -> T {
        let per_second = match kind {
            Kind::Read => self.throughput.read_units,
            Kind::Write => self.throughput.write_units,
        };
        let most = per_second * KEPT.as_secs_f64();
        let now = Instant::now();

        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry((partition.to_owned(), kind));
        let bucket = bucket.or_insert(Bucket {
            units: most,
            as_of: now,
            consumed: 0.0,
        });
        let refilled = bucket.units + per_second * (now - bucket.as_of).as_secs_f64();
        bucket.units = refilled.min(most);
        bucket.as_of = now;
        change(bucket)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn partitions() -> Partitions {
        Partitions::new(Throughput::DOCUMENTED)
    }

    #[tokio::test(start_paused = true)]
    async fn a_partition_gives_its_units_of_a_second_and_what_it_kept_of_one() {
        let partitions = partitions();
        advance(Duration::from_mins(5)).await;
        let mut taken = 0;
        for _ in 0..1_000 {
            while partitions.take("link", Kind::Write, 1.0) {
                taken += 1;
            }
            advance(Duration::from_millis(10)).await;
        }
        assert!((10_900..=11_000).contains(&taken), "{taken} in ten seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn partitions_and_kinds_have_units_of_their_own() {
        let partitions = partitions();
        assert!(partitions.take("link", Kind::Write, 1_000.0));
        assert!(!partitions.take("link", Kind::Write, 1.0));
        assert!(partitions.take("link", Kind::Read, 3_000.0));
        assert!(partitions.take("another", Kind::Write, 1_000.0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_consumed_beyond_the_limit_is_paid_before_anything_else() {
        let partitions = partitions();
        partitions.charge("link", Kind::Write, 1_500.0);
        advance(Duration::from_millis(500)).await;
        assert!(!partitions.take("link", Kind::Write, 1.0));
        advance(Duration::from_millis(1)).await;
        assert!(partitions.take("link", Kind::Write, 1.0));
    }
}
