//! Retrievals counted by customer and month: a count per class, the links that they were for, and
//! when Belvo last refused one of a class. Those of a month are listed together
//! (docs/decisions/0035). Kept for 90 days after the month.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    config::{Builder, Config, retry::RetryConfig},
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, ReturnValue},
};
use domain::{Limits, LinkId, Quota, QuotaHolder, QuotaMonth, Refusal, RetrievalClass, Timestamp};

use super::{
    Cursor, StoreError,
    error::was_written,
    item::{Item, number, text, timestamp},
    retention::{self, QUOTA_DAYS},
    table::{BY_LINK, Listing, Page, Table},
};

const KIND: &str = "quota";
const RECORD: &str = "a quota";

/// What puts a counter into the listing of its month, where it stays, and names the link.
const SET_LISTED: &str = "link = :month, listed_at = if_not_exists(listed_at, :at), \
                          expires_at = :expires_at";
const ADD_LINK: &str = "links :links";

/// Whether a retrieval may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It is counted, and so many are left.
    Granted { left: u32 },
    /// None is left, or Belvo has refused one lately.
    Exhausted,
}

/// The counters of a customer's month, or of a link's that is not registered.
#[derive(Debug, Clone)]
pub struct Counters {
    holder: String,
    month: QuotaMonth,
    /// The links for which retrievals were counted.
    pub links: BTreeSet<LinkId>,
    item: Item,
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
            .counting(holder, at)
            .update_expression(format!(
                "SET #class = if_not_exists(#class, :none) + :one, {SET_LISTED} ADD {ADD_LINK}"
            ))
            // Below the limit by our count, and not closed by Belvo's word.
            .condition_expression(
                "(attribute_not_exists(#class) OR #class < :limit) \
                 AND (attribute_not_exists(#closed_until) OR #closed_until <= :at)",
            )
            .expression_attribute_names("#class", class.name())
            .expression_attribute_names("#closed_until", closed_until(class))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":limit", number(limit))
            .return_values(ReturnValue::UpdatedNew)
            .customize()
            .config_override(once())
            .send()
            .await;
        let counted = outcome.as_ref().ok().and_then(|it| it.attributes());
        let used = counted.map_or(limit, |item| used(item, class));
        Ok(if was_written(outcome)? {
            let left = limit.saturating_sub(used);
            Reservation::Granted { left }
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
            .update(counter_key(holder, QuotaMonth::of(at)))
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
        let key = counter_key(holder, QuotaMonth::of(at));
        let item = self.0.item(key).await?;
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
        let outcome = self
            .counting(holder, refusal.at)
            .condition_expression(
                "attribute_not_exists(#closed_until) OR #closed_until < :closed_until",
            )
            .update_expression(format!(
                "SET #refused_at = :at, #closed_until = :closed_until, {SET_LISTED} ADD {ADD_LINK}"
            ))
            .expression_attribute_names("#refused_at", refused_at(class))
            .expression_attribute_names("#closed_until", closed_until(class))
            .expression_attribute_values(":closed_until", text(refusal.closed_until.to_string()))
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
    /// What was added is no longer listed for `from`.
    pub async fn carry_over(
        &self,
        from: &QuotaHolder,
        to: &QuotaHolder,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = counter_key(from, QuotaMonth::of(at));
        let Some(item) = self.0.item(&key).await? else {
            return Ok(());
        };
        for class in RetrievalClass::ALL {
            let used = used(&item, class);
            if used > 0 {
                self.add(to, class, used, at).await?;
            }
            if let Some(refusal) = refusal(&item, class) {
                self.close(to, class, refusal).await?;
            }
        }
        let unlisted = self
            .0
            .update(key)
            .update_expression("REMOVE link, listed_at")
            .condition_expression("attribute_exists(pk)");
        was_written(unlisted.send().await).map(|_| ())
    }

    async fn add(
        &self,
        holder: &QuotaHolder,
        class: RetrievalClass,
        n: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.counting(holder, at)
            .update_expression(format!("SET {SET_LISTED} ADD #class :n, {ADD_LINK}"))
            .expression_attribute_names("#class", class.name())
            .expression_attribute_values(":n", number(n))
            .customize()
            .config_override(once())
            .send()
            .await?;
        Ok(())
    }

    /// An update of a counter, with the values that list it.
    fn counting(&self, holder: &QuotaHolder, at: Timestamp) -> UpdateItemFluentBuilder {
        let month = QuotaMonth::of(at);
        let links = AttributeValue::Ss(vec![holder.link().to_string()]);
        self.0
            .update(counter_key(holder, month))
            .expression_attribute_values(":month", text(under(month)))
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":expires_at", expires_at(at))
            .expression_attribute_values(":links", links)
    }

    /// What is left of each class in the month of `at`.
    pub async fn left(
        &self,
        holder: &QuotaHolder,
        limits: Limits,
        at: Timestamp,
    ) -> Result<Vec<Quota>, StoreError> {
        let month = QuotaMonth::of(at);
        let item = self.0.item(counter_key(holder, month)).await?;
        Ok(quotas(&item.unwrap_or_default(), month, limits, at))
    }

    /// The counters of a month, the latest to be counted for the first time first, at most `limit`,
    /// and where the listing continues. Read from an index that may lag slightly behind the table.
    pub async fn of_month(
        &self,
        month: QuotaMonth,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<Page<Counters>, StoreError> {
        let listing = Listing {
            index: BY_LINK,
            kind: KIND,
            under: &under(month),
        };
        let read = |item| Counters::read(item, month);
        self.0.listed(listing, after, limit, read).await
    }
}

impl Counters {
    fn read(item: Item, month: QuotaMonth) -> Result<Self, StoreError> {
        let pk = item.get("pk").and_then(|pk| pk.as_s().ok());
        let holder = pk.and_then(|pk| {
            let holder_and_month = pk.strip_prefix(KIND)?.strip_prefix('#')?;
            Some(holder_and_month.rsplit_once('#')?.0.to_owned())
        });
        let links = item.get("links").and_then(|links| links.as_ss().ok());
        let links = links.into_iter().flatten().map(|link| LinkId::parse(link));
        let links = links.collect::<Result<BTreeSet<_>, _>>().ok();
        Ok(Self {
            holder: holder.ok_or(StoreError::Corrupt(RECORD))?,
            month,
            links: links.ok_or(StoreError::Corrupt(RECORD))?,
            item,
        })
    }

    /// `customer` or `link`.
    #[must_use]
    pub fn counted_for(&self) -> &'static str {
        QuotaHolder::kind_of(&self.holder)
    }

    /// What was used of each class, and what is left of it now.
    #[must_use]
    pub fn left(&self, limits: Limits, now: Timestamp) -> Vec<Quota> {
        quotas(&self.item, self.month, limits, now)
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

fn counter_key(holder: &QuotaHolder, month: QuotaMonth) -> String {
    format!("{KIND}#{holder}#{}", month.text())
}

/// The attribute `link` of all counters of a month: a name that no link has.
fn under(month: QuotaMonth) -> String {
    format!("{KIND}#{}", month.text())
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

fn quotas(item: &Item, month: QuotaMonth, limits: Limits, now: Timestamp) -> Vec<Quota> {
    let quota = |class: &RetrievalClass| {
        let (used, limit) = (used(item, *class), limits.of(*class));
        let closed_until = refusal(item, *class).map(|refusal| refusal.closed_until);
        let closed_until = closed_until.filter(|until| *until > now);
        let left = match closed_until {
            Some(_) => 0,
            None => limit.saturating_sub(used),
        };
        Quota {
            class: *class,
            limit,
            used,
            left,
            closed_until,
            resets_at: month.ends_at(),
        }
    };
    RetrievalClass::ALL.iter().map(quota).collect()
}

fn used(item: &Item, class: RetrievalClass) -> u32 {
    item.get(class.name())
        .and_then(|used| used.as_n().ok()?.parse().ok())
        .unwrap_or(0)
}
