//! A second DynamoDB, independent of the local AWS, with the tables of the deployed stack.

use dynoxide::Database;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Stack;

/// Starts dynoxide with empty tables of the same keys and indexes as the stack's, and returns its endpoint.
pub async fn dynoxide_with_tables_of(stack: &Stack) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(dynoxide::server::serve_on(listener, Database::memory().expect("a database")));
    for table in [&stack.requests_table, &stack.transactions_table] {
        copy_table(stack, table, &endpoint).await;
    }
    endpoint
}

/// Makes a table of the same keys and indexes at `endpoint`: template.yaml stays the only description of them. In JSON,
/// because the local AWS describes tables in a way that the SDK does not read (a text where a boolean belongs).
async fn copy_table(stack: &Stack, name: &str, endpoint: &str) {
    let described = json!({ "TableName": name });
    let described = stack.local_aws("dynamodb", "DynamoDB_20120810.DescribeTable", &described).await;
    let table = &described["Table"];
    let mut copy = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": table["AttributeDefinitions"],
        "KeySchema": table["KeySchema"],
    });
    for indexes in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if let Some(described) = table[indexes].as_array().filter(|described| !described.is_empty()) {
            let kept = |index: &Value| json!({"IndexName": index["IndexName"], "KeySchema": index["KeySchema"], "Projection": index["Projection"]});
            copy[indexes] = described.iter().map(kept).collect();
        }
    }
    let answer = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = answer
        .post(endpoint)
        .header("x-amz-target", "DynamoDB_20120810.CreateTable")
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none")
        .header("x-amz-date", "20260101T000000Z")
        .body(copy.to_string())
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}
