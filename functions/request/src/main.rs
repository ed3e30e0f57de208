//! The request function.

use lambda_http::{Error, Request, service_fn};
use request::{Requesting, handle};
use shared::{
    aws::{CallBudget, sdk_config, warm_up},
    belvo::Client,
    config::{self, RequestConfig},
    queue::Queue,
    secret::CachedSecret,
    store::Requests,
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(config::log_level());
    let config = RequestConfig::from_env()?;
    let aws = sdk_config(CallBudget::PROMPT)?;
    let keys = CachedSecret::new(&aws, config.belvo_secret_arn);
    let requesting = Requesting {
        belvo: Client::new(config.belvo_base_url, keys)?,
        requests: Requests::new(&aws, config.requests_table),
        queue: Queue::new(&aws, config.queue_url),
        limits: config.limits,
        request_due_s: config.request_due_s,
        widget_url: config.widget_url,
    };
    // During INIT, so that the first request finds open connections and known keys.
    warm_up(async { tokio::join!(requesting.belvo.warm_up(), requesting.requests.warm_up()) })
        .await;
    lambda_http::run(service_fn(async |request: Request| {
        Ok::<_, Error>(handle(&requesting, request).await)
    }))
    .await
}
