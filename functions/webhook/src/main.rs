//! The webhook function.

use lambda_http::{Error, Request, service_fn};
use shared::{
    aws::{sdk_config, warm_up},
    queue::Queue,
    secret::CachedSecret,
    telemetry,
};
use webhook::{App, CALL_BUDGET, Config, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(env!("CARGO_PKG_NAME"));
    let config = Config::from_env()?;
    let aws = sdk_config(CALL_BUDGET)?;
    let app = App {
        queue: Queue::new(&aws, config.queue_url),
        secret: CachedSecret::new(&aws, config.webhook_secret_arn),
        ack_status: config.ack_status,
        allowed_source_ips: config.allowed_source_ips,
    };

    // During INIT, so that the first webhook finds an open connection and a known secret.
    warm_up(async { tokio::join!(app.queue.warm_up(), app.secret.get()) }).await;
    lambda_http::run(service_fn(async |request: Request| {
        Ok::<_, Error>(handle(&app, request).await)
    }))
    .await
}
