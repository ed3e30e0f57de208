//! The two databases.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::{LinkId, Resource};
use shared::{
    aws::SdkConfig,
    store::{Accounts, Control, Cursor, Rows, StoreError, TransactionsTable},
};
use test_harness::Stack;

/// A database with both tables, and a link that no other test uses.
pub(crate) struct Tables {
    pub(crate) name: &'static str,
    pub(crate) control: Control,
    pub(crate) transactions: TransactionsTable,
    /// Of transactions.
    pub(crate) rows: Rows,
    pub(crate) accounts: Accounts,
    pub(crate) control_table: String,
    pub(crate) transactions_table: String,
    pub(crate) client: Client,
    pub(crate) endpoint: String,
    pub(crate) link: LinkId,
}

impl Tables {
    fn new(name: &'static str, aws: &SdkConfig, stack: &Stack) -> Self {
        let transactions = TransactionsTable::open(aws, stack.transactions_table.clone());
        Self {
            name,
            control: Control::open(aws, stack.requests_table.clone()),
            rows: transactions.rows(Resource::TRANSACTIONS),
            accounts: transactions.accounts(),
            transactions,
            control_table: stack.requests_table.clone(),
            transactions_table: stack.transactions_table.clone(),
            client: Client::new(aws),
            endpoint: aws.endpoint_url().expect("an endpoint").to_owned(),
            link: LinkId::parse(&uuid::Uuid::new_v4().to_string()).unwrap(),
        }
    }
}

impl Tables {
    /// An item of the control table.
    pub(crate) async fn control_item(&self, pk: &str) -> HashMap<String, AttributeValue> {
        let item = self
            .client
            .get_item()
            .table_name(&self.control_table)
            .key("pk", AttributeValue::S(pk.to_owned()))
            .send();
        item.await.unwrap().item.expect("an item")
    }
}

/// Everything that a listing has, page after page.
pub(crate) async fn listed<T>(
    page: impl AsyncFn(Option<Cursor>) -> Result<(Vec<T>, Option<Cursor>), StoreError>,
) -> Vec<T> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (items, next) = page(after).await.unwrap();
        all.extend(items);
        if next.is_none() {
            return all;
        }
        after = next;
    }
}

/// Both databases.
pub(crate) async fn both() -> [Tables; 2] {
    let stack = Stack::of_this_run();
    let endpoint = test_harness::dynoxide_with_tables_of(&stack).await;
    let dynoxide = stack.aws_at(&endpoint);
    [
        Tables::new("local AWS", &stack.aws, &stack),
        Tables::new("dynoxide", &dynoxide, &stack),
    ]
}
