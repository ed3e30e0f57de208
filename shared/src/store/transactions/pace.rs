//! How fast a link's partition is written. A partition takes 1,000 write units a second ("Best
//! practices for designing and using partition keys effectively", DynamoDB developer guide), or
//! less where other links share it, or more once DynamoDB has split it. So nothing waits until
//! DynamoDB throttles a partition; from then on, its batches take turns at a rate that follows what
//! it gives (docs/decisions/0020).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::time::{Duration, Instant, sleep};

/// The rate after the first throttling, in write units a second.
const FIRST_RATE: f64 = 1_000.0;
/// A batch a second, so that a partition that gives nothing is still tried.
const LEAST_RATE: f64 = 25.0;
/// What is left of the rate after a throttling.
const SLOWED: f64 = 0.8;
/// How long nothing is written after a throttling, so that the partition has some units again: an
/// empty one would throttle the next batch, too, whatever the rate.
const PAUSE: Duration = Duration::from_millis(100);
/// By how much the rate grows with each unit for which a batch had to wait: doubling takes 14
/// seconds.
const GROWTH: f64 = 0.05;
/// Unused units of this long may be written at once.
const BURST: Duration = Duration::from_secs(1);
/// What the runtime's timer can tell apart.
const TICK: Duration = Duration::from_millis(1);
/// A partition that nothing was written to for this long is no longer paced.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// The partitions that were throttled lately, by the value of `_link`. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Paces(Arc<Mutex<HashMap<String, Pace>>>);

/// A token bucket whose rate changes.
struct Pace {
    units_per_s: f64,
    /// What may be written now; less than nothing if batches consumed more than expected.
    units: f64,
    as_of: Instant,
    slowed_at: Instant,
}

/// A batch that may be sent.
pub(super) struct Turn<'a> {
    paces: &'a Paces,
    partition: &'a str,
    /// When it came.
    since: Instant,
    /// What was set aside for the batch; nothing where its partition is not paced.
    units: Option<f64>,
    has_waited: bool,
}

impl Paces {
    /// Waits until a batch of so many writes may be sent: not at all, unless its partition was
    /// throttled.
    pub(super) async fn turn<'a>(&'a self, partition: &'a str, writes: usize) -> Turn<'a> {
        // The least that they can consume.
        let units = u32::try_from(writes).map_or(f64::MAX, f64::from);
        let mut has_waited = false;
        loop {
            let taken = self.with_pace(partition, |pace| pace.take(units));
            match taken {
                Some(Err(wait)) => sleep(wait).await,
                taken => {
                    return Turn {
                        paces: self,
                        partition,
                        since: Instant::now(),
                        units: taken.map(|_| units),
                        has_waited,
                    };
                }
            }
            has_waited = true;
        }
    }

    /// Changes the pace of a partition, if it has one.
    fn with_pace<T>(&self, partition: &str, change: impl FnOnce(&mut Pace) -> T) -> Option<T> {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paces.retain(|_, pace| pace.as_of.elapsed() < FORGOTTEN_AFTER);
        paces.get_mut(partition).map(change)
    }

    fn start(&self, partition: &str) {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(partition.to_owned());
        pace.or_insert_with(Pace::of_an_empty_partition);
    }
}

impl Turn<'_> {
    /// Whether its partition was throttled lately.
    pub(super) fn is_paced(&self) -> bool {
        self.units.is_some()
    }

    /// The batch was written, and consumed so many units.
    pub(super) fn written(&self, consumed: f64) {
        let Some(units) = self.units else {
            return;
        };
        self.paces.with_pace(self.partition, |pace| {
            pace.units -= consumed - units;
            // A rate that nothing waits for is no rate that the partition has shown to give.
            if self.has_waited {
                pace.units_per_s += GROWTH * consumed;
            }
        });
    }

    /// DynamoDB left some of the batch undone, or all of it.
    pub(super) fn throttled(&self) {
        self.paces.start(self.partition);
        self.paces
            .with_pace(self.partition, |pace| pace.slow(self.since));
    }
}

impl Pace {
    fn of_an_empty_partition() -> Self {
        let now = Instant::now();
        Self {
            units_per_s: FIRST_RATE,
            units: 0.0,
            as_of: now,
            slowed_at: now,
        }
    }

    /// Takes units if there are as many, or returns how long that will take.
    fn take(&mut self, units: f64) -> Result<(), Duration> {
        self.refill();
        if self.units < units {
            let wait = Duration::from_secs_f64((units - self.units) / self.units_per_s);
            return Err(wait.max(TICK));
        }
        self.units -= units;
        Ok(())
    }

    fn refill(&mut self) {
        let now = Instant::now();
        let refilled = self.units + self.units_per_s * (now - self.as_of).as_secs_f64();
        self.units = refilled.min(self.units_per_s * BURST.as_secs_f64());
        self.as_of = now;
    }

    /// The partition had too little for a batch whose turn came at `since`.
    fn slow(&mut self, since: Instant) {
        self.refill();
        self.units = self.units.min(-self.units_per_s * PAUSE.as_secs_f64());
        // Several batches are under way at once: those of before the last change say nothing about
        // the rate of now.
        if since > self.slowed_at {
            self.units_per_s = (self.units_per_s * SLOWED).max(LEAST_RATE);
            self.slowed_at = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};

    use super::*;

    /// Batches under way at once.
    const AT_ONCE: usize = 8;
    /// The writes of a batch, and what each of them consumes.
    const WRITES: u32 = 25;
    const UNITS: f64 = 1.25;
    /// How long DynamoDB takes to answer.
    const ANSWER: Duration = Duration::from_millis(8);

    /// A partition that gives so many units a second, and keeps as many.
    struct Partition {
        units_per_s: f64,
        units: f64,
        as_of: Instant,
    }

    impl Partition {
        fn full(units_per_s: f64) -> Self {
            Self {
                units_per_s,
                units: units_per_s,
                as_of: Instant::now(),
            }
        }

        /// Does as many writes as there are units for, and returns how many are left.
        fn write(&mut self, mut writes: u32) -> u32 {
            let refilled = self.units + self.units_per_s * self.as_of.elapsed().as_secs_f64();
            self.units = refilled.min(self.units_per_s);
            self.as_of = Instant::now();
            while writes > 0 && self.units >= UNITS {
                self.units -= UNITS;
                writes -= 1;
            }
            writes
        }
    }

    /// Batches that are being written to a partition.
    struct Run {
        paces: Paces,
        partition: Mutex<Partition>,
        requests: Mutex<Requests>,
    }

    #[derive(Default)]
    struct Requests {
        whole: u32,
        throttled: u32,
    }

    impl Run {
        fn to(partition: Partition) -> Self {
            Self {
                paces: Paces::default(),
                partition: Mutex::new(partition),
                requests: Mutex::default(),
            }
        }

        async fn write_batch(&self) {
            let mut left = WRITES;
            while left > 0 {
                let turn = self.paces.turn("link", left as usize).await;
                sleep(ANSWER / 2).await;
                let sent = left;
                left = self.partition.lock().unwrap().write(left);
                sleep(ANSWER / 2).await;

                let mut requests = self.requests.lock().unwrap();
                if left == 0 {
                    turn.written(f64::from(sent) * UNITS);
                    requests.whole += 1;
                } else {
                    turn.throttled();
                    requests.throttled += 1;
                }
            }
        }

        /// Writes for so many seconds of the partition's own time. Returns the time that this takes
        /// for each of them, and the share of requests that were throttled.
        async fn write_for(&self, seconds: f64) -> (f64, f64) {
            let units_per_s = self.partition.lock().unwrap().units_per_s;
            let batch = f64::from(WRITES) * UNITS;
            let batches =
                (1..).take_while(|batches| f64::from(*batches) * batch <= seconds * units_per_s);
            let started = Instant::now();
            stream::iter(batches)
                .for_each_concurrent(AT_ONCE, |_| self.write_batch())
                .await;

            let requests = std::mem::take(&mut *self.requests.lock().unwrap());
            let throttled = f64::from(requests.throttled);
            let wasted = throttled / (f64::from(requests.whole) + throttled);
            (started.elapsed().as_secs_f64() / seconds, wasted)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_partition_is_used_as_far_as_it_gives_and_few_requests_are_wasted() {
        for units_per_s in [300.0, 1_000.0, 2_000.0] {
            let run = Run::to(Partition::full(units_per_s));
            let (ratio, wasted) = run.write_for(250.0).await;
            assert!(ratio <= 1.05, "{units_per_s}: {ratio}");
            assert!(wasted < 0.05, "{units_per_s}: {wasted}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_follows_a_partition_that_gives_less_and_then_more() {
        let run = Run::to(Partition::full(1_000.0));
        run.write_for(60.0).await;
        for units_per_s in [200.0, 2_000.0] {
            run.partition.lock().unwrap().units_per_s = units_per_s;
            run.write_for(60.0).await;
            let (ratio, wasted) = run.write_for(60.0).await;
            assert!(ratio <= 1.05, "{units_per_s}: {ratio}");
            assert!(wasted < 0.05, "{units_per_s}: {wasted}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_waits_before_its_own_partition_is_throttled() {
        let (paces, started) = (Paces::default(), Instant::now());
        for _ in 0..1_000 {
            paces.turn("link", 25).await.written(25.0);
        }
        paces.turn("link", 25).await.throttled();
        assert_eq!(started.elapsed(), Duration::ZERO);

        paces.turn("another", 25).await.written(25.0);
        assert_eq!(started.elapsed(), Duration::ZERO);
        paces.turn("link", 25).await.written(25.0);
        assert!(started.elapsed() > PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_partition_that_was_left_alone_is_no_longer_paced() {
        let paces = Paces::default();
        paces.turn("link", 25).await.throttled();
        assert!(paces.turn("link", 1).await.is_paced());
        sleep(FORGOTTEN_AFTER).await;
        assert!(!paces.turn("link", 1).await.is_paced());
        assert!(paces.0.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_partition_that_gives_nothing_is_tried_once_a_second() {
        let paces = Paces::default();
        paces.turn("link", 25).await.throttled();
        for _ in 0..100 {
            paces.turn("link", 25).await.throttled();
        }
        let started = Instant::now();
        paces.turn("link", 25).await.throttled();
        let wait = started.elapsed().as_secs_f64();
        assert!((1.0..1.2).contains(&wait), "{wait}");
    }
}
