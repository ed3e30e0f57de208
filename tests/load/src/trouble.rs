//! What goes wrong around the functions, until it is over: they are killed, and the queue fails.
//! How often follows from the rates, and when from a seed.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How often something goes wrong, of a thousand times that it could.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// Of invocations, how many a kill falls into.
    pub(crate) kills: u32,
    /// Of messages that functions send, how many the queue answers with an error.
    pub(crate) queue_failures: u32,
}

/// How the queue fails a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueFailure {
    /// Whether it stores the message all the same.
    pub(crate) is_stored: bool,
    /// Whether the SDK tries again by itself.
    pub(crate) is_passing: bool,
}

pub(crate) struct Trouble {
    rates: Rates,
    dice: Mutex<ChaCha8Rng>,
    is_over: AtomicBool,
}

impl Trouble {
    pub(crate) fn seeded(seed: u64, rates: Rates) -> Self {
        Self {
            rates,
            dice: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            is_over: AtomicBool::new(false),
        }
    }

    /// From now on nothing goes wrong.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Where in an invocation it is killed, as a part of how long one usually takes; `None` if it
    /// is not.
    pub(crate) fn kill(&self) -> Option<f64> {
        self.happens(self.rates.kills)
            .then(|| self.with_dice(|dice| dice.random_range(0.0..1.0)))
    }

    /// How the queue fails the next message, if it does.
    pub(crate) fn queue_failure(&self) -> Option<QueueFailure> {
        self.happens(self.rates.queue_failures).then(|| {
            self.with_dice(|dice| QueueFailure {
                is_stored: dice.random(),
                is_passing: dice.random(),
            })
        })
    }

    fn happens(&self, per_mille: u32) -> bool {
        !self.is_over.load(Ordering::Relaxed)
            && per_mille > 0
            && self.with_dice(|dice| dice.random_ratio(per_mille, 1_000))
    }

    fn with_dice<T>(&self, throw: impl FnOnce(&mut ChaCha8Rng) -> T) -> T {
        throw(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
