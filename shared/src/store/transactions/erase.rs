//! Erases everything stored for a link.

use domain::{LinkId, RESOURCES, Timestamp};

use super::{
    accounts::Accounts,
    change_log::{ChangeLog, LogEntry, is_end, is_of_log},
    partition::Partition,
    table::{Table, delete_request},
};
use crate::store::{StoreError, item::Item};

/// Items erased per query.
const AT_ONCE: i32 = 1_000;

/// Erases every item of a link, whatever the resource: rows and their versions, accounts, balances,
/// the change log, whose last entry then says so, and the records of who holds an account. Marks of
/// younger links keep naming rows that no longer exist. Returns the number of items, without those
/// of the log. Safe to interrupt and repeat. DynamoDB keeps its backups of the table (35 days of
/// point-in-time recovery).
pub(super) async fn erase(table: &Table, link: &LinkId) -> Result<u64, StoreError> {
    let log = ChangeLog::of(table, link);
    let head = log.begin(&LogEntry::erasure(), Timestamp::now()).await?;

    // Before the accounts themselves, which are needed to find these.
    let accounts = Accounts(table.clone());
    for account in accounts.of(link).await? {
        accounts.release(link, &account).await?;
    }

    let mut erased = 0;
    for resource in RESOURCES {
        let stays = |item: &Item| is_end(head, item);
        let partition = Partition::of(*resource, link);
        erased += erase_partition(table, &partition, stays).await?;
    }
    // Not before: a reader who begins meanwhile lists what is still there.
    log.end(head).await?;
    Ok(erased)
}

async fn erase_partition(
    table: &Table,
    partition: &Partition,
    stays: impl Fn(&Item) -> bool,
) -> Result<u64, StoreError> {
    let mut erased = 0;
    loop {
        let answer = table
            .query()
            .key_condition_expression("#link = :link")
            .projection_expression("#link, #item")
            .expression_attribute_names("#link", "_link")
            .expression_attribute_names("#item", "_item")
            .expression_attribute_values(":link", partition.value())
            .limit(AT_ONCE)
            .send()
            .await?;

        let mut keys = answer.items.unwrap_or_default();
        keys.retain(|item| !stays(item));
        if keys.is_empty() {
            return Ok(erased);
        }
        erased += keys.iter().filter(|key| !is_of_log(key)).count() as u64;
        table
            .write_all(keys.into_iter().map(delete_request))
            .await?;
    }
}
