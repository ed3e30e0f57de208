//! The collect function.

use std::time::{Duration, SystemTime};

use collect::{App, Config, KnownByResource, RetryPolicy, TURN, handle};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use shared::{
    aws::{CallBudget, sdk_config, warm_up},
    belvo::{Client, Pace},
    queue::{DeadLetters, Queue},
    secret::CachedSecret,
    store::{Control, TransactionsTable},
    telemetry,
};

/// The function's timeout in template.yaml.
const TIMEOUT: Duration = Duration::from_mins(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(env!("CARGO_PKG_NAME"));
    let config = Config::from_env()?;
    let aws = sdk_config(CallBudget::PATIENT)?;
    let keys = CachedSecret::new(&aws, config.belvo_secret_arn);
    let app = App {
        belvo: Client::new(config.belvo_base_url, keys)?
            .with_pace(Pace::in_process(config.belvo_calls_per_30_s)),
        control: Control::open(&aws, config.requests_table)
            .keeping_webhooks_for(config.webhook_retention_days)
            .keeping_erased_requests_for(config.request_retention_days),
        transactions: TransactionsTable::open(&aws, config.transactions_table)
            .keeping_changes_for(config.changes_days),
        queue: Queue::new(&aws, config.queue_url),
        dead_letters: DeadLetters::new(&aws, config.dead_letter_queue_url),
        deadlines: config.deadlines,
        scrubs: config.scrubs,
        turn: TURN,
        unknown_links: config.unknown_links,
        known_fields: KnownByResource::default(),
        retry_policy: RetryPolicy {
            attempts: config.attempts,
            longest_wait: Duration::from_secs(config.longest_retry_s.into()),
        },
    };

    // During INIT, so that the first message finds an open connection to AWS and known keys.
    warm_up(async { tokio::join!(app.belvo.warm_up(), app.control.warm_up()) }).await;
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
