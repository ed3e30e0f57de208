//! The query function.

use lambda_http::{Error, Request, service_fn};
use query::{Query, handle};
use shared::{
    aws::{CallBudget, sdk_config, warm_up},
    config::{self, QueryConfig},
    store::{Requests, Transactions},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(config::log_level());
    let config = QueryConfig::from_env()?;
    let aws = sdk_config(CallBudget::PROMPT)?;
    let query = Query {
        requests: Requests::new(&aws, config.requests_table),
        transactions: Transactions::new(&aws, config.transactions_table),
        limits: config.limits,
    };
    // During INIT, so that the first query finds an open connection.
    warm_up(query.requests.warm_up()).await;
    lambda_http::run(service_fn(async |request: Request| {
        Ok::<_, Error>(handle(&query, request).await)
    }))
    .await
}
