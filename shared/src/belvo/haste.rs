//! Gives up waiting for Belvo once others wait.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

use super::BelvoError;

/// How long an answer is waited for in any case. Nearly all are quicker; Belvo's own clients found
/// it too little for large listings.
const PROMPT: Duration = Duration::from_secs(5);

/// What lets a caller stop waiting for what it reads: others wait, and Belvo has not answered for a
/// while.
#[derive(Clone)]
pub struct Haste {
    others_wait: watch::Receiver<bool>,
    /// Whether Belvo has answered anything in the step that is being done, which would be lost.
    has_begun: Arc<watch::Sender<bool>>,
}

impl Haste {
    /// The haste of a caller whom `others_wait` tells whether others do.
    #[must_use]
    pub fn new(others_wait: watch::Receiver<bool>) -> Self {
        Self {
            others_wait,
            has_begun: Arc::new(watch::Sender::new(false)),
        }
    }

    /// A step begins that others need not wait for until it has its first answer.
    pub(super) fn begin_step(&self) {
        self.has_begun.send_replace(false);
    }

    pub(super) fn answered(&self) {
        self.has_begun.send_replace(true);
    }

    /// Waits until a request may be sent, which is work like any other, unless others wait before
    /// the step has begun.
    pub(super) async fn admission(
        &self,
        admission: impl Future<Output = Result<(), BelvoError>>,
    ) -> Result<(), BelvoError> {
        tokio::select! {
            biased;
            admitted = admission => admitted,
            () = self.others_before_the_step() => Err(BelvoError::Interrupted { was_sent: false }),
        }
    }

    /// Waits for an answer, unless it is late and others wait.
    pub(super) async fn answer<T>(
        &self,
        answer: impl Future<Output = Result<T, BelvoError>>,
    ) -> Result<T, BelvoError> {
        let mut answer = Box::pin(answer);
        if let Ok(prompt) = timeout(PROMPT, &mut answer).await {
            return prompt;
        }
        tokio::select! {
            biased;
            late = answer => late,
            () = self.others() => Err(BelvoError::Interrupted { was_sent: true }),
        }
    }

    /// Returns as soon as others wait and the step has not begun. A page that was asked for ahead
    /// is part of the next step.
    async fn others_before_the_step(&self) {
        loop {
            self.others().await;
            let mut has_begun = self.has_begun.subscribe();
            let _ = has_begun.wait_for(|begun| !*begun).await;
            if *self.others_wait.borrow() {
                return;
            }
        }
    }

    /// Returns as soon as others wait.
    async fn others(&self) {
        let mut others_wait = self.others_wait.clone();
        if others_wait.wait_for(|wait| *wait).await.is_err() {
            // Nobody looks any more.
            pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const A_MINUTE: Duration = Duration::from_mins(1);

    async fn done_after(duration: Duration) -> Result<(), BelvoError> {
        sleep(duration).await;
        Ok(())
    }

    fn was_sent(outcome: &Result<(), BelvoError>) -> Option<bool> {
        match outcome {
            Err(BelvoError::Interrupted { was_sent }) => Some(*was_sent),
            _ => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_waited_for_while_nobody_else_waits() {
        let (others, others_wait) = watch::channel(false);
        let haste = Haste::new(others_wait);
        assert!(haste.answer(done_after(A_MINUTE)).await.is_ok());
        drop(others);
        assert!(haste.answer(done_after(A_MINUTE)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_is_given_up_when_others_wait_and_a_prompt_one_is_not() {
        let (others, others_wait) = watch::channel(true);
        let haste = Haste::new(others_wait);
        assert!(
            haste
                .answer(done_after(Duration::from_secs(4)))
                .await
                .is_ok()
        );

        let start = Instant::now();
        assert_eq!(
            was_sent(&haste.answer(done_after(A_MINUTE)).await),
            Some(true)
        );
        assert_eq!(start.elapsed(), PROMPT);

        others.send_replace(false);
        let start = Instant::now();
        let answer = haste.answer(done_after(A_MINUTE));
        let (answer, ()) = tokio::join!(answer, async {
            sleep(Duration::from_secs(10)).await;
            others.send_replace(true);
        });
        assert_eq!(was_sent(&answer), Some(true));
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_has_begun_waits_for_its_pace_and_another_one_does_not() {
        let (_others, others_wait) = watch::channel(true);
        let haste = Haste::new(others_wait);
        haste.answered();
        assert!(haste.admission(done_after(A_MINUTE)).await.is_ok());
        haste.begin_step();
        let outcome = haste.admission(done_after(A_MINUTE)).await;
        assert_eq!(was_sent(&outcome), Some(false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_is_asked_for_ahead_is_part_of_the_next_step() {
        let (_others, others_wait) = watch::channel(true);
        let haste = Haste::new(others_wait);
        haste.answered();
        let start = Instant::now();
        let (outcome, ()) = tokio::join!(haste.admission(done_after(A_MINUTE)), async {
            sleep(Duration::from_secs(1)).await;
            haste.begin_step();
        });
        assert_eq!(was_sent(&outcome), Some(false));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}
