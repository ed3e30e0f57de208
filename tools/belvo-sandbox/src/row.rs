//! A stored transaction. The row is kept as text without its account, which is spliced in when it is sent: the
//! account is the larger half and the same in every row. What filters look at is kept beside the text.

use serde_json::Value;

use crate::data::Account;

/// One transaction of a link.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) value_date: String,
    pub(crate) account: Option<String>,
    pub(crate) status: Option<String>,
    /// `INFLOW` or `OUTFLOW`; the property is called `type`.
    pub(crate) flow: Option<String>,
    json: String,
}

impl Row {
    /// Takes the row apart; its `account` may be any object with an `id`.
    pub(crate) fn new(mut value: Value) -> Self {
        let text = |field: &str| value[field].as_str().map(str::to_owned);
        let (id, value_date) = (text("id").unwrap_or_default(), text("value_date").unwrap_or_default());
        let (status, flow) = (text("status"), text("type"));
        let account = value["account"]["id"].as_str().map(str::to_owned);
        if let Some(fields) = value.as_object_mut() {
            fields.remove("account");
        }
        Self { id, value_date, account, status, flow, json: value.to_string() }
    }

    /// Newest day first, and by id within a day: an order that no later change of a row disturbs.
    pub(crate) fn sort_key(&self) -> (std::cmp::Reverse<&str>, &str) {
        (std::cmp::Reverse(&self.value_date), &self.id)
    }

    /// Appends the row as Belvo sends it.
    pub(crate) fn write(&self, accounts: &[Account], out: &mut String) {
        let account = accounts.iter().find(|account| Some(&account.id) == self.account.as_ref());
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

/// Which rows are meant; every condition that is present must hold.
#[derive(Default)]
pub(crate) struct Filter {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) accounts: Option<Vec<String>>,
    pub(crate) statuses: Option<Vec<String>>,
    pub(crate) flows: Option<Vec<String>>,
}

impl Filter {
    /// Days `from` to `to`, both included, of one account or of all.
    pub(crate) fn window(from: &str, to: &str, account: Option<&str>) -> Self {
        Self {
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
            accounts: account.map(|account| vec![account.to_owned()]),
            ..Self::default()
        }
    }

    pub(crate) fn matches(&self, row: &Row) -> bool {
        let among = |allowed: &Option<Vec<String>>, value: &Option<String>| {
            allowed.as_ref().is_none_or(|allowed| value.as_ref().is_some_and(|value| allowed.contains(value)))
        };
        // A row without a date is on no day.
        let dated = !row.value_date.is_empty() || (self.from.is_none() && self.to.is_none());
        dated
            && self.from.as_ref().is_none_or(|from| *from <= row.value_date)
            && self.to.as_ref().is_none_or(|to| *to >= row.value_date)
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
