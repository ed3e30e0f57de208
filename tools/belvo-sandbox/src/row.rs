//! A stored row. Its text is kept without the account, which is spliced in when the row is sent:
//! the account is the larger half and the same in many rows. Only transactions have one. The fields
//! that filters use are kept next to the text.

use std::cmp::Reverse;

use serde_json::Value;

use crate::{data::accounts::Account, resource::Resource};

/// One row of a link.
pub(crate) struct Row {
    pub(crate) resource: &'static Resource,
    pub(crate) id: String,
    /// The day that the listing filters by; empty if there is none.
    pub(crate) day: String,
    pub(crate) account: Option<String>,
    pub(crate) status: Option<String>,
    /// `INFLOW` or `OUTFLOW`, which Belvo calls `type`.
    pub(crate) flow: Option<String>,
    json: String,
    /// Its text before it changed last, on the same day.
    earlier: Option<String>,
}

impl Row {
    /// Splits a row into text and fields. The `account` of a transaction may be any object with an
    /// `id`.
    pub(crate) fn new(resource: &'static Resource, mut value: Value) -> Self {
        let text = |field: &str| value[field].as_str().map(str::to_owned);
        let id = text("id").unwrap_or_default();
        let day = resource.date_field.and_then(text).unwrap_or_default();
        let (status, flow) = (text("status"), text("type"));
        let account = value["account"]["id"].as_str().map(str::to_owned);

        if let Some(fields) = value.as_object_mut().filter(|_| resource.is_banking) {
            fields.remove("account");
        }
        Self {
            resource,
            id,
            day,
            account,
            status,
            flow,
            json: value.to_string(),
            earlier: None,
        }
    }

    /// The row as it has become.
    pub(crate) fn changed(self, value: Value) -> Self {
        let changed = Self::new(self.resource, value);
        let is_in_place = changed.day == self.day;
        Self {
            earlier: is_in_place.then_some(self.json),
            ..changed
        }
    }

    /// The row as it was before it changed last, if it was on the same day then.
    pub(crate) fn earlier(&self) -> Option<Self> {
        let value = serde_json::from_str(self.earlier.as_ref()?).ok()?;
        let account = self.account.clone();
        Some(Self {
            account,
            ..Self::new(self.resource, value)
        })
    }

    /// Newest day first, and by id within a day: an order in which a row keeps its place when other
    /// rows change.
    pub(crate) fn sort_key(&self) -> (Reverse<&str>, &str) {
        (Reverse(&self.day), &self.id)
    }

    /// Appends the row as Belvo sends it.
    pub(crate) fn write(&self, accounts: &[Account], out: &mut String) {
        if !self.resource.is_banking {
            return out.push_str(&self.json);
        }

        let mut accounts = accounts.iter();
        let account = accounts.find(|account| Some(&account.id) == self.account.as_ref());
        out.push_str(r#"{"account":"#);
        out.push_str(account.map_or("null", |account| account.json.as_str()));
        out.push(',');
        // Skips the opening brace. A row is never empty, so the comma is right.
        out.push_str(&self.json[1..]);
    }

    /// The row as Belvo sends it.
    pub(crate) fn shown(&self, accounts: &[Account]) -> Value {
        let mut text = String::new();
        self.write(accounts, &mut text);
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The row without its account.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

/// Selects rows of one resource; every condition that is present must hold.
pub(crate) struct Filter {
    pub(crate) resource: &'static Resource,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) accounts: Option<Vec<String>>,
    pub(crate) statuses: Option<Vec<String>>,
    pub(crate) flows: Option<Vec<String>>,
}

impl Filter {
    /// Every row of a resource.
    pub(crate) fn all(resource: &'static Resource) -> Self {
        Self {
            resource,
            from: None,
            to: None,
            accounts: None,
            statuses: None,
            flows: None,
        }
    }

    pub(crate) fn matches(&self, row: &Row) -> bool {
        std::ptr::eq(self.resource, row.resource)
            && self.has_day(&row.day)
            && is_among(self.accounts.as_deref(), row.account.as_ref())
            && is_among(self.statuses.as_deref(), row.status.as_ref())
            && is_among(self.flows.as_deref(), row.flow.as_ref())
    }

    fn has_day(&self, day: &String) -> bool {
        // A row without a date is on no day, not on the first one.
        let is_dated = !day.is_empty() || (self.from.is_none() && self.to.is_none());
        is_dated
            && self.from.as_ref().is_none_or(|from| from <= day)
            && self.to.as_ref().is_none_or(|to| day <= to)
    }
}

fn is_among(allowed: Option<&[String]>, value: Option<&String>) -> bool {
    allowed.is_none_or(|allowed| value.is_some_and(|value| allowed.contains(value)))
}

/// A JSON array of rows.
pub(crate) fn array<'a>(rows: impl IntoIterator<Item = &'a Row>, accounts: &[Account]) -> String {
    let mut out = String::from("[");
    for (index, row) in rows.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        row.write(accounts, &mut out);
    }
    out.push(']');
    out
}
