//! One row as Belvo sends it: a transaction, or a row of another resource.

use std::{borrow::Cow, fmt};

use serde::Serialize;
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use crate::{
    Account, AccountId, Digest, Fields, LinkId, Resource, RowError, RowId, SentRow, Timestamp,
    fields::text_of, window::day_of,
};

/// When Belvo read a row from the institution.
const COLLECTED_AT: &str = "collected_at";
/// The day under which a row without a date is listed: before all others.
pub const NO_DATE: &str = "0000-00-00";

/// A row with its account taken out: the text of a JSON object in which `account` is the account's
/// id where Belvo sent the whole account. Everything else is as Belvo sent it.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    id: RowId,
    collected_at: Option<Timestamp>,
    text: Box<str>,
}

/// A row of another link.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct RowRef {
    pub link: LinkId,
    pub id: RowId,
}

impl Row {
    /// Separates a row from its account, without parsing either. `account_id` gets the text of the
    /// account if the row can be stored, and returns the id of a whole account
    /// ([`Account::parse`]); any other account stays in the row.
    pub fn parse(
        sent: SentRow<'_>,
        account_id: impl FnOnce(&str) -> Option<AccountId>,
    ) -> Result<Self, RowError> {
        let id = row_id(sent)?;
        let whole_account = sent
            .fields
            .account
            .and_then(|account| Some((account, account_id(account)?)));
        let text = match whole_account {
            Some((account, id)) => replaced(sent.text, account, &id),
            None => sent.text.into(),
        };
        Ok(Self {
            id,
            collected_at: collected_at(sent),
            text,
        })
    }

    /// A row of a resource without accounts, as it is.
    pub fn whole(sent: SentRow<'_>) -> Result<Self, RowError> {
        Self::parse(sent, |_| None)
    }

    /// A row from its stored fields.
    #[must_use]
    pub fn from_fields(id: RowId, fields: Map<String, Value>) -> Self {
        let collected_at = fields.get(COLLECTED_AT).and_then(Value::as_str);
        Self {
            id,
            collected_at: collected_at.and_then(Timestamp::parse),
            text: Value::Object(fields).to_string().into(),
        }
    }

    /// A row from its stored text; `None` if that is not a JSON object.
    #[must_use]
    pub fn from_text(id: RowId, text: &str) -> Option<Self> {
        let collected_at = Fields::of(text)?.text(COLLECTED_AT);
        Some(Self {
            id,
            collected_at: collected_at.and_then(|at| Timestamp::parse(&at)),
            text: text.into(),
        })
    }

    #[must_use]
    pub fn id(&self) -> &RowId {
        &self.id
    }

    /// The row without its account, as JSON text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        // The text is an object, which every constructor has seen.
        Fields::of(&self.text).unwrap_or_default()
    }

    /// The digest by which an unchanged row is recognised. It covers the text of the whole row
    /// except the account's own fields.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.text)
    }

    /// The day this row is listed under, `YYYY-MM-DD`: its value date, or the date that takes its
    /// place in another resource. Belvo's GET filters by the same date, so that a window here holds
    /// the rows that a fetch of that window returns. A timestamp (Belvo's fixtures of 2021) counts
    /// as its day.
    #[must_use]
    pub fn day(&self, resource: Resource) -> String {
        let date = resource
            .date_field()
            .and_then(|field| self.fields().text(field));
        let day = date.as_deref().and_then(day_of);
        day.unwrap_or_else(|| NO_DATE.to_owned())
    }

    /// When Belvo read this row from the institution, if it says.
    #[must_use]
    pub fn collected_at(&self) -> Option<Timestamp> {
        self.collected_at
    }

    /// The row as Belvo sent it, given its account.
    #[must_use]
    pub fn into_row(self, account: Option<&Account>) -> Box<RawValue> {
        let account = account.and_then(|account| to_raw_value(account.document()).ok());
        let mut fields = self.fields();
        if let Some(account) = &account {
            fields.replace("account", account);
        }
        // Names and texts that were read can be written.
        to_raw_value(&fields).unwrap_or_default()
    }

    /// The institution's own id for this transaction, by which it is recognised when another link
    /// brings it under another of Belvo's ids.
    #[must_use]
    pub fn internal_identification(&self) -> Option<Cow<'_, str>> {
        let id = self.fields().text("internal_identification");
        id.filter(|id| !id.is_empty())
    }

    /// The id of the account this row belongs to, where Belvo sent one.
    #[must_use]
    pub fn account_id(&self) -> Option<Cow<'_, str>> {
        self.fields().text("account")
    }
}

/// Shows the id only: the rest is a person's.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn row_id(sent: SentRow<'_>) -> Result<RowId, RowError> {
    let id = sent.fields.id.and_then(text_of);
    id.and_then(|id| RowId::parse(&id).ok())
        .ok_or(RowError::NoId)
}

fn collected_at(sent: SentRow<'_>) -> Option<Timestamp> {
    let collected_at = sent.fields.collected_at.and_then(text_of);
    collected_at.and_then(|at| Timestamp::parse(&at))
}

/// The text of a row with the id of its account in place of the account, which is a part of it.
fn replaced(row: &str, account: &str, id: &AccountId) -> Box<str> {
    let start = account.as_ptr().addr() - row.as_ptr().addr();
    let (before, rest) = row.split_at(start);
    let (_, after) = rest.split_at(account.len());
    // A UUID, in which nothing is to be escaped.
    [before, "\"", id.as_str(), "\"", after].concat().into()
}

/// How a row differs from its stored version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// In nothing, or in how its values are written: `54.90` is `54.9`.
    None,
    /// In `collected_at` alone: Belvo has read the same row again.
    CollectedAt,
    Values,
}

impl Row {
    /// How this row differs from its stored version, value by value.
    #[must_use]
    pub fn difference_to(&self, stored: &Self) -> Difference {
        match *self.fields().differing(&stored.fields()) {
            [] => Difference::None,
            [COLLECTED_AT] => Difference::CollectedAt,
            _ => Difference::Values,
        }
    }

    /// The names of the fields in which this row differs from another, sorted.
    #[must_use]
    pub fn fields_that_differ_from(&self, other: &Self) -> Vec<String> {
        let (fields, others) = (self.fields(), other.fields());
        let names = fields.differing(&others).into_iter();
        names.map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(sent: &Value) -> Result<(Row, Option<Account>), RowError> {
        let sent = sent.to_string();
        let mut account = None;
        let row = Row::parse(SentRow::of(&sent)?, |text| {
            account = Account::parse(text);
            account.as_ref().map(|account| account.id().clone())
        })?;
        Ok((row, account))
    }

    fn value(row: &RawValue) -> Value {
        serde_json::from_str(row.get()).unwrap()
    }

    /// An account as we spell its id, and as Belvo may.
    const ACCOUNT: &str = "1c83f1f5-4b59-4c0b-a1a5-3a9d1a6a5b0e";
    const SPELLED: &str = "1C83F1F5-4B59-4C0B-A1A5-3A9D1A6A5B0E";

    fn row() -> Value {
        json!({
            "id": "t1",
            "account": {"id": SPELLED, "balance": {"current": 1.50}},
            "value_date": "2026-01-02",
            "amount": 10.00,
            "merchant": null
        })
    }

    #[test]
    fn a_row_separated_from_its_account_and_joined_again_is_the_row() {
        let sent = row();
        let (row, account) = parse(&sent).unwrap();
        assert_eq!(row.account_id().as_deref(), Some(ACCOUNT));
        assert_eq!(account.as_ref().unwrap().id().as_str(), ACCOUNT);
        assert_eq!(value(&row.into_row(account.as_ref())), sent);
    }

    #[test]
    fn rows_without_a_whole_account_keep_what_belvo_sent() {
        for account in [
            json!(null),
            json!({"name": "no id"}),
            json!({"id": 7}),
            json!({"id": "a1"}),
        ] {
            let mut sent = row();
            sent["account"] = account;
            let (row, taken) = parse(&sent).unwrap();
            assert_eq!(taken, None);
            assert_eq!(value(&row.into_row(None)), sent);
        }
    }

    #[test]
    fn only_the_id_is_needed() {
        let (row, account) = parse(&json!({"id": "t1"})).unwrap();
        let day = row.day(Resource::TRANSACTIONS);
        assert_eq!((&*day, account), (NO_DATE, None));
        assert_eq!(parse(&json!({"id": null})), Err(RowError::NoId));
        assert_eq!(parse(&json!([])), Err(RowError::Unreadable));
    }

    #[test]
    fn a_row_that_cannot_be_stored_leaves_no_account_behind() {
        let sent = SentRow::of(r#"{"account": {"id": "a"}}"#).unwrap();
        assert!(Row::parse(sent, |_| panic!("asked for the account")).is_err());
    }

    #[test]
    fn the_text_of_a_row_is_what_belvo_sent_but_for_its_account() {
        let id = SPELLED.replace("4C0B", r"4\u00430B");
        let rest = r#" , "n": 1.50, "half": "\ud800"}"#;
        let sent = format!(r#"{{ "id":"t","account" : {{"id": "{id}"}}{rest}"#);
        let sent = SentRow::of(&sent).unwrap();
        let row = Row::parse(sent, |text| Some(Account::parse(text)?.id().clone())).unwrap();
        let text = format!(r#"{{ "id":"t","account" : "{ACCOUNT}"{rest}"#);
        assert_eq!(row.text(), text);
        assert_eq!(row.account_id().as_deref(), Some(ACCOUNT));
        let whole = format!(r#"{{"account":"{ACCOUNT}","half":"\ud800","id":"t","n":1.50}}"#);
        assert_eq!(row.into_row(None).get(), whole);
    }

    #[test]
    fn a_row_prints_its_id_only() {
        let (row, _) = parse(&json!({"id": "t1", "amount": 7})).unwrap();
        assert_eq!(format!("{row:?}"), r#"Row { id: RowId("t1"), .. }"#);
    }

    #[test]
    fn a_row_is_listed_under_its_value_date_or_before_all_others() {
        let day = |row: Value| {
            let (row, _) = parse(&row).unwrap();
            row.day(Resource::TRANSACTIONS)
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
        assert_eq!(
            day(json!({"id": "t", "value_date": "2026-1-2"})),
            "2026-01-02"
        );
        for odd in [
            "soon",
            "",
            "2026",
            "2026-1-32",
            "2026-001-01",
            "26-1-2",
            "2026-1-+2",
        ] {
            assert_eq!(day(json!({"id": "t", "value_date": odd})), NO_DATE, "{odd}");
        }
    }

    #[test]
    fn a_row_of_another_resource_stays_whole_and_has_a_day_of_its_own() {
        let sent = json!({
            "id": "i",
            "account": {"id": "a"},
            "value_date": "2026-01-02",
            "invoice_date": "2026-01-03",
        });
        let row = Row::whole(SentRow::of(&sent.to_string()).unwrap()).unwrap();
        let day = |name| row.day(Resource::by_name(name).unwrap());
        assert_eq!(day("invoices"), "2026-01-03");
        assert_eq!(day("financial-statements"), NO_DATE);
        assert_eq!(value(&row.into_row(None)), sent);
    }

    #[test]
    fn an_account_is_identified_by_its_institution_and_its_id_there() {
        let identity = |institution: Value, id: Value| {
            let account =
                json!({"id": ACCOUNT, "institution": institution, "internal_identification": id});
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
    fn a_row_names_the_fields_in_which_it_differs_from_another() {
        let row = |amount: u32, status: &str| {
            let sent = json!({"id": "t", "amount": amount, "status": status, "type": "INFLOW"});
            parse(&sent).unwrap().0
        };
        let pending = row(1, "PENDING");
        let differing = row(2, "PROCESSED").fields_that_differ_from(&pending);
        assert_eq!(differing, ["amount", "status"]);
        assert_eq!(
            pending.fields_that_differ_from(&pending),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_row_has_the_institutions_id_unless_it_is_empty() {
        let id = |id: Value| {
            let (row, _) = parse(&json!({"id": "t", "internal_identification": id})).unwrap();
            row.internal_identification().map(Cow::into_owned)
        };
        assert_eq!(id("i".into()).as_deref(), Some("i"));
        assert_eq!((id("".into()), id(Value::Null)), (None, None));
    }

    #[test]
    fn a_stored_row_says_when_belvo_read_it() {
        let text = r#"{"id":"t","collected_at":"2026-03-01T00:00:00Z"}"#;
        let id = || RowId::parse("t").unwrap();
        let read = [
            Row::from_text(id(), text).unwrap(),
            Row::from_fields(id(), serde_json::from_str(text).unwrap()),
            Row::whole(SentRow::of(text).unwrap()).unwrap(),
        ];
        for row in read {
            assert_eq!(row.collected_at(), Timestamp::parse("2026-03-01T00:00:00Z"));
            assert_eq!(row.fields().text("id").as_deref(), Some("t"));
        }
        assert!(Row::from_text(id(), "[]").is_none());
    }

    #[test]
    fn rows_are_compared_by_their_values() {
        let difference = |row: Value, stored: Value| {
            let [row, stored] = [row, stored].map(|row| parse(&row).unwrap().0);
            row.difference_to(&stored)
        };
        let number = |digits: &str| serde_json::from_str::<Value>(digits).unwrap();
        let row = |amount: &str, collected_at: &str| json!({"id": "t", "amount": number(amount), "collected_at": collected_at});
        let found = difference(row("54.9", "t"), row("54.90", "t"));
        assert_eq!(found, Difference::None);
        let found = difference(row("54.9", "t"), row("54.90", "u"));
        assert_eq!(found, Difference::CollectedAt);
        let found = difference(row("54.9", "t"), row("54.91", "u"));
        assert_eq!(found, Difference::Values);
        let absent = json!({"id": "t"});
        let null = json!({"id": "t", "collected_at": null});
        assert_eq!(difference(absent.clone(), null), Difference::CollectedAt);
        let null = json!({"id": "t", "merchant": null});
        assert_eq!(difference(absent, null), Difference::Values);
    }
}
