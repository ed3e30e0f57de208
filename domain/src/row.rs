//! One row as Belvo sends it: a transaction, or a row of another resource.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};
use thiserror::Error;

use crate::{
    Account, AccountId, Digest, LinkId, Resource, RowId, Timestamp, account::text, window::day_of,
};

/// When Belvo read a row from the institution.
const COLLECTED_AT: &str = "collected_at";
/// The day under which a row without a date is listed: before all others.
pub const NO_DATE: &str = "0000-00-00";

/// A row with its account taken out: `document["account"]` holds the account's id where Belvo sent
/// the whole account, and whatever Belvo sent otherwise. Everything else is as Belvo sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    id: RowId,
    document: Map<String, Value>,
}

/// A row of another link.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct RowRef {
    pub link: LinkId,
    pub id: RowId,
}

/// A row that cannot be stored. Belvo promises only `id`; everything else may be null (Belvo's
/// OpenAPI, "required and nullable fields").
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowError {
    /// The row is not a JSON object, nests too deep, or holds text that is not Unicode. The
    /// parser's message is left out, because it quotes the row.
    #[error("a row cannot be read")]
    Unreadable,
    /// The row has no usable `id`.
    #[error("a row has no usable id")]
    NoId,
}

impl Row {
    /// Separates a row from its account. `account_id` gets the text of the account if the row can
    /// be stored, and returns the id of a whole account ([`Account::parse`]); any other account
    /// stays in the row.
    pub fn parse(
        row: &RawValue,
        account_id: impl FnOnce(&RawValue) -> Option<AccountId>,
    ) -> Result<Self, RowError> {
        let RawRow { document, account } =
            serde_json::from_str(row.get()).map_err(|_| RowError::Unreadable)?;
        let mut parsed = Self::identified(document)?;
        let Some(account) = account else {
            return Ok(parsed);
        };
        let Some(account_id) = account_id(account) else {
            return Self::whole(row);
        };
        parsed
            .document
            .insert("account".to_owned(), Value::String(account_id.to_string()));
        Ok(parsed)
    }

    /// A row of a resource without accounts, as it is.
    pub fn whole(row: &RawValue) -> Result<Self, RowError> {
        Self::identified(serde_json::from_str(row.get()).map_err(|_| RowError::Unreadable)?)
    }

    fn identified(document: Map<String, Value>) -> Result<Self, RowError> {
        let id = text(&document, "id")
            .and_then(|id| RowId::parse(id).ok())
            .ok_or(RowError::NoId)?;
        Ok(Self { id, document })
    }

    /// A row from its stored parts.
    #[must_use]
    pub fn from_parts(id: RowId, document: Map<String, Value>) -> Self {
        Self { id, document }
    }

    #[must_use]
    pub fn id(&self) -> &RowId {
        &self.id
    }

    /// The row without its account.
    #[must_use]
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    #[must_use]
    pub fn into_document(self) -> Map<String, Value> {
        self.document
    }

    /// The digest by which an unchanged row is recognised. It covers the whole row except the
    /// account's own fields.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_object(&self.document)
    }

    /// The day this row is listed under, `YYYY-MM-DD`: its value date, or the date that takes its
    /// place in another resource. Belvo's GET filters by the same date, so that a window here holds
    /// the rows that a fetch of that window returns. A timestamp (Belvo's fixtures of 2021) counts
    /// as its day.
    #[must_use]
    pub fn day(&self, resource: Resource) -> &str {
        let date = resource
            .date_field()
            .and_then(|field| text(&self.document, field));
        date.and_then(day_of).unwrap_or(NO_DATE)
    }

    /// When Belvo read this row from the institution, if it says.
    #[must_use]
    pub fn collected_at(&self) -> Option<Timestamp> {
        text(&self.document, COLLECTED_AT).and_then(Timestamp::parse)
    }

    /// The row as Belvo sent it, given its account.
    #[must_use]
    pub fn into_row(mut self, account: Option<&Account>) -> Value {
        if let Some(account) = account {
            let account = Value::Object(account.document().clone());
            self.document.insert("account".to_owned(), account);
        }
        Value::Object(self.document)
    }

    /// The institution's own id for this transaction, by which it is recognised when another link
    /// brings it under another of Belvo's ids.
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

/// How a row differs from its stored version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// In nothing, or in how its numbers are written: `54.90` is `54.9`.
    None,
    /// In `collected_at` alone: Belvo has read the same row again.
    CollectedAt,
    Values,
}

impl Row {
    /// How this row differs from its stored version, value by value.
    #[must_use]
    pub fn difference_to(&self, stored: &Self) -> Difference {
        let (row, stored) = (&self.document, &stored.document);
        let names = row.keys().chain(stored.keys());
        let mut differing = names.filter(|name| match (row.get(*name), stored.get(*name)) {
            (Some(value), Some(stored)) => !is_same(value, stored),
            _ => true,
        });
        match differing.next() {
            None => Difference::None,
            Some(name) if name == COLLECTED_AT && differing.all(|name| name == COLLECTED_AT) => {
                Difference::CollectedAt
            }
            Some(_) => Difference::Values,
        }
    }
}

/// Whether two values are equal; numbers by what they are worth.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            decimal(one.as_str()) == decimal(other.as_str())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_in_other = |(name, value): (&String, &Value)| {
                other.get(name).is_some_and(|other| is_same(value, other))
            };
            one.len() == other.len() && one.iter().all(is_in_other)
        }
        (one, other) => one == other,
    }
}

/// The digits of a number without those that say nothing: the zeros at the end of a fraction. One
/// with an exponent, which Belvo does not write, stays as it is.
fn decimal(number: &str) -> &str {
    if !number.contains('.') || number.contains(['e', 'E']) {
        return number;
    }
    match number.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0",
        digits => digits,
    }
}

/// A row whose account is not yet parsed. The account is half of the row, and rows of one account
/// repeat it to the letter.
struct RawRow<'a> {
    document: Map<String, Value>,
    account: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for RawRow<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawRowVisitor)
    }
}

struct RawRowVisitor;

impl<'de> Visitor<'de> for RawRowVisitor {
    type Value = RawRow<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut row = RawRow {
            document: Map::new(),
            account: None,
        };
        while let Some(name) = fields.next_key::<String>()? {
            if name == "account" {
                row.account = Some(fields.next_value()?);
            } else {
                row.document.insert(name, fields.next_value()?);
            }
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(sent: &Value) -> Result<(Row, Option<Account>), RowError> {
        let sent = RawValue::from_string(sent.to_string()).unwrap();
        let mut account = None;
        let row = Row::parse(&sent, |text| {
            account = Account::parse(text);
            account.as_ref().map(|account| account.id().clone())
        })?;
        Ok((row, account))
    }

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
    fn a_row_separated_from_its_account_and_joined_again_is_the_row() {
        let sent = row();
        let (row, account) = parse(&sent).unwrap();
        assert_eq!(row.account_id(), Some("a1"));
        assert_eq!(row.into_row(account.as_ref()), sent);
    }

    #[test]
    fn rows_without_a_whole_account_keep_what_belvo_sent() {
        for account in [json!(null), json!({"name": "no id"}), json!({"id": 7})] {
            let mut sent = row();
            sent["account"] = account;
            let (row, taken) = parse(&sent).unwrap();
            assert_eq!(taken, None);
            assert_eq!(row.into_row(None), sent);
        }
    }

    #[test]
    fn only_the_id_is_needed() {
        let (row, account) = parse(&json!({"id": "t1"})).unwrap();
        assert_eq!((row.day(Resource::TRANSACTIONS), account), (NO_DATE, None));
        assert_eq!(parse(&json!({"id": null})), Err(RowError::NoId));
        assert_eq!(parse(&json!([])), Err(RowError::Unreadable));
    }

    #[test]
    fn a_row_that_cannot_be_read_or_stored_leaves_no_account_behind() {
        for row in [
            r#"{"id": "t", "account": {"id": "a"}, "description": "\ud800"}"#,
            r#"{"account": {"id": "a"}}"#,
        ] {
            let row = RawValue::from_string(row.to_owned()).unwrap();
            assert!(Row::parse(&row, |_| panic!("asked for the account")).is_err());
        }
    }

    #[test]
    fn a_row_is_listed_under_its_value_date_or_before_all_others() {
        let day = |row: Value| {
            parse(&row)
                .unwrap()
                .0
                .day(Resource::TRANSACTIONS)
                .to_owned()
        };
        assert_eq!(
            day(json!({"id": "t", "value_date": "2026-01-02", "accounting_date": "2026-01-03"})),
            "2026-01-02"
        );
        assert_eq!(
            day(json!({"id": "t", "value_date": "2021-01-02T00:00:00.000Z"})),
            "2021-01-02"
        );
        assert_eq!(
            day(json!({"id": "t", "value_date": null, "accounting_date": "2026-01-03"})),
            NO_DATE
        );
        assert_eq!(day(json!({"id": "t", "value_date": "soon"})), NO_DATE);
    }

    #[test]
    fn a_row_of_another_resource_stays_whole_and_has_a_day_of_its_own() {
        let sent = json!({
            "id": "i",
            "account": {"id": "a"},
            "value_date": "2026-01-02",
            "invoice_date": "2026-01-03",
        });
        let row = Row::whole(&RawValue::from_string(sent.to_string()).unwrap()).unwrap();
        let day = |name| row.day(Resource::by_name(name).unwrap());
        assert_eq!(
            (day("invoices"), day("financial-statements")),
            ("2026-01-03", NO_DATE)
        );
        assert_eq!(row.clone().into_row(None), sent);
    }

    #[test]
    fn an_account_is_identified_by_its_institution_and_its_id_there() {
        let identity = |institution: Value, id: Value| {
            let account =
                json!({"id": "a", "institution": institution, "internal_identification": id});
            parse(&json!({"id": "t", "account": account}))
                .unwrap()
                .1
                .unwrap()
                .identity()
        };
        let bank = json!({"name": "bank", "type": "bank"});
        assert!(identity(bank.clone(), json!("1")).is_some());
        assert_eq!(
            identity(bank.clone(), json!("1")),
            identity(json!({"name": "bank"}), json!("1"))
        );
        assert_ne!(
            identity(bank.clone(), json!("1")),
            identity(bank.clone(), json!("2"))
        );
        assert_ne!(
            identity(bank.clone(), json!("1")),
            identity(json!({"name": "other"}), json!("1"))
        );
        assert_eq!(identity(json!(null), json!("1")), None);
        assert_eq!(
            (
                identity(bank.clone(), json!("")),
                identity(bank, json!(null))
            ),
            (None, None)
        );
    }

    #[test]
    fn the_accounts_balance_does_not_change_the_rows_digest() {
        let mut later = row();
        later["account"]["balance"]["current"] = json!(99);
        let digest = |row: Value| parse(&row).unwrap().0.digest();
        assert_eq!(digest(row()), digest(later));
    }

    #[test]
    fn rows_are_compared_by_their_values() {
        let difference = |row: Value, stored: Value| {
            let [row, stored] = [row, stored].map(|row| parse(&row).unwrap().0);
            row.difference_to(&stored)
        };
        let number = |digits: &str| serde_json::from_str::<Value>(digits).unwrap();
        let row = |amount: &str, collected_at: &str| {
            let list = json!([{"deep": number(amount)}]);
            json!({"id": "t", "amount": number(amount), "list": list, "collected_at": collected_at})
        };
        for (one, other) in [
            ("54.9", "54.90"),
            ("1", "1.00"),
            ("-0.0", "0"),
            ("1e2", "1e2"),
        ] {
            let found = difference(row(one, "t"), row(other, "t"));
            assert_eq!(found, Difference::None, "{one} and {other}");
            let found = difference(row(one, "t"), row(other, "u"));
            assert_eq!(found, Difference::CollectedAt, "{one} and {other}");
        }
        for (one, other) in [("54.9", "54.91"), ("100", "1"), ("1", "-1"), ("10", "1.0")] {
            let found = difference(row(one, "t"), row(other, "u"));
            assert_eq!(found, Difference::Values, "{one} and {other}");
        }
        let absent = json!({"id": "t"});
        let null = json!({"id": "t", "collected_at": null});
        assert_eq!(difference(absent.clone(), null), Difference::CollectedAt);
        let null = json!({"id": "t", "merchant": null});
        assert_eq!(difference(absent, null), Difference::Values);
    }
}
