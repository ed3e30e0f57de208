//! The query function.

use lambda_http::{Error, Request, service_fn, tracing};
use query::{Query, handle};
use shared::{
    aws::{CallBudget, sdk_config},
    config::QueryConfig,
    store::{Requests, Transactions},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = QueryConfig::from_env()?;
    let aws = sdk_config(CallBudget::PATIENT).await;
    let query = Query {
        requests: Requests::new(&aws, config.requests_table),
        transactions: Transactions::new(&aws, config.transactions_table),
    };
    // During INIT, so that the first query finds an open connection.
    query.requests.warm_up().await;
    lambda_http::run(service_fn(async |request: Request| Ok::<_, Error>(handle(&query, request).await))).await
}
