//! The two databases.

use aws_sdk_dynamodb::Client;
use dynoxide::Database;
use serde_json::{Value, json};
use shared::{
    aws::SdkConfig,
    domain::LinkId,
    store::{Requests, Transactions},
};
use tests::Stack;
use tokio::net::TcpListener;

/// A database with both tables, and a link that no other test uses.
pub(crate) struct Tables {
    pub(crate) name: &'static str,
    pub(crate) requests: Requests,
    pub(crate) transactions: Transactions,
    pub(crate) transactions_table: String,
    pub(crate) client: Client,
    pub(crate) link: LinkId,
}

impl Tables {
    fn new(name: &'static str, aws: &SdkConfig, stack: &Stack) -> Self {
        Self {
            name,
            requests: Requests::new(aws, stack.requests_table.clone()),
            transactions: Transactions::new(aws, stack.transactions_table.clone()),
            transactions_table: stack.transactions_table.clone(),
            client: Client::new(aws),
            link: LinkId::parse(&uuid::Uuid::new_v4().to_string()).unwrap(),
        }
    }
}

/// Both databases.
pub(crate) async fn both() -> [Tables; 2] {
    let stack = Stack::of_this_run().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(dynoxide::server::serve_on(listener, Database::memory().unwrap()));
    for table in [&stack.requests_table, &stack.transactions_table] {
        copy_table(&stack, table, &endpoint).await;
    }
    let dynoxide = stack.aws.clone().into_builder().endpoint_url(endpoint).build();
    [Tables::new("local AWS", &stack.aws, &stack), Tables::new("dynoxide", &dynoxide, &stack)]
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
