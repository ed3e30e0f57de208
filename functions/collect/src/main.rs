//! The collect function.

use std::time::{Duration, SystemTime};

use collect::{Collect, handle};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use shared::{
    aws::{CallBudget, sdk_config},
    belvo::Client,
    config::{self, CollectConfig},
    queue::Queue,
    secret::CachedSecret,
    store::{Requests, Transactions},
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(config::log_level());
    let config = CollectConfig::from_env()?;
    let aws = sdk_config(CallBudget::PATIENT).await;
    let collect = Collect {
        belvo: Client::new(config.belvo_base_url, CachedSecret::new(&aws, config.belvo_secret_arn))?,
        requests: Requests::new(&aws, config.requests_table),
        transactions: Transactions::new(&aws, config.transactions_table),
        queue: Queue::new(&aws, config.queue_url),
    };
    // During INIT, so that the first message finds open connections and known keys.
    tokio::join!(collect.belvo.warm_up(), collect.requests.warm_up());
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        // `cargo lambda watch` names a deadline in the past, which is none.
        let time_left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(Duration::MAX);
        Ok::<_, Error>(handle(&collect, event.payload, time_left).await)
    }))
    .await
}
