//! One row as Belvo sends it, split into what is stored per transaction and what is stored once per account.

use serde_json::{Map, Value};
use thiserror::Error;

use super::{AccountId, Digest, Resource, Timestamp, TransactionId, window::day_of};

/// The day under which a row without a date is listed: before all others.
const NO_DATE: &str = "0000-00-00";

/// A transaction with its account taken out: `document["account"]` holds the account's id where Belvo sent the whole
/// account, and whatever Belvo sent otherwise. Everything else is as Belvo sent it, as is a whole row of another resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    id: TransactionId,
    document: Map<String, Value>,
}

/// An account as Belvo sends it within its transactions.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    id: AccountId,
    document: Map<String, Value>,
}

/// A row that cannot be stored. Belvo promises only `id`; everything else may be null (Belvo's OpenAPI, "required and
/// nullable fields").
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowError {
    /// The row is not a JSON object.
    #[error("a row is not an object")]
    NotAnObject,
    /// The row has no usable `id`.
    #[error("a row has no usable id")]
    NoId,
}

impl Transaction {
    /// Takes a row apart.
    pub fn parse(row: Value) -> Result<(Self, Option<Account>), RowError> {
        let mut row = Self::whole(row)?;
        let account = take_account(&mut row.document);
        Ok((row, account))
    }

    /// A row of a resource without accounts, as it is.
    pub fn whole(row: Value) -> Result<Self, RowError> {
        let Value::Object(document) = row else { return Err(RowError::NotAnObject) };
        let id = text(&document, "id").and_then(|id| TransactionId::parse(id).ok()).ok_or(RowError::NoId)?;
        Ok(Self { id, document })
    }

    /// A transaction from its stored parts.
    #[must_use]
    pub fn from_parts(id: TransactionId, document: Map<String, Value>) -> Self {
        Self { id, document }
    }

    /// Belvo's id of this transaction.
    #[must_use]
    pub fn id(&self) -> &TransactionId {
        &self.id
    }

    /// The row without its account.
    #[must_use]
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// What an unchanged row is known by. It covers everything of the row but the account's own fields.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_object(&self.document)
    }

    /// The day this row is listed under, `YYYY-MM-DD`: its value date, or what takes its place in another resource, by which
    /// Belvo's GET chooses rows too, so that a window here holds the rows that a fetch of that window brings. A timestamp
    /// (Belvo's fixtures of 2021) counts as its day.
    #[must_use]
    pub fn day(&self, resource: Resource) -> &str {
        resource.date_field().and_then(|field| text(&self.document, field)).and_then(day_of).unwrap_or(NO_DATE)
    }

    /// When Belvo read this row from the institution, if it says.
    #[must_use]
    pub fn collected_at(&self) -> Option<Timestamp> {
        text(&self.document, "collected_at").and_then(Timestamp::parse)
    }

    /// The row as Belvo sent it, given its account.
    #[must_use]
    pub fn into_row(mut self, account: Option<&Account>) -> Value {
        if let Some(account) = account {
            self.document.insert("account".to_owned(), Value::Object(account.document.clone()));
        }
        Value::Object(self.document)
    }

    /// The institution's own id of this movement, by which it is known when another link brings it under another id of
    /// Belvo's.
    #[must_use]
    pub fn internal_identification(&self) -> Option<&str> {
        text(&self.document, "internal_identification").filter(|id| !id.is_empty())
    }

    /// The id of the account this row belongs to, where Belvo sent one.
    #[must_use]
    pub fn account_id(&self) -> Option<&str> {
        text(&self.document, "account")
    }
}

impl Account {
    /// An account from its stored parts.
    #[must_use]
    pub fn from_parts(id: AccountId, document: Map<String, Value>) -> Self {
        Self { id, document }
    }

    /// Belvo's id of this account.
    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// What an unchanged account is known by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_object(&self.document)
    }

    /// What this account is known by at its institution, whichever link brings it: a fingerprint of the institution's name
    /// and its own id of the account. None where Belvo sent either not.
    #[must_use]
    pub fn identity(&self) -> Option<String> {
        let institution = self.document.get("institution")?.get("name")?.as_str().filter(|name| !name.is_empty())?;
        let id = text(&self.document, "internal_identification").filter(|id| !id.is_empty())?;
        let mut names = Map::new();
        names.insert("institution".to_owned(), Value::from(institution));
        names.insert("account".to_owned(), Value::from(id));
        Some(hex::encode(Digest::of_object(&names).as_bytes()))
    }

    /// The account as Belvo sent it.
    #[must_use]
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// When Belvo read this account from the institution, if it says.
    #[must_use]
    pub fn collected_at(&self) -> Option<Timestamp> {
        text(&self.document, "collected_at").and_then(Timestamp::parse)
    }
}

/// Replaces a whole account by its id. An account without a usable id stays where it is.
fn take_account(document: &mut Map<String, Value>) -> Option<Account> {
    let id = AccountId::parse(document.get("account")?.get("id")?.as_str()?).ok()?;
    let account = document.insert("account".to_owned(), Value::String(id.to_string()))?;
    match account {
        Value::Object(document) => Some(Account { id, document }),
        _ => None,
    }
}

fn text<'a>(document: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    document.get(field)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row() -> Value {
        json!({
            "id": "t1",
            "account": {"id": "a1", "balance": {"current": 1.50}},
            "value_date": "2026-01-02",
            "amount": 10.00,
            "merchant": null
        })
    }

    #[test]
    fn a_row_taken_apart_and_put_together_is_the_row() {
        let (transaction, account) = Transaction::parse(row()).unwrap();
        assert_eq!(transaction.account_id(), Some("a1"));
        assert_eq!(transaction.into_row(account.as_ref()), row());
    }

    #[test]
    fn rows_without_a_whole_account_keep_what_belvo_sent() {
        for account in [json!(null), json!({"name": "no id"}), json!({"id": 7})] {
            let mut sent = row();
            sent["account"] = account;
            let (transaction, taken) = Transaction::parse(sent.clone()).unwrap();
            assert_eq!(taken, None);
            assert_eq!(transaction.into_row(None), sent);
        }
    }

    #[test]
    fn only_the_id_is_needed() {
        let (transaction, account) = Transaction::parse(json!({"id": "t1"})).unwrap();
        assert_eq!((transaction.day(Resource::TRANSACTIONS), account), (NO_DATE, None));
        assert_eq!(Transaction::parse(json!({"id": null})), Err(RowError::NoId));
        assert_eq!(Transaction::parse(json!([])), Err(RowError::NotAnObject));
    }

    #[test]
    fn a_row_is_listed_under_its_value_date_or_before_all_others() {
        let day = |row| Transaction::parse(row).unwrap().0.day(Resource::TRANSACTIONS).to_owned();
        assert_eq!(day(json!({"id": "t", "value_date": "2026-01-02", "accounting_date": "2026-01-03"})), "2026-01-02");
        assert_eq!(day(json!({"id": "t", "value_date": "2021-01-02T00:00:00.000Z"})), "2021-01-02");
        assert_eq!(day(json!({"id": "t", "value_date": null, "accounting_date": "2026-01-03"})), NO_DATE);
        assert_eq!(day(json!({"id": "t", "value_date": "soon"})), NO_DATE);
    }

    #[test]
    fn a_row_of_another_resource_stays_whole_and_has_a_day_of_its_own() {
        let sent = json!({"id": "i", "account": {"id": "a"}, "value_date": "2026-01-02", "invoice_date": "2026-01-03"});
        let row = Transaction::whole(sent.clone()).unwrap();
        let day = |name| row.day(Resource::by_name(name).unwrap());
        assert_eq!((day("invoices"), day("financial-statements")), ("2026-01-03", NO_DATE));
        assert_eq!(row.clone().into_row(None), sent);
    }

    #[test]
    fn an_account_is_known_by_its_institution_and_its_id_there() {
        let identity = |institution: Value, id: Value| {
            let account = json!({"id": "a", "institution": institution, "internal_identification": id});
            Transaction::parse(json!({"id": "t", "account": account})).unwrap().1.unwrap().identity()
        };
        let bank = json!({"name": "bank", "type": "bank"});
        assert!(identity(bank.clone(), json!("1")).is_some());
        assert_eq!(identity(bank.clone(), json!("1")), identity(json!({"name": "bank"}), json!("1")));
        assert_ne!(identity(bank.clone(), json!("1")), identity(bank.clone(), json!("2")));
        assert_ne!(identity(bank.clone(), json!("1")), identity(json!({"name": "other"}), json!("1")));
        assert_eq!(identity(json!(null), json!("1")), None);
        assert_eq!((identity(bank.clone(), json!("")), identity(bank, json!(null))), (None, None));
    }

    #[test]
    fn the_accounts_balance_does_not_change_the_rows_digest() {
        let mut later = row();
        later["account"]["balance"]["current"] = json!(99);
        let digest = |row| Transaction::parse(row).unwrap().0.digest();
        assert_eq!(digest(row()), digest(later));
    }
}
