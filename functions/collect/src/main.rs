//! The collect function.

use std::time::{Duration, SystemTime};

use collect::{App, Config, handle};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use shared::{
    aws::{CallBudget, sdk_config},
    belvo::ClientBuilder,
    telemetry,
};

/// The function's timeout in template.yaml.
const TIMEOUT: Duration = Duration::from_mins(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(env!("CARGO_PKG_NAME"));
    let config = Config::from_env()?;
    let aws = sdk_config(CallBudget::PATIENT)?;
    let app = App::new(config, &aws, ClientBuilder::new())?;

    // During INIT, which delays no invocation.
    app.warm_up().await;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        // `cargo lambda watch` gives a deadline in the past; the function's own timeout then
        // applies.
        let deadline = event.context.deadline();
        let time_left = deadline
            .duration_since(SystemTime::now())
            .unwrap_or(TIMEOUT);
        Ok::<_, Error>(handle(&app, event.payload, time_left).await)
    }))
    .await
}
