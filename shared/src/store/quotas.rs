//! Retrievals counted by customer and month: a count per class, and when Belvo last refused one of
//! a class. Kept for 90 days after the month.

use aws_sdk_dynamodb::{
    config::{Builder, Config, retry::RetryConfig},
    types::AttributeValue,
};
use domain::{Limits, Quota, QuotaHolder, QuotaMonth, Refusal, RetrievalClass, Timestamp};

use super::{
    StoreError,
    error::was_written,
    item::{Item, number, text, timestamp},
    retention::{self, QUOTA_DAYS},
    table::Table,
};

/// Whether a retrieval may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It is counted.
    Granted,
    /// None is left, or Belvo has refused one lately.
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
            // Below the limit by our count, and not closed by Belvo's word.
            .condition_expression(
                "(attribute_not_exists(#class) OR #class < :limit) \
                 AND (attribute_not_exists(#closed_until) OR #closed_until <= :at)",
            )
            .expression_attribute_names("#class", class.name())
            .expression_attribute_names("#closed_until", closed_until(class))
            .expression_attribute_values(":at", text(at.to_string()))
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

    /// Records that Belvo had none left at `at`, whatever was counted. Safe to repeat.
    pub async fn refused(
        &self,
        holder: &QuotaHolder,
        class: RetrievalClass,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let item = self.0.item(counter_key(holder, at)).await?;
        let earlier = item.as_ref().and_then(|item| refusal(item, class));
        let refusal = Refusal::after(earlier, at);
        if earlier == Some(refusal) {
            return Ok(());
        }
        self.close(holder, class, refusal).await
    }

    /// Closes a class, unless it is closed for longer.
    async fn close(
        &self,
        holder: &QuotaHolder,
        class: RetrievalClass,
        refusal: Refusal,
    ) -> Result<(), StoreError> {
        let at = refusal.at;
        let outcome = self
            .0
            .update(counter_key(holder, at))
            .condition_expression(
                "attribute_not_exists(#closed_until) OR #closed_until < :closed_until",
            )
            .update_expression(
                "SET #refused_at = :at, #closed_until = :closed_until, expires_at = :expires_at",
            )
            .expression_attribute_names("#refused_at", refused_at(class))
            .expression_attribute_names("#closed_until", closed_until(class))
            .expression_attribute_values(":at", text(refusal.at.to_string()))
            .expression_attribute_values(":closed_until", text(refusal.closed_until.to_string()))
            .expression_attribute_values(":expires_at", expires_at(at))
            .send()
            .await;
        was_written(outcome).map(|_| ())
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
            if let Some(refusal) = refusal(&item, class) {
                self.close(to, class, refusal).await?;
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

fn refused_at(class: RetrievalClass) -> String {
    format!("{}_refused_at", class.name())
}

fn closed_until(class: RetrievalClass) -> String {
    format!("{}_closed_until", class.name())
}

fn refusal(item: &Item, class: RetrievalClass) -> Option<Refusal> {
    Some(Refusal {
        at: timestamp(item, &refused_at(class))?,
        closed_until: timestamp(item, &closed_until(class))?,
    })
}

fn quota(item: &Item, class: RetrievalClass, limits: Limits, at: Timestamp) -> Quota {
    let used = used(item, class);
    let limit = limits.of(class);
    let closed_until = refusal(item, class).map(|refusal| refusal.closed_until);
    let closed_until = closed_until.filter(|until| *until > at);
    let left = match closed_until {
        Some(_) => 0,
        None => limit.saturating_sub(used),
    };
    Quota {
        class,
        limit,
        used,
        left,
        closed_until,
        resets_at: QuotaMonth::of(at).ends_at(),
    }
}

fn used(item: &Item, class: RetrievalClass) -> u32 {
    item.get(class.name())
        .and_then(|used| used.as_n().ok()?.parse().ok())
        .unwrap_or(0)
}
