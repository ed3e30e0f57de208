//! Rows as a collection takes them apart.

use domain::{Account, Row};
use serde_json::{Value, value::to_raw_value};

/// A row's transaction and, if the row embeds a whole account, that account.
#[must_use]
pub fn taken_apart(row: &Value) -> (Row, Option<Account>) {
    let row = to_raw_value(row).expect("JSON");
    let mut account = None;
    let transaction = Row::parse(&row, |text| {
        account = Account::parse(text);
        account.as_ref().map(|account| account.id().clone())
    });
    (transaction.expect("a row with an id"), account)
}
