//! The request function.

use lambda_http::{Error, Request, service_fn};
use request::{App, Config, handle};
use shared::{
    aws::{CallBudget, sdk_config},
    belvo::ClientBuilder,
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(env!("CARGO_PKG_NAME"));
    let config = Config::from_env()?;
    let aws = sdk_config(CallBudget::PROMPT)?;
    let app = App::new(config, &aws, ClientBuilder::new())?;

    // During INIT, which delays no invocation.
    app.warm_up().await;
    lambda_http::run(service_fn(async |request: Request| {
        Ok::<_, Error>(handle(&app, request).await)
    }))
    .await
}
