//! Belvo's limits of retrievals: so many per customer and calendar month. Off unless the control
//! API sets them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use time::{Date, Duration, OffsetDateTime};

/// A retrieval of fewer days than this from now is a short one.
const SHORT_DAYS: i64 = 6;

/// What a customer has in a month.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerMonth {
    long: u32,
    short: u32,
}

/// The limits, and what was used of them.
#[derive(Default)]
pub(crate) struct Limits {
    per_month: Option<PerMonth>,
    used: BTreeMap<(String, String), u32>,
}

impl Limits {
    /// Sets the limits, or switches them off. What was used is forgotten.
    pub(crate) fn set(&mut self, per_month: Option<PerMonth>) {
        *self = Self {
            per_month,
            used: BTreeMap::new(),
        };
    }

    /// Counts a retrieval that begins with this day, if its customer has one left.
    pub(crate) fn admit(&mut self, customer: &Value, from: Date) -> bool {
        let Some(per_month) = self.per_month else {
            return true;
        };
        let today = OffsetDateTime::now_utc().date();
        let short = from > today - Duration::days(SHORT_DAYS);
        let limit = if short {
            per_month.short
        } else {
            per_month.long
        };
        let month = format!("{}-{} {short}", today.year(), today.month());
        let used = self.used.entry((customer.to_string(), month)).or_default();
        let left = *used < limit;
        *used += u32::from(left);
        left
    }
}
