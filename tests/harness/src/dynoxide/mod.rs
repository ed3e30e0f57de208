//! A second DynamoDB, independent of the local AWS, with the tables of the deployed stack.

mod operations;
mod refusal;
mod template;

use dynoxide::Database;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Stack;

pub use self::{
    operations::{Consumed, Performed, perform},
    refusal::Refusal,
    template::{REQUESTS_TABLE, TRANSACTIONS_TABLE, tables_of_template},
};

/// Starts dynoxide with empty tables of the same keys and indexes as the stack's, and returns its
/// endpoint.
pub async fn dynoxide_with_tables_of(stack: &Stack) -> String {
    let database = Database::memory().expect("a database");
    copy_tables(stack, &database).await;
    serve_dynoxide(database).await
}

/// Serves a database for the rest of the test, and returns its endpoint.
pub async fn serve_dynoxide(database: Database) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    endpoint
}

/// Makes tables of the same keys and indexes as the stack's: template.yaml stays the only
/// description of them. In JSON, because the local AWS describes tables in a way that the SDK does
/// not read (a text where a boolean belongs).
pub async fn copy_tables(stack: &Stack, database: &Database) {
    for name in [&stack.requests_table, &stack.transactions_table] {
        let described = json!({ "TableName": name });
        let described = stack
            .local_aws("dynamodb", "DynamoDB_20120810.DescribeTable", &described)
            .await;
        let table = &described["Table"];
        let mut copy = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": table["AttributeDefinitions"],
            "KeySchema": table["KeySchema"],
        });
        for indexes in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
            if let Some(described) = table[indexes]
                .as_array()
                .filter(|described| !described.is_empty())
            {
                let kept = |index: &Value| {
                    json!({
                        "IndexName": index["IndexName"],
                        "KeySchema": index["KeySchema"],
                        "Projection": index["Projection"],
                    })
                };
                copy[indexes] = described.iter().map(kept).collect();
            }
        }
        database
            .create_table(serde_json::from_value(copy).expect("a table"))
            .expect("a new table");
    }
}
