//! A stored row. It is kept as text without its account, which is spliced in when it is sent: the
//! account is the larger half and the same in every row; only transactions have one. What filters
//! look at is kept beside the text.

use serde_json::Value;

use crate::{data::Account, resource::Resource};

/// One row of a link.
pub(crate) struct Row {
    pub(crate) resource: &'static Resource,
    pub(crate) id: String,
    /// The day it is filtered by, or nothing.
    pub(crate) day: String,
    pub(crate) account: Option<String>,
    pub(crate) status: Option<String>,
    /// `INFLOW` or `OUTFLOW`; the property is called `type`.
    pub(crate) flow: Option<String>,
    json: String,
}

impl Row {
    /// Takes the row apart; its `account`, if it is a transaction, may be any object with an `id`.
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
        }
    }

    /// Newest day first, and by id within a day: an order that no later change of a row disturbs.
    pub(crate) fn sort_key(&self) -> (std::cmp::Reverse<&str>, &str) {
        (std::cmp::Reverse(&self.day), &self.id)
    }

    /// Appends the row as Belvo sends it.
    pub(crate) fn write(&self, accounts: &[Account], out: &mut String) {
        if !self.resource.is_banking {
            return out.push_str(&self.json);
        }
        let account = accounts
            .iter()
            .find(|account| Some(&account.id) == self.account.as_ref());
        out.push_str(r#"{"account":"#);
        out.push_str(account.map_or("null", |account| account.json.as_str()));
        out.push(',');
        // The row's own text starts with a brace and is never empty.
        out.push_str(&self.json[1..]);
    }

    /// The row as a value, without its account.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

/// Which rows of a resource are meant; every condition that is present must hold.
pub(crate) struct Filter {
    pub(crate) resource: &'static Resource,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) accounts: Option<Vec<String>>,
    pub(crate) statuses: Option<Vec<String>>,
    pub(crate) flows: Option<Vec<String>>,
}

impl Filter {
    /// Every row.
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
        let among = |allowed: &Option<Vec<String>>, value: &Option<String>| {
            allowed
                .as_ref()
                .is_none_or(|allowed| value.as_ref().is_some_and(|value| allowed.contains(value)))
        };
        // A row without a date is on no day.
        let dated = !row.day.is_empty() || (self.from.is_none() && self.to.is_none());
        dated
            && std::ptr::eq(self.resource, row.resource)
            && self.from.as_ref().is_none_or(|from| *from <= row.day)
            && self.to.as_ref().is_none_or(|to| *to >= row.day)
            && among(&self.accounts, &row.account)
            && among(&self.statuses, &row.status)
            && among(&self.flows, &row.flow)
    }
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
