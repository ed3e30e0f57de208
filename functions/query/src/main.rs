//! The query function.

use lambda_http::{Error, Request, service_fn};
use query::{App, Config, handle};
use shared::{
    aws::{CallBudget, sdk_config, warm_up},
    store::{Control, TransactionsTable},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(env!("CARGO_PKG_NAME"));
    let config = Config::from_env()?;
    let aws = sdk_config(CallBudget::PROMPT)?;
    let app = App {
        control: Control::open(&aws, config.requests_table),
        transactions: TransactionsTable::open(&aws, config.transactions_table),
        limits: config.limits,
    };

    // During INIT, so that the first query finds the two open connections that a listing needs.
    warm_up(async { tokio::join!(app.control.warm_up(), app.transactions.warm_up()) }).await;
    lambda_http::run(service_fn(async |request: Request| {
        Ok::<_, Error>(handle(&app, request).await)
    }))
    .await
}
