//! The publish function.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use publish::{Bus, Config, handle};
use shared::{
    aws::{CallBudget, sdk_config},
    cause::chain,
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(env!("CARGO_PKG_NAME"));
    let config = Config::from_env()?;
    let bus = Bus::new(&sdk_config(CallBudget::PATIENT)?, config.event_bus_name);

    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        let published = handle(&bus, event.payload).await;
        // The runtime logs it.
        published.map_err(|error| Error::from(chain(&error).to_string()))
    }))
    .await
}
