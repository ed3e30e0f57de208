//! The messages of one link: plan all, run all, release what is to be retried.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use shared::{belvo::Haste, queue::Task, telemetry::traced};
use tokio::time::{Instant, timeout_at};

use crate::{
    App, CollectError, HEAD_START,
    dead_letter::dead_letter_final,
    job::Job,
    plan,
    received::Received,
    retry::{self, Failed},
    turn::Turn,
};

/// The time between the deadline at which a fetch leaves the rest to a continuation and the time at
/// which its work is interrupted.
const TIME_TO_CONTINUE: Duration = Duration::from_secs(5);

/// A job and the messages that asked for it.
struct PlannedJob {
    job: Job,
    messages: Vec<Received>,
}

/// Processes the messages of one link and returns those to retry. Once one has to be retried, none
/// of the later ones is attempted: SQS delivers none of the link's messages while one is still
/// hidden. They are queued again behind it, because each receive counts as one of a message's
/// attempts. A dead-lettered message delays no other.
pub(crate) async fn process(app: &App, messages: Vec<Received>, turn: &Turn) -> Vec<Received> {
    let (planned, unplanned) = plan_all(app, messages, turn).await;
    let failed = run_all(app, planned, turn).await;

    let failed = match (failed, unplanned) {
        (Some(mut failed), Some(unplanned)) => {
            failed.behind.extend(unplanned.attempted);
            failed.behind.extend(unplanned.behind);
            failed
        }
        (Some(failed), None) | (None, Some(failed)) => failed,
        (None, None) => return Vec::new(),
    };
    retry::release(app, failed).await
}

/// Plans the messages, up to the first that cannot be planned now.
async fn plan_all(
    app: &App,
    messages: Vec<Received>,
    turn: &Turn,
) -> (Vec<PlannedJob>, Option<Failed>) {
    let mut planned = Vec::new();
    let mut messages = messages.into_iter();
    while let Some(message) = messages.next() {
        let for_it = app.for_collection(head_start(&message), haste([&message], turn));
        // Large futures, of which a batch holds ten.
        let plan = Box::pin(plan::plan(&for_it, &message));
        let plan = traced(message.trace.clone(), plan);
        match contained(plan, turn.deadline).await {
            Ok(None) => {}
            Ok(Some(job)) => add(&mut planned, job, message),
            Err(error) => {
                let attempted = dead_letter_final(app, vec![message], &error).await;
                if !attempted.is_empty() {
                    let failed = Failed {
                        attempted,
                        behind: messages.collect(),
                        error,
                    };
                    return (planned, Some(failed));
                }
            }
        }
    }
    (planned, None)
}

/// Runs the jobs in order, up to the first whose messages are to be retried. Those that have not
/// begun when the turn is over are queued again.
async fn run_all(app: &App, planned: Vec<PlannedJob>, turn: &Turn) -> Option<Failed> {
    let mut planned = planned.into_iter();
    let mut is_first = true;
    while let Some(PlannedJob { job, messages }) = planned.next() {
        if !std::mem::take(&mut is_first) && turn.is_over() {
            let later = planned.flat_map(|planned| planned.messages);
            return later_on(app, messages.into_iter().chain(later).collect()).await;
        }
        let for_it = app.for_collection(job.head_start(), haste(&messages, turn));
        let deadline = turn.deadline + TIME_TO_CONTINUE;
        let trace = messages.first().and_then(|message| message.trace.clone());
        let work = traced(trace, Box::pin(job.run(&for_it, turn)));
        let outcome = contained(work, deadline).await;
        let Err(error) = outcome else {
            continue;
        };

        let attempted = dead_letter_final(app, messages, &error).await;
        if !attempted.is_empty() {
            return Some(Failed {
                attempted,
                behind: planned.flat_map(|planned| planned.messages).collect(),
                error,
            });
        }
    }
    None
}

/// Queues messages again, behind whoever waits. Those for which that fails are retried.
async fn later_on(app: &App, messages: Vec<Received>) -> Option<Failed> {
    let attempted = retry::queue_again(&app.queue, messages).await;
    let failed = Failed {
        attempted,
        behind: Vec::new(),
        error: CollectError::TurnOver,
    };
    Some(failed).filter(|failed| !failed.attempted.is_empty())
}

/// How many calls of planning go before those of collections: none of a scrub's.
fn head_start(message: &Received) -> u32 {
    match message.task {
        Ok(Task::CheckLink { .. }) => 0,
        _ => HEAD_START,
    }
}

/// Lets a job share the fetch of an earlier one, if one fetch serves both.
fn add(planned: &mut Vec<PlannedJob>, job: Job, message: Received) {
    match planned.iter_mut().find(|planned| planned.job.takes(&job)) {
        Some(earlier) => {
            earlier.job.absorb(job);
            earlier.messages.push(message);
        }
        None => planned.push(PlannedJob {
            job,
            messages: vec![message],
        }),
    }
}

/// The haste of what is attempted for the first time. What is tried again waits for Belvo as long
/// as a page may take: otherwise one that takes long would never be read.
fn haste<'a>(messages: impl IntoIterator<Item = &'a Received>, turn: &Turn) -> Option<Haste> {
    let is_first = |message: &Received| message.receives <= 1;
    messages.into_iter().all(is_first).then(|| turn.haste())
}

/// Interrupts work that takes longer than the invocation has, and turns a panic into an error of
/// this one message.
async fn contained<T>(
    work: impl Future<Output = Result<T, CollectError>>,
    deadline: Instant,
) -> Result<T, CollectError> {
    match timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Err(CollectError::Panicked),
        Err(_elapsed) => Err(CollectError::OutOfTime),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_message() {
        let work = async { panic!("on purpose") };
        let deadline = Instant::now() + Duration::from_secs(1);
        let outcome: Result<(), _> = contained(work, deadline).await;
        assert!(matches!(outcome, Err(CollectError::Panicked)));
    }

    #[tokio::test(start_paused = true)]
    async fn endless_work_is_interrupted_in_time() {
        let deadline = Instant::now() + Duration::from_mins(5);
        let outcome: Result<(), _> = contained(std::future::pending(), deadline).await;
        assert!(matches!(outcome, Err(CollectError::OutOfTime)));
        assert!(Instant::now() < deadline + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_jobs_of_a_link_share_the_time_of_the_invocation() {
        let deadline = Instant::now() + Duration::from_mins(5);
        let work = async || {
            sleep(Duration::from_mins(4)).await;
            Ok(())
        };
        assert!(contained(work(), deadline).await.is_ok());
        let second = contained(work(), deadline).await;
        assert!(matches!(second, Err(CollectError::OutOfTime)));
    }
}
