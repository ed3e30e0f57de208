//! The history of an account's balance.

use domain::{AccountId, Balance, LinkId};
use serde_json::Value;

use super::{
    accounts::{Accounts, partition},
    document::{key_after, stored_document},
    table,
};
use crate::store::{
    Cursor, StoreError,
    item::{Item, request_id, timestamp},
};

impl Accounts {
    /// An account's balances, newest first, at most `limit`, and where the listing continues.
    pub async fn balances(
        &self,
        link: &LinkId,
        account: &AccountId,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<(Vec<Balance>, Option<Cursor>), StoreError> {
        let prefix = format!("B#{account}#");
        let partition = partition(link);
        let start = after.map(|cursor| partition.key(format!("{prefix}{}", cursor.parts().0)));
        let answer = self
            .0
            .items_with(&partition, &prefix)
            .scan_index_forward(false)
            .limit(limit.into())
            .set_exclusive_start_key(start)
            .send()
            .await?;
        let next = answer.last_evaluated_key.as_ref().and_then(|key| {
            let at = key_after(key, &prefix)?;
            Some(Cursor::at(at, account.as_str()))
        });
        let balances = answer
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|item| balance(item).ok_or(StoreError::Corrupt(table::NAME)));
        Ok((balances.collect::<Result<_, _>>()?, next))
    }
}

fn balance(item: Item) -> Option<Balance> {
    let observed_at = timestamp(&item, "_stored_at")?;
    let request = request_id(&item, "_request");
    let (_, mut document) = stored_document(item, "B#")?;
    let collected_at = document
        .get("collected_at")
        .and_then(Value::as_str)
        .map(str::to_owned);
    Some(Balance {
        collected_at,
        observed_at,
        request,
        balance: document.remove("balance")?,
    })
}
