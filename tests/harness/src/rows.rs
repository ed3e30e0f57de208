//! Rows as a collection takes them apart.

use domain::{Account, LinkId, Row, RowId, SentRow, Version};
use serde_json::Value;
use shared::store::Rows;

/// A row's transaction and, if the row embeds a whole account, that account.
#[must_use]
pub fn taken_apart(row: &Value) -> (Row, Option<Account>) {
    let row = row.to_string();
    let sent = SentRow::of(&row).expect("an object");
    let mut account = None;
    let transaction = Row::parse(sent, |text| {
        account = Account::parse(text);
        account.as_ref().map(|account| account.id().clone())
    });
    (transaction.expect("a row with an id"), account)
}

/// A row without its account, as JSON.
#[must_use]
pub fn json_of(row: &Row) -> Value {
    serde_json::from_str(row.text()).expect("a row is JSON")
}

/// All versions of a row, oldest first; none if it was never seen.
pub async fn versions(rows: &Rows, link: &LinkId, id: &RowId) -> Vec<Version> {
    let history = rows.history(link, id, None, 500).await;
    let history = history.expect("the store answers");
    history.map(|history| history.versions).unwrap_or_default()
}
