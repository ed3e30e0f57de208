//! A link with its accounts and rows, and the ways in which a bank changes them: it adds, corrects
//! and deletes rows, and books pending ones.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;

use crate::{
    data::{Generator, LinkSpec, accounts::Account, owner::owner},
    merge::merge,
    resource::Resource,
    row::{Filter, Row},
};

/// One user's connection to one bank.
pub(crate) struct Link {
    pub(crate) id: String,
    /// The link as Belvo shows it.
    pub(crate) object: Value,
    pub(crate) accounts: Vec<Account>,
    /// Who they belong to; absent once deleted.
    pub(crate) owner: Option<Value>,
    rows: Vec<Row>,
    deleted: Vec<Row>,
    /// When an account or a row became another one, came or went, or was listed as before.
    changed_at: Instant,
    generator: Generator,
}

impl Link {
    pub(crate) fn new(spec: &LinkSpec, transactions: usize) -> Self {
        let (object, accounts, generator) = Generator::new(spec);
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        let mut link = Self {
            id,
            owner: Some(owner(&object)),
            object,
            accounts,
            rows: Vec::new(),
            deleted: Vec::new(),
            changed_at: Instant::now(),
            generator,
        };
        link.add(Resource::transactions(), transactions, None);
        link
    }

    /// For how long it has had these accounts and rows, and has listed no others.
    pub(crate) fn unchanged_for(&self) -> Duration {
        self.changed_at.elapsed()
    }

    /// Records which rows are listed as they were.
    pub(crate) fn lists_earlier(&mut self, rows: &[Option<Row>]) {
        if rows.iter().any(Option::is_some) {
            self.changed_at = Instant::now();
        }
    }

    /// The day on which the window of generated rows ends.
    pub(crate) fn today(&self) -> Date {
        self.generator.today
    }

    pub(crate) fn status(&self) -> &str {
        self.object["status"].as_str().unwrap_or_default()
    }

    /// Every transaction, each with the id of its account.
    pub(crate) fn transactions(&self) -> Vec<Value> {
        let with_account = |row: &Row| {
            let mut value = row.value();
            value["account"] = json!({ "id": row.account });
            value
        };
        let rows = self.rows.iter().filter(|row| row.resource.is_banking);
        rows.map(with_account).collect()
    }

    /// Takes over the accounts and transactions of another link under new ids.
    pub(crate) fn adopt(&mut self, accounts: Vec<Account>, transactions: Vec<Value>) {
        let mut new_ids = BTreeMap::new();
        self.accounts.clear();
        for account in accounts {
            let id = self.generator.id();
            new_ids.insert(account.id.clone(), id.clone());
            let account = account.with(&json!({ "id": id, "link": self.id }));
            self.accounts.push(account);
        }

        for mut row in transactions {
            row["id"] = json!(self.generator.id());
            let account = row["account"]["id"].as_str();
            let account = account.and_then(|id| new_ids.get(id));
            row["account"]["id"] = json!(account);
            self.rows.push(Row::new(Resource::transactions(), row));
        }
        self.sort();
    }

    /// Opens accounts without a movement, and returns their ids.
    pub(crate) fn open_accounts(&mut self, count: usize) -> Vec<String> {
        self.changed_at = Instant::now();
        let institution = self.object["institution"].as_str().unwrap_or_default();
        let institution = institution.to_owned();
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            let account = self.generator.idle_account(&institution);
            ids.push(account.id.clone());
            self.accounts.push(account);
        }
        ids
    }

    /// Merges `patch` into one account and returns the result; `None` if there is no such account.
    /// The collection time moves on by an hour unless the patch sets it.
    pub(crate) fn patch_account(&mut self, id: &str, patch: &Value) -> Option<Value> {
        self.changed_at = Instant::now();
        let account = self.accounts.iter_mut().find(|account| account.id == id)?;
        let mut changes = json!({ "collected_at": an_hour_after(&account.value["collected_at"]) });
        merge(&mut changes, patch);
        *account = account.clone().with(&changes);
        Some(account.value.clone())
    }

    /// The accounts that Belvo has.
    pub(crate) fn listed_accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(|account| !account.is_deleted)
    }

    /// Deletes an account at Belvo with its rows, until the accounts are fetched again; returns
    /// whether there was one.
    pub(crate) fn delete_account(&mut self, id: &str) -> bool {
        self.changed_at = Instant::now();
        let mut accounts = self.accounts.iter_mut();
        let Some(account) = accounts.find(|account| account.id == id && !account.is_deleted) else {
            return false;
        };
        account.is_deleted = true;
        self.rows.retain(|row| row.account.as_deref() != Some(id));
        true
    }

    pub(crate) fn has_account(&self, id: &str) -> bool {
        self.accounts.iter().any(|account| account.id == id)
    }

    /// Matching rows, in the order in which they are paged.
    pub(crate) fn rows<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(|row| filter.matches(row))
    }

    pub(crate) fn row(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Generates `count` rows of a resource, all on `date` or spread over the window, and returns
    /// their ids.
    pub(crate) fn add(
        &mut self,
        resource: &'static Resource,
        count: usize,
        date: Option<Date>,
    ) -> Vec<String> {
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            let value = self.generator.row(resource, &self.accounts, date);
            let row = Row::new(resource, value);
            ids.push(row.id.clone());
            self.rows.push(row);
        }
        self.sort();
        ids
    }

    /// Merges `patch` into one row and returns the result without its account; `None` if there is
    /// no such row. The collection time moves on by an hour unless the patch sets it.
    pub(crate) fn patch(&mut self, id: &str, patch: &Value) -> Option<Value> {
        let position = self.rows.iter().position(|row| row.id == id)?;
        let mut value = self.rows[position].value();
        value["collected_at"] = json!(an_hour_after(&value["collected_at"]));
        merge(&mut value, patch);

        self.replace(position, value.clone());
        self.sort();
        Some(value)
    }

    /// Adds a row, or puts it in the place of the one with its id.
    pub(crate) fn put(&mut self, resource: &'static Resource, value: Value) {
        let row = Row::new(resource, value);
        self.rows.retain(|known| known.id != row.id);
        self.rows.push(row);
        self.sort();
    }

    /// Deletes a row and returns whether there was one.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        self.changed_at = Instant::now();
        let deleted: Vec<Row> = self.rows.extract_if(.., |row| row.id == id).collect();
        let found = !deleted.is_empty();
        self.deleted.extend(deleted);
        found
    }

    /// Whether a row was deleted and has not come back.
    pub(crate) fn has_deleted(&self, id: &str) -> bool {
        self.deleted.iter().any(|row| row.id == id)
    }

    /// Brings a deleted row back as it was, and returns whether there was one.
    pub(crate) fn restore(&mut self, id: &str) -> bool {
        let restored: Vec<Row> = self.deleted.extract_if(.., |row| row.id == id).collect();
        let found = !restored.is_empty();
        self.rows.extend(restored);
        self.sort();
        found
    }

    /// Books every pending transaction and returns how many there were.
    pub(crate) fn settle(&mut self) -> usize {
        let is_pending =
            |row: &Row| row.resource.is_banking && row.status.as_deref() == Some("PENDING");
        let rows = self.rows.iter().enumerate();
        let pending: Vec<usize> = rows
            .filter(|(_, row)| is_pending(row))
            .map(|(position, _)| position)
            .collect();

        for position in &pending {
            let value = booked(self.rows[*position].value());
            self.replace(*position, value);
        }
        pending.len()
    }

    /// What a `historical_update` webhook declares about the matching transactions.
    pub(crate) fn totals(&self, filter: &Filter) -> Value {
        let count = |flow: &str| {
            let rows = self.rows(filter);
            rows.filter(|row| row.flow.as_deref() == Some(flow)).count()
        };
        json!({
            "total_transactions": self.rows(filter).count(),
            "total_inflow_transactions": count("INFLOW"),
            "total_outflow_transactions": count("OUTFLOW"),
            "first_transaction_date": self.rows(filter).map(|row| &row.day).min(),
            "last_transaction_date": self.rows(filter).map(|row| &row.day).max(),
        })
    }

    fn replace(&mut self, position: usize, mut value: Value) {
        self.changed_at = Instant::now();
        let row = self.rows.swap_remove(position);
        if row.resource.is_banking {
            value["account"] = json!({ "id": row.account });
        }
        self.rows.push(row.changed(value));
        let last = self.rows.len() - 1;
        self.rows.swap(position, last);
    }

    fn sort(&mut self) {
        self.changed_at = Instant::now();
        self.rows
            .sort_by(|one, other| one.sort_key().cmp(&other.sort_key()));
    }
}

/// A pending transaction after the bank has booked it.
fn booked(mut value: Value) -> Value {
    let expected_day = value.get("inferred_accounting_date");
    let day = expected_day.unwrap_or(&value["value_date"]).clone();
    value["accounting_date"] = day;
    value["status"] = json!("PROCESSED");
    value["collected_at"] = json!(an_hour_after(&value["collected_at"]));
    value
}

fn an_hour_after(timestamp: &Value) -> Option<String> {
    let moment = OffsetDateTime::parse(timestamp.as_str()?, &Rfc3339).ok()?;
    (moment + Duration::from_hours(1)).format(&Rfc3339).ok()
}
