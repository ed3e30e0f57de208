//! A link with its accounts and rows, and the ways a bank changes them: new rows, corrected rows,
//! rows that vanish, pending rows that are booked.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    data::{Account, Generator, LinkSpec},
    merge::merge,
    resource::Resource,
    row::{Filter, Row},
};

/// One user's connection to one bank.
pub(crate) struct Link {
    pub(crate) id: String,
    /// The object Belvo shows.
    pub(crate) object: Value,
    pub(crate) accounts: Vec<Account>,
    rows: Vec<Row>,
    generator: Generator,
}

impl Link {
    pub(crate) fn new(spec: &LinkSpec, transactions: usize) -> Self {
        let (object, accounts, generator) = Generator::new(spec);
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        let mut link = Self {
            id,
            object,
            accounts,
            rows: Vec::new(),
            generator,
        };
        link.add(Resource::transactions(), transactions, None);
        link
    }

    pub(crate) fn today(&self) -> Date {
        self.generator.today
    }

    pub(crate) fn status(&self) -> &str {
        self.object["status"].as_str().unwrap_or_default()
    }

    /// Every transaction, with the id of its account.
    pub(crate) fn values(&self) -> Vec<Value> {
        let value = |row: &Row| {
            let mut value = row.value();
            value["account"] = json!({ "id": row.account });
            value
        };
        self.rows
            .iter()
            .filter(|row| row.resource.is_banking)
            .map(value)
            .collect()
    }

    /// Takes over the accounts and rows of another link, under ids of its own.
    pub(crate) fn adopt(&mut self, accounts: Vec<Account>, rows: Vec<Value>) {
        let mut ids = BTreeMap::new();
        self.accounts = accounts
            .into_iter()
            .map(|account| {
                let own = self.generator.id();
                ids.insert(account.id.clone(), own.clone());
                account.with(&json!({ "id": own, "link": self.id }))
            })
            .collect();
        for mut row in rows {
            row["id"] = json!(self.generator.id());
            row["account"]["id"] = json!(row["account"]["id"].as_str().and_then(|id| ids.get(id)));
            self.rows.push(Row::new(Resource::transactions(), row));
        }
        self.sort();
    }

    /// Merges `patch` into one account; says what it is now. The collection time moves on by an
    /// hour unless the patch sets it.
    pub(crate) fn patch_account(&mut self, id: &str, patch: &Value) -> Option<Value> {
        let account = self.accounts.iter_mut().find(|account| account.id == id)?;
        let mut changes = json!({ "collected_at": an_hour_after(&account.value["collected_at"]) });
        merge(&mut changes, patch);
        *account = account.clone().with(&changes);
        Some(account.value.clone())
    }

    pub(crate) fn has_account(&self, id: &str) -> bool {
        self.accounts.iter().any(|account| account.id == id)
    }

    /// Matching rows in the order pages are cut from.
    pub(crate) fn rows<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(|row| filter.matches(row))
    }

    pub(crate) fn row(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Generates `count` rows of a resource, all on `date` or spread over the window, and names
    /// them.
    pub(crate) fn add(
        &mut self,
        resource: &'static Resource,
        count: usize,
        date: Option<Date>,
    ) -> Vec<String> {
        let mut generated = || self.generator.row(resource, &self.id, &self.accounts, date);
        let new: Vec<Row> = (0..count)
            .map(|_| Row::new(resource, generated()))
            .collect();
        let ids = new.iter().map(|row| row.id.clone()).collect();
        self.rows.extend(new);
        self.sort();
        ids
    }

    /// Merges `patch` into one row; says what the row is now, without its account. The collection
    /// time moves on by an hour unless the patch sets it.
    pub(crate) fn patch(&mut self, id: &str, patch: &Value) -> Option<Value> {
        let position = self.rows.iter().position(|row| row.id == id)?;
        let mut value = self.rows[position].value();
        value["collected_at"] = json!(an_hour_after(&value["collected_at"]));
        merge(&mut value, patch);
        self.replace(position, value.clone());
        self.sort();
        Some(value)
    }

    /// Takes a row away; says whether there was one.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        let before = self.rows.len();
        self.rows.retain(|row| row.id != id);
        self.rows.len() < before
    }

    /// Books every pending transaction; says how many there were.
    pub(crate) fn settle(&mut self) -> usize {
        let pending = (0..self.rows.len()).filter(|at| {
            self.rows[*at].resource.is_banking
                && self.rows[*at].status.as_deref() == Some("PENDING")
        });
        let pending: Vec<usize> = pending.collect();
        for position in &pending {
            let mut value = self.rows[*position].value();
            let booked = value
                .get("inferred_accounting_date")
                .unwrap_or(&value["value_date"])
                .clone();
            value["accounting_date"] = booked;
            value["status"] = json!("PROCESSED");
            value["collected_at"] = json!(an_hour_after(&value["collected_at"]));
            self.replace(*position, value);
        }
        pending.len()
    }

    /// What a `historical_update` webhook declares about the matching rows.
    pub(crate) fn totals(&self, filter: &Filter) -> Value {
        let of = |flow: &str| {
            self.rows(filter)
                .filter(|row| row.flow.as_deref() == Some(flow))
                .count()
        };
        json!({
            "total_transactions": self.rows(filter).count(),
            "total_inflow_transactions": of("INFLOW"),
            "total_outflow_transactions": of("OUTFLOW"),
            "first_transaction_date": self.rows(filter).map(|row| &row.day).min(),
            "last_transaction_date": self.rows(filter).map(|row| &row.day).max(),
        })
    }

    fn replace(&mut self, position: usize, mut value: Value) {
        let resource = self.rows[position].resource;
        if resource.is_banking {
            value["account"] = json!({ "id": self.rows[position].account });
        }
        self.rows[position] = Row::new(resource, value);
    }

    fn sort(&mut self) {
        self.rows
            .sort_by(|one, other| one.sort_key().cmp(&other.sort_key()));
    }
}

fn an_hour_after(timestamp: &Value) -> Option<String> {
    let moment = OffsetDateTime::parse(timestamp.as_str()?, &Rfc3339).ok()?;
    (moment + Duration::hours(1)).format(&Rfc3339).ok()
}
