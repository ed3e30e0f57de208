//! Sends the body of every event to the queue and answers with 202: what the call to SQS costs.

use std::env;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use shared::aws::{CallBudget, sdk_config};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "not a function of the pipeline")]
async fn main() -> Result<(), Error> {
    let sqs = aws_sdk_sqs::Client::new(&sdk_config(CallBudget::PROMPT)?);
    let queue = env::var("QUEUE_URL")?;
    let answer = async |event: LambdaEvent<Value>| {
        let body = event.payload["body"].as_str().unwrap_or_default();
        let message = sqs.send_message().queue_url(&queue).message_body(body);
        message
            .message_group_id("link")
            .message_deduplication_id(event.context.request_id)
            .send()
            .await?;
        Ok::<_, Error>(json!({ "statusCode": 202 }))
    };
    lambda_runtime::run(service_fn(answer)).await
}
