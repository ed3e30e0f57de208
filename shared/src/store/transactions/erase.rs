//! Erases everything stored for a link.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::Select;
use domain::{LinkId, RESOURCES, Resource, Timestamp};

use super::{
    accounts::Accounts,
    change_log::{ChangeLog, LogEntry, is_end, is_of_log},
    partition::Partition,
    rows::Rows,
    table::Table,
    write_request::WriteRequest,
};
use crate::store::{StoreError, item::Item};

/// Items erased per query.
const AT_ONCE: i32 = 1_000;

/// Erases every item of a link, whatever the resource: rows and their versions, accounts, balances,
/// the change log, whose last entry then says so, the records of who holds an account, and the
/// marks of younger links that name its rows. Returns the number of items, without those of the
/// log. Safe to interrupt and repeat. DynamoDB keeps its backups of the table (35 days of
/// point-in-time recovery).
pub(super) async fn erase(table: &Table, link: &LinkId) -> Result<u64, StoreError> {
    let log = ChangeLog::of(table, link);
    let head = log.begin(&LogEntry::erasure(), Timestamp::now()).await?;

    // Before the accounts themselves, which are needed to find these.
    release_accounts(table, link).await?;

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

/// Forgets that the link holds its accounts, and then that rows of others are duplicates of its
/// own: nobody marks them any more.
async fn release_accounts(table: &Table, link: &LinkId) -> Result<(), StoreError> {
    let (accounts, mut others) = (Accounts(table.clone()), BTreeSet::new());
    for account in accounts.of(link).await? {
        accounts.release(link, &account).await?;
        let holders = accounts.holders(&account).await?;
        others.extend(holders.into_iter().map(|holder| holder.link));
    }
    let rows = Rows {
        table: table.clone(),
        resource: Resource::TRANSACTIONS,
    };
    for other in others {
        rows.unmark(&other, link).await?;
    }
    Ok(())
}

/// How many rows and accounts of a link are stored, whatever the resource.
pub(super) async fn holdings(table: &Table, link: &LinkId) -> Result<(u64, u64), StoreError> {
    let mut rows = 0;
    for resource in RESOURCES {
        let partition = Partition::of(*resource, link);
        let counted = table
            .items_with(&partition, "T#")
            .select(Select::Count)
            .into_paginator()
            .send();
        let pages = counted.collect::<Result<Vec<_>, _>>().await?;
        rows += pages
            .iter()
            .map(|page| u64::try_from(page.count).unwrap_or(0))
            .sum::<u64>();
    }
    let accounts = Accounts(table.clone()).of(link).await?;
    Ok((rows, accounts.len() as u64))
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
        let deletes: Result<Vec<_>, _> = keys.iter().map(WriteRequest::delete).collect();
        table
            .write_all(partition.as_str(), deletes?.into_iter())
            .await?;
    }
}
