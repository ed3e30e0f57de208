//! Retrievals counted by customer and month: a count per class, and when Belvo said that a class is
//! exhausted. Kept for 90 days after the month.

use aws_sdk_dynamodb::{
    config::{Builder, Config, retry::RetryConfig},
    types::AttributeValue,
};
use domain::{Limits, Quota, QuotaHolder, QuotaMonth, RetrievalClass, Timestamp};

use super::{
    StoreError,
    error::was_written,
    item::{Item, number, text},
    retention::{self, QUOTA_DAYS},
    table::Table,
};

/// Whether a retrieval may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It is counted.
    Granted,
    /// None is left.
    Exhausted,
}

#[derive(Clone)]
pub struct Quotas(Table);

impl Quotas {
    pub(super) fn new(table: Table) -> Self {
        Self(table)
    }

    /// Counts a retrieval before it is sent, if one is left. Concurrent calls never get more than
    /// there are.
    pub async fn reserve(
        &self,
        holder: &QuotaHolder,
        class: RetrievalClass,
        limit: u32,
        at: Timestamp,
    ) -> Result<Reservation, StoreError> {
        if limit == 0 {
            return Ok(Reservation::Exhausted);
        }
        let outcome = self
            .0
            .update(counter_key(holder, at))
            .update_expression(
                "SET #class = if_not_exists(#class, :none) + :one, expires_at = :expires_at",
            )
            // Below the limit by our count, and not exhausted by Belvo's word.
            .condition_expression(
                "(attribute_not_exists(#class) OR #class < :limit) \
                 AND attribute_not_exists(#exhausted)",
            )
            .expression_attribute_names("#class", class.name())
            .expression_attribute_names("#exhausted", exhausted(class))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":limit", number(limit))
            .expression_attribute_values(":expires_at", expires_at(at))
            .customize()
            .config_override(once())
            .send()
            .await;
        Ok(if was_written(outcome)? {
            Reservation::Granted
        } else {
            Reservation::Exhausted
        })
    }

    /// Releases the reservation of a retrieval that Belvo definitely did not start.
    pub async fn release(
        &self,
        holder: &QuotaHolder,
        class: RetrievalClass,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let outcome = self
            .0
            .update(counter_key(holder, at))
            .update_expression("SET #class = #class - :one")
            .condition_expression("#class >= :one")
            .expression_attribute_names("#class", class.name())
            .expression_attribute_values(":one", number(1))
            .customize()
            .config_override(once())
            .send()
            .await;
        was_written(outcome).map(|_| ())
    }

    /// Records that Belvo has none left this month, whatever was counted. Safe to repeat: the first
    /// time is kept.
    pub async fn exhaust(
        &self,
        holder: &QuotaHolder,
        class: RetrievalClass,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.0
            .update(counter_key(holder, at))
            .update_expression(
                "SET #exhausted = if_not_exists(#exhausted, :at), expires_at = :expires_at",
            )
            .expression_attribute_names("#exhausted", exhausted(class))
            .expression_attribute_values(":expires_at", expires_at(at))
            .expression_attribute_values(":at", text(at.to_string()))
            .send()
            .await?;
        Ok(())
    }

    /// Counts a retrieval that Belvo made without a request from here.
    pub async fn count(
        &self,
        holder: &QuotaHolder,
        class: RetrievalClass,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.add(holder, class, 1, at).await
    }

    /// Adds what `from` has used this month to `to`, once a link turns out to belong to a customer.
    pub async fn carry_over(
        &self,
        from: &QuotaHolder,
        to: &QuotaHolder,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let item = self
            .0
            .item(counter_key(from, at))
            .await?
            .unwrap_or_default();
        for class in RetrievalClass::ALL {
            let used = used(&item, class);
            if used > 0 {
                self.add(to, class, used, at).await?;
            }
            if item.contains_key(&exhausted(class)) {
                self.exhaust(to, class, at).await?;
            }
        }
        Ok(())
    }

    async fn add(
        &self,
        holder: &QuotaHolder,
        class: RetrievalClass,
        n: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.0
            .update(counter_key(holder, at))
            .update_expression("SET expires_at = :expires_at ADD #class :n")
            .expression_attribute_names("#class", class.name())
            .expression_attribute_values(":n", number(n))
            .expression_attribute_values(":expires_at", expires_at(at))
            .customize()
            .config_override(once())
            .send()
            .await?;
        Ok(())
    }

    /// What is left of each class in the month of `at`.
    pub async fn left(
        &self,
        holder: &QuotaHolder,
        limits: Limits,
        at: Timestamp,
    ) -> Result<Vec<Quota>, StoreError> {
        let item = self
            .0
            .item(counter_key(holder, at))
            .await?
            .unwrap_or_default();
        Ok(RetrievalClass::ALL
            .iter()
            .map(|class| quota(&item, *class, limits, at))
            .collect())
    }
}

/// When the counters of a month expire.
fn expires_at(at: Timestamp) -> AttributeValue {
    let end = QuotaMonth::of(at).ends_at().unwrap_or(at);
    retention::expires_at(end, QUOTA_DAYS)
}

/// Counting twice is worse than an error, so that a call whose answer is lost is not retried.
fn once() -> Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

fn counter_key(holder: &QuotaHolder, at: Timestamp) -> String {
    format!("quota#{holder}#{}", QuotaMonth::of(at).text())
}

fn exhausted(class: RetrievalClass) -> String {
    format!("{}_exhausted_at", class.name())
}

fn quota(item: &Item, class: RetrievalClass, limits: Limits, at: Timestamp) -> Quota {
    let used = used(item, class);
    let limit = limits.of(class);
    let left = if item.contains_key(&exhausted(class)) {
        0
    } else {
        limit.saturating_sub(used)
    };
    Quota {
        class,
        limit,
        used,
        left,
        resets_at: QuotaMonth::of(at).ends_at(),
    }
}

fn used(item: &Item, class: RetrievalClass) -> u32 {
    item.get(class.name())
        .and_then(|used| used.as_n().ok()?.parse().ok())
        .unwrap_or(0)
}
