//! The webhook function.

use lambda_http::{Error, Request, service_fn};
use shared::{
    aws::{CallBudget, sdk_config, warm_up},
    config::{self, WebhookConfig},
    queue::Queue,
    secret::CachedSecret,
    telemetry,
};
use webhook::{Webhook, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(config::log_level());
    let config = WebhookConfig::from_env()?;
    let aws = sdk_config(CallBudget::WEBHOOK)?;
    let webhook = Webhook {
        queue: Queue::new(&aws, config.queue_url),
        secret: CachedSecret::new(&aws, config.webhook_secret_arn),
        ack_status: config.ack_status,
        allowed_source_ips: config.allowed_source_ips,
    };
    // During INIT, so that the first webhook finds an open connection and a known secret.
    warm_up(async { tokio::join!(webhook.queue.warm_up(), webhook.secret.get()) }).await;
    lambda_http::run(service_fn(async |request: Request| {
        Ok::<_, Error>(handle(&webhook, request).await)
    }))
    .await
}
