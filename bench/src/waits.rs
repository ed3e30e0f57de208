//! What a function waited for, according to what crossed the fronts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{latency::Awaited, statistics::milliseconds};

/// A request and its answer, or the opening of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) awaited: Awaited,
    pub(crate) started: Instant,
    /// When the last byte of the answer was sent.
    pub(crate) ended: Instant,
    /// How much later than drawn, because the server here was slower than the real one.
    pub(crate) overdue: Duration,
    /// Bytes of the answer's body on the line.
    pub(crate) bytes: u64,
}

/// All exchanges since the last look.
#[derive(Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Vec<Exchange>>>);

impl Record {
    pub(crate) fn note(&self, exchange: Exchange) {
        self.exchanges().push(exchange);
    }

    pub(crate) fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.exchanges())
    }

    fn exchanges(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was waited for in a period, in milliseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waits {
    pub(crate) by: BTreeMap<Awaited, Wait>,
    /// While nothing was in flight: the function's own time.
    pub(crate) own_ms: f64,
    /// The exchanges that waited for each other: the one that ended last, the one that ended last
    /// before it began, and so on.
    pub(crate) in_sequence: u64,
    /// By which the servers here were slower than the latencies that were drawn for them, in all.
    pub(crate) overdue_ms: f64,
}

/// What was waited for one service.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wait {
    pub(crate) exchanges: u64,
    /// Of all exchanges, also of those at the same time.
    pub(crate) sum_ms: f64,
    /// While at least one was in flight.
    pub(crate) in_flight_ms: f64,
    /// Of those in sequence.
    pub(crate) in_sequence_ms: f64,
    /// Bytes of the answers' bodies on the line.
    pub(crate) bytes: u64,
}

impl Waits {
    /// Of the exchanges that ended between two instants.
    pub(crate) fn between(start: Instant, end: Instant, exchanges: &[Exchange]) -> Self {
        let mut exchanges: Vec<_> = exchanges
            .iter()
            .filter(|exchange| exchange.started < end && exchange.ended > start)
            .map(|exchange| Exchange {
                started: exchange.started.max(start),
                ended: exchange.ended.min(end),
                ..*exchange
            })
            .collect();
        exchanges.sort_by_key(|exchange| exchange.started);

        let mut waits = Self::default();
        for exchange in &exchanges {
            waits.add(exchange);
        }
        for (awaited, wait) in &mut waits.by {
            let of_it = exchanges
                .iter()
                .filter(|exchange| exchange.awaited == *awaited);
            wait.in_flight_ms = milliseconds(covered(of_it));
        }
        for exchange in sequence(&exchanges) {
            waits.in_sequence += 1;
            let wait = waits.by.entry(exchange.awaited).or_default();
            wait.in_sequence_ms += length(exchange);
        }
        waits.own_ms = milliseconds((end - start).saturating_sub(covered(&exchanges)));
        waits
    }

    fn add(&mut self, exchange: &Exchange) {
        self.overdue_ms += milliseconds(exchange.overdue);
        let wait = self.by.entry(exchange.awaited).or_default();
        wait.exchanges += 1;
        wait.sum_ms += length(exchange);
        wait.bytes += exchange.bytes;
    }
}

fn length(exchange: &Exchange) -> f64 {
    milliseconds(exchange.ended - exchange.started)
}

/// The time during which at least one of these is in flight; they are in the order of their starts.
fn covered<'a>(exchanges: impl IntoIterator<Item = &'a Exchange>) -> Duration {
    let mut covered = Duration::ZERO;
    let mut until: Option<Instant> = None;
    for exchange in exchanges {
        let from = until.map_or(exchange.started, |until| until.max(exchange.started));
        covered += exchange.ended.saturating_duration_since(from);
        until = Some(until.map_or(exchange.ended, |until| until.max(exchange.ended)));
    }
    covered
}

/// From the end to the beginning, each the one that ended last before the one after it began.
fn sequence(exchanges: &[Exchange]) -> Vec<&Exchange> {
    let mut by_end: Vec<_> = exchanges.iter().collect();
    by_end.sort_by_key(|exchange| exchange.ended);

    let mut sequence: Vec<&Exchange> = Vec::new();
    while let Some(exchange) = by_end.pop() {
        if sequence
            .last()
            .is_none_or(|next| exchange.ended <= next.started)
        {
            sequence.push(exchange);
        }
    }
    sequence
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "whole milliseconds are exact")]
mod tests {
    use super::*;

    fn exchange(zero: Instant, awaited: Awaited, started: u64, ended: u64) -> Exchange {
        let at = |ms| zero + Duration::from_millis(ms);
        Exchange {
            awaited,
            started: at(started),
            ended: at(ended),
            overdue: Duration::ZERO,
            bytes: 10,
        }
    }

    fn waits(of: &[(Awaited, u64, u64)]) -> Waits {
        let zero = Instant::now();
        let exchanges: Vec<_> = of
            .iter()
            .map(|(awaited, started, ended)| exchange(zero, *awaited, *started, *ended))
            .collect();
        Waits::between(zero, zero + Duration::from_millis(100), &exchanges)
    }

    #[test]
    fn what_is_in_flight_at_once_is_waited_for_once() {
        use Awaited::DynamoDb;
        let waits = waits(&[(DynamoDb, 10, 30), (DynamoDb, 15, 20), (DynamoDb, 25, 45)]);
        let wait = waits.by[&DynamoDb];
        assert_eq!((wait.exchanges, wait.bytes), (3, 30));
        assert_eq!((wait.sum_ms, wait.in_flight_ms), (45.0, 35.0));
        assert_eq!(waits.own_ms, 65.0);
    }

    #[test]
    fn a_sequence_is_of_exchanges_that_waited_for_each_other() {
        use Awaited::{Belvo, DynamoDb};
        let waits = waits(&[
            (Belvo, 0, 40),
            (DynamoDb, 5, 15),
            (DynamoDb, 45, 55),
            (DynamoDb, 46, 60),
            (Belvo, 50, 90),
            (DynamoDb, 92, 98),
        ]);
        assert_eq!(waits.in_sequence, 3);
        assert_eq!(waits.by[&Belvo].in_sequence_ms, 80.0);
        assert_eq!(waits.by[&DynamoDb].in_sequence_ms, 6.0);
        assert_eq!(waits.own_ms, 100.0 - 40.0 - 45.0 - 6.0);
    }

    #[test]
    fn only_what_is_in_the_period_counts() {
        let zero = Instant::now();
        let start = zero + Duration::from_millis(50);
        let exchanges = [
            exchange(zero, Awaited::Sqs, 10, 20),
            exchange(zero, Awaited::Sqs, 40, 60),
        ];
        let waits = Waits::between(start, start + Duration::from_millis(50), &exchanges);
        assert_eq!(waits.by[&Awaited::Sqs].exchanges, 1);
        assert_eq!(waits.by[&Awaited::Sqs].sum_ms, 10.0);
        assert_eq!(waits.own_ms, 40.0);
    }
}
