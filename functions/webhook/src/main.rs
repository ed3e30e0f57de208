//! The webhook function.

use lambda_http::{Error, Request, service_fn};
use shared::{aws::sdk_config, telemetry};
use webhook::{App, CALL_BUDGET, Config, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(env!("CARGO_PKG_NAME"));
    let config = Config::from_env()?;
    let aws = sdk_config(CALL_BUDGET)?;
    let app = App::new(config, &aws);

    // During INIT, which delays no invocation.
    app.warm_up().await;
    lambda_http::run(service_fn(async |request: Request| {
        Ok::<_, Error>(handle(&app, request).await)
    }))
    .await
}
