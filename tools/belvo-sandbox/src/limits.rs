//! Belvo's limits on retrievals per customer and calendar month. There are none until the control
//! API sets them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use time::{Date, Duration, OffsetDateTime};

/// A retrieval that goes back fewer days than this is a short one.
const SHORT_DAYS: i64 = 6;

/// How many retrievals of each kind a customer has per month.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerMonth {
    long: u32,
    short: u32,
}

/// The limits, and how much of them is used.
#[derive(Default)]
pub(crate) struct Limits {
    per_month: Option<PerMonth>,
    /// Retrievals by customer, and by month together with the kind of retrieval.
    used: BTreeMap<(String, String), u32>,
}

impl Limits {
    /// Sets the limits, or switches them off, and resets what is used.
    pub(crate) fn set(&mut self, per_month: Option<PerMonth>) {
        *self = Self {
            per_month,
            used: BTreeMap::new(),
        };
    }

    /// Counts a retrieval that starts at this day, unless its customer has none left.
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
        let is_admitted = *used < limit;
        *used += u32::from(is_admitted);
        is_admitted
    }
}
