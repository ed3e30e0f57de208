//! The turn of an invocation: after it, what can be left is left to another invocation, behind the
//! messages that wait meanwhile. With nobody waiting, the work goes on.

use std::{convert::Infallible, pin::pin, time::Duration};

use futures::future::{Either, select};
use lambda_runtime::tracing;
use shared::{belvo::Haste, cause::chain, queue::Queue, telemetry::Event};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// How often it is asked whether messages wait.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(2);

/// The time that an invocation has, all of it or its turn.
#[derive(Clone)]
pub(crate) struct Turn {
    /// Whatever is unfinished then is interrupted.
    pub(crate) deadline: Instant,
    others_wait: watch::Receiver<bool>,
}

impl Turn {
    /// Whether the turn is over and others wait.
    pub(crate) fn is_over(&self) -> bool {
        *self.others_wait.borrow()
    }

    /// For a collection that need not wait for Belvo at any cost.
    pub(crate) fn haste(&self) -> Haste {
        Haste::new(self.others_wait.clone())
    }
}

/// Does the work of an invocation, and looks whether others wait once its turn of this length is
/// over.
pub(crate) async fn take<T>(
    queue: &Queue,
    length: Duration,
    deadline: Instant,
    work: impl AsyncFnOnce(&Turn) -> T,
) -> T {
    let (sender, others_wait) = watch::channel(false);
    let turn = Turn {
        deadline,
        others_wait,
    };
    let (work, look) = (pin!(work(&turn)), pin!(look(queue, length, &sender)));
    match select(work, look).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => match never {},
    }
}

/// Tells from the end of the turn on whether messages wait. If the queue does not say, none do.
async fn look(queue: &Queue, length: Duration, others_wait: &watch::Sender<bool>) -> Infallible {
    sleep(length).await;
    loop {
        let waiting = queue.waiting().await.unwrap_or_else(|error| {
            tracing::warn!(
                event = Event::QueueNotRead.name(),
                cause = %chain(&error),
                "it is not known whether messages wait"
            );
            0
        });
        others_wait.send_replace(waiting > 0);
        sleep(BETWEEN_QUESTIONS).await;
    }
}
