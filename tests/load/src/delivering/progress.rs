//! Says on the standard error how far a run has come.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;

const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// What is counted while a run goes on.
pub(super) struct Progress {
    step: Mutex<&'static str>,
    webhooks: u64,
    acknowledged: AtomicU64,
    redelivered: AtomicU64,
    queued: AtomicU64,
}

impl Progress {
    /// Starts saying it, for ever.
    pub(super) fn start(webhooks: u64) -> Arc<Self> {
        let progress = Arc::new(Self {
            step: Mutex::new(""),
            webhooks,
            acknowledged: AtomicU64::new(0),
            redelivered: AtomicU64::new(0),
            queued: AtomicU64::new(0),
        });
        let line = Arc::clone(&progress);
        tokio::spawn(async move {
            loop {
                sleep(BETWEEN_LINES).await;
                line.print();
            }
        });
        progress
    }

    /// Begins a step.
    pub(super) fn says(&self, step: &'static str) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
        self.print();
    }

    pub(super) fn has_acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn delivers_again(&self) {
        self.redelivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn has_queued(&self, messages: u64) {
        self.queued.store(messages, Ordering::Relaxed);
    }

    fn print(&self) {
        let step = *self.step.lock().unwrap_or_else(PoisonError::into_inner);
        eprintln!(
            "load: {step}: {} of {} webhooks acknowledged, {} delivered again, {} messages wait",
            self.acknowledged.load(Ordering::Relaxed),
            self.webhooks,
            self.redelivered.load(Ordering::Relaxed),
            self.queued.load(Ordering::Relaxed)
        );
    }
}
