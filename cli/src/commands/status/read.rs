//! Reads the facts of a stack.

use domain::Timestamp;
use futures::try_join;

use super::facts::{EVENTS, Facts, LastHour, Links, Queue, Unread};
use crate::{
    CliError,
    api::Link,
    commands::{spend, stuck},
    logs::{Wanted, What},
    stack::Stack,
};

const HOUR_S: i64 = 3_600;

/// Reads what the API says, which must be readable, and what AWS says as far as the caller may read
/// it.
pub(super) async fn facts(stack: &Stack) -> Result<Facts, CliError> {
    let now = Timestamp::now();
    let api = async {
        let links = |filter: &'static str| async move {
            let query = [(filter, "true")];
            stack.api.all::<Link>("/links", &query, "links").await
        };
        try_join!(
            links("blocked"),
            links("stale"),
            stuck::read(stack, None),
            spend::read(&stack.api, None)
        )
    };
    let aws = async {
        Ok(futures::join!(
            queue(stack),
            dead_letters(stack),
            last_hour(stack, now)
        ))
    };
    let ((blocked, stale, unmoved, spent), (queue, dead_letters, last_hour)) = try_join!(api, aws)?;

    let mut unread = Vec::new();
    Ok(Facts {
        stack: stack.name.clone(),
        at: now,
        queue: known(queue, "the queue", &mut unread),
        dead_letters: known(dead_letters, "the dead-letter queue", &mut unread),
        links: Links::of(&blocked, &stale),
        stuck: unmoved.requests,
        spent: spent.into(),
        last_hour: known(last_hour, "the last hour's log", &mut unread),
        unread,
    })
}

fn known<T>(fact: Result<T, CliError>, what: &'static str, unread: &mut Vec<Unread>) -> Option<T> {
    fact.map_err(|error| {
        let why = error.causes().pop().unwrap_or_else(|| error.to_string());
        unread.push(Unread { what, why });
    })
    .ok()
}

async fn queue(stack: &Stack) -> Result<Queue, CliError> {
    let (waiting, in_flight) = stack.waiting("QueueUrl").await?;
    Ok(Queue {
        waiting,
        in_flight,
        oldest_s: stack.oldest_message_s().await?,
        alarm_s: stack.number("QueueAgeAlarmSeconds")?,
    })
}

async fn dead_letters(stack: &Stack) -> Result<u64, CliError> {
    let (waiting, in_flight) = stack.waiting("DeadLetterQueueUrl").await?;
    Ok(waiting + in_flight)
}

async fn last_hour(stack: &Stack, now: Timestamp) -> Result<LastHour, CliError> {
    let wanted = Wanted {
        functions: &["webhook", "collect", "request"],
        since: now.plus_seconds(-HOUR_S),
        what: What::Events(&EVENTS),
    };
    let lines = stack.logs().await?.lines(wanted).await?;
    Ok(LastHour::of(&lines))
}
