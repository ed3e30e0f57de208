//! The pace of requests to Belvo that all environments of a function share: one item, which says
//! when the next request would be due if all came evenly.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use domain::{Spacing, Timestamp};

use super::{
    StoreError,
    item::{Item, number},
    table::{NAME, RACES, Table},
};

const KEY: &str = "pace#belvo";
/// Milliseconds since 1970.
const DUE: &str = "due_ms";

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// After this wait. It counts as sent.
    After(Duration),
    /// Too many wait already. After this time none of them does.
    Refused { retry_after: Duration },
}

#[derive(Clone)]
pub struct Pace(Table);

/// What a conditional write found or left.
enum Due {
    Written(i64),
    /// The condition did not hold.
    Found(i64),
}

impl Pace {
    pub(super) fn new(table: Table) -> Self {
        Self(table)
    }

    /// Gives a request the next place, unless it would wait for longer than `patience`. Costs one
    /// write unit, and a second one while requests follow each other more closely than they are
    /// spaced. Not undone for a request that is not sent after all: the next one then waits for it.
    pub async fn admit(
        &self,
        spacing: Spacing,
        patience: Duration,
        at: Timestamp,
    ) -> Result<Admission, StoreError> {
        let now = at.unix_millis();
        let [interval, slack, patience] =
            [spacing.interval, spacing.slack, patience].map(milliseconds);
        for _ in 0..RACES {
            let Due::Found(due) = self.begin(now, interval).await? else {
                return Ok(Admission::After(Duration::ZERO));
            };
            let wait = due - slack - now;
            if wait > patience {
                let retry_after = duration(wait);
                return Ok(Admission::Refused { retry_after });
            }
            let latest = now + slack + patience;
            if let Due::Written(due) = self.follow((now, latest), interval).await? {
                let wait = duration(due - interval - slack - now);
                return Ok(Admission::After(wait));
            }
        }
        Err(StoreError::Contended(NAME))
    }

    /// Takes the place of a request that comes after all others were due.
    async fn begin(&self, now: i64, interval: i64) -> Result<Due, StoreError> {
        let update = self
            .0
            .update(KEY)
            .update_expression("SET #due = :next")
            .condition_expression("attribute_not_exists(#due) OR #due < :now")
            .expression_attribute_values(":next", number(now + interval))
            .expression_attribute_values(":now", number(now));
        send(update).await
    }

    /// Takes the place behind others, if the last of them is due between these instants.
    async fn follow(&self, due: (i64, i64), interval: i64) -> Result<Due, StoreError> {
        let update = self
            .0
            .update(KEY)
            .update_expression("SET #due = #due + :interval")
            .condition_expression("#due BETWEEN :now AND :latest")
            .expression_attribute_values(":interval", number(interval))
            .expression_attribute_values(":now", number(due.0))
            .expression_attribute_values(":latest", number(due.1));
        send(update).await
    }
}

/// Writes, and returns when the next request is due. A write that is repeated because its answer
/// was lost only makes others wait longer.
async fn send(update: UpdateItemFluentBuilder) -> Result<Due, StoreError> {
    let outcome = update
        .expression_attribute_names("#due", DUE)
        .return_values(ReturnValue::UpdatedNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match outcome {
        Ok(written) => due_ms(written.attributes()).map(Due::Written),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                due_ms(failed.item()).map(Due::Found)
            }
            _ => Err(error.into()),
        },
    }
}

fn due_ms(item: Option<&Item>) -> Result<i64, StoreError> {
    let due = item.and_then(|item| item.get(DUE)?.as_n().ok()?.parse().ok());
    due.ok_or(StoreError::Corrupt(NAME))
}

/// Rounded up: requests may be further apart, not closer.
fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(i64::MAX)
}

fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
