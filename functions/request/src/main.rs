//! The request function.

use lambda_http::{Error, Request, service_fn};
use request::{App, Config, handle};
use shared::{
    aws::{CallBudget, sdk_config, warm_up},
    belvo::{Client, Pace},
    queue::Queue,
    secret::CachedSecret,
    store::Control,
    telemetry,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(env!("CARGO_PKG_NAME"));
    let config = Config::from_env()?;
    let aws = sdk_config(CallBudget::PROMPT)?;
    let keys = CachedSecret::new(&aws, config.belvo_secret_arn);
    let control = Control::open(&aws, config.requests_table);
    let pace = Pace::shared(control.pace.clone(), config.belvo_calls_per_30_s);
    let app = App {
        belvo: Client::new(config.belvo_base_url, keys)?.with_pace(pace),
        control,
        queue: Queue::new(&aws, config.queue_url),
        limits: config.limits,
        request_due_s: config.request_due_s,
        widget_url: config.widget_url,
        widget: config.widget,
    };

    // During INIT, so that the first request finds an open connection to AWS and known keys.
    warm_up(async { tokio::join!(app.belvo.warm_up(), app.control.warm_up()) }).await;
    lambda_http::run(service_fn(async |request: Request| {
        Ok::<_, Error>(handle(&app, request).await)
    }))
    .await
}
