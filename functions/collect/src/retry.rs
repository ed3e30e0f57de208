//! When a failed message is retried.

use std::time::Duration;

use futures::future::join_all;
use lambda_runtime::tracing;
use shared::{
    advice::{Advice, FIRST_RETRY, with_jitter},
    cause::chain,
    queue::Queue,
    telemetry::{Event, traced},
};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{App, CollectError, received::Received};

/// The longest that setting a message's retry delay may take, and that all together may take which
/// are queued again. With moving a message to the dead-letter queue, they fit into the time
/// reserved at the end of the invocation.
const TIME_TO_SET_DELAY: Duration = Duration::from_millis(1_500);
const TIME_TO_QUEUE_AGAIN: Duration = Duration::from_millis(1_500);

/// How often, and after which waits, a message is retried.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Receives after which it is dead-lettered.
    pub attempts: u32,
    /// The longest wait before a retry.
    pub longest_wait: Duration,
}

/// Messages of a link that could not be processed.
pub(crate) struct Failed {
    /// Those that failed, at least one.
    pub(crate) attempted: Vec<Received>,
    /// Those behind them, which were not attempted.
    pub(crate) behind: Vec<Received>,
    pub(crate) error: CollectError,
}

impl RetryPolicy {
    /// How long a message stays hidden: the wait that the error asks for, or the back-off of its
    /// `receives`-th failure if that is longer, up to half as long again at random, so that links
    /// which failed together are not retried together.
    pub(crate) fn wait(&self, advice: Advice, receives: u32) -> Duration {
        let doublings = receives.saturating_sub(1);
        let backoff = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(doublings));
        let wait = match advice {
            Advice::Stop => return Duration::ZERO,
            Advice::Retry(after) => after.max(backoff).min(self.longest_wait),
            Advice::Alarm => self.longest_wait,
        };
        with_jitter(wait)
    }
}

/// Sets when the messages of a link are delivered again, all at the same time, and returns them.
/// Those that were not attempted are done, once they are queued again.
pub(crate) async fn release(app: &App, failed: Failed) -> Vec<Received> {
    let Failed {
        attempted: mut messages,
        behind,
        error,
    } = failed;
    messages.extend(queue_again(&app.queue, behind).await);
    let Some(first) = messages.first() else {
        return messages;
    };
    let wait = app.retry_policy.wait(error.advice(), first.receives);
    log(first, messages.len(), &error, wait);
    join_all(
        messages
            .iter()
            .map(|message| set_delay(&app.queue, message, wait)),
    )
    .await;
    messages
}

/// Queues messages again, in their order, and returns those for which that fails or there is no
/// time: they are retried in their order, with one attempt less.
pub(crate) async fn queue_again(queue: &Queue, messages: Vec<Received>) -> Vec<Received> {
    let until = Instant::now() + TIME_TO_QUEUE_AGAIN;
    let mut messages = messages.into_iter();
    while let Some(message) = messages.next() {
        let sent = queue.send_again(&message.body, &message.group);
        let sent = timeout_at(until, traced(message.trace.clone(), sent));
        if !matches!(sent.await, Ok(Ok(()))) {
            return std::iter::once(message).chain(messages).collect();
        }
    }
    Vec::new()
}

/// Logs why and when messages are retried, with their link and the request of the first one.
fn log(message: &Received, messages: usize, error: &CollectError, wait: Duration) {
    let wait_s = wait.as_secs();
    let cause = chain(error).to_string();
    if error.is_transient() {
        tracing::warn!(
            event = Event::MessageRetried.name(),
            correlation.id = message.correlation_id(),
            link.id = message.group,
            message.id = message.id,
            task = message.kind(),
            message.receives = message.receives,
            messages,
            wait_s,
            cause,
            "message will be retried"
        );
    } else {
        tracing::error!(
            event = Event::MessageNeedsOperator.name(),
            correlation.id = message.correlation_id(),
            link.id = message.group,
            message.id = message.id,
            task = message.kind(),
            message.receives = message.receives,
            messages,
            wait_s,
            cause,
            "operator action required"
        );
    }
}

/// Sets when a message is delivered again. If that fails, the queue's visibility timeout applies.
async fn set_delay(queue: &Queue, message: &Received, wait: Duration) {
    let set = queue.retry_after(&message.receipt, wait);
    let cause = match timeout(TIME_TO_SET_DELAY, set).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => chain(&error).to_string(),
        Err(_elapsed) => "no answer in time".to_owned(),
    };
    tracing::warn!(
        event = Event::RetryDelayNotSet.name(),
        message.id = message.id,
        cause,
        "could not set the retry delay; falling back to the visibility timeout"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts: 30,
        longest_wait: Duration::from_mins(15),
    };

    #[test]
    fn waits_grow_with_each_failure_up_to_a_limit() {
        let advice = Advice::Retry(Duration::from_secs(3));
        for (receives, base) in [(1, 3.0), (2, 6.0), (5, 48.0), (50, 900.0)] {
            let wait = POLICY.wait(advice, receives).as_secs_f64();
            assert!((base..=base * 1.5).contains(&wait), "{receives}: {wait}");
        }
    }

    #[test]
    fn a_wait_that_belvo_asks_for_is_kept() {
        let two_minutes = Duration::from_mins(2);
        assert!(POLICY.wait(Advice::Retry(two_minutes), 1) >= two_minutes);
    }

    #[test]
    fn a_zero_wait_does_not_disable_the_back_off() {
        let wait = POLICY.wait(Advice::Retry(Duration::ZERO), 4);
        assert!(wait >= Duration::from_secs(24));
    }

    #[test]
    fn a_message_that_can_never_succeed_does_not_delay_its_link() {
        assert_eq!(POLICY.wait(Advice::Stop, 3), Duration::ZERO);
    }
}
