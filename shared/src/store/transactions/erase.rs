//! Erasing everything of a link.

use super::{
    Transactions,
    items::{Partition, delete_request},
};
use crate::{
    domain::{LinkId, RESOURCES},
    store::StoreError,
};

/// Items erased between two looks.
const AT_ONCE: i32 = 1_000;

impl Transactions {
    /// Erases every item of a link, whatever the resource: rows and their versions, accounts,
    /// balances, and the notes of who holds an account. Marks of younger links keep naming rows
    /// that are gone. Returns how many there were. May be broken off and repeated; what is erased
    /// stays so. Backups of the table (35 days of point-in-time recovery) are DynamoDB's.
    pub async fn erase(&self, link: &LinkId) -> Result<u64, StoreError> {
        let mut erased = 0;
        // Before the accounts themselves, by which these are found.
        for account in self.accounts(link).await? {
            self.release(link, &account).await?;
        }
        for resource in RESOURCES {
            erased += self
                .erase_partition(&Partition::of(*resource, link))
                .await?;
        }
        Ok(erased)
    }

    async fn erase_partition(&self, partition: &Partition) -> Result<u64, StoreError> {
        let mut erased = 0;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("#link = :link")
                .projection_expression("#link, #item")
                .expression_attribute_names("#link", "_link")
                .expression_attribute_names("#item", "_item")
                .expression_attribute_values(":link", partition.key())
                .limit(AT_ONCE)
                .send()
                .await?;
            let keys = answer.items.unwrap_or_default();
            if keys.is_empty() {
                return Ok(erased);
            }
            erased += keys.len() as u64;
            self.write_all(keys.into_iter().map(delete_request)).await?;
        }
    }
}
