//! Sends the body of an event of API Gateway's to the queue and answers with 202: the least that
//! acknowledges a webhook. Of the event, it reads the body and nothing else. It does not look into
//! the body, so that every message has the same group, and does not log. The client is that of
//! `webhook`; the two ids are what a FIFO queue asks for.

use floors::variable;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::json;
use shared::aws::{CallBudget, sdk_config};

/// An event of API Gateway's, which sends a body of JSON as text.
#[derive(Deserialize)]
struct Delivery {
    body: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let sqs = aws_sdk_sqs::Client::new(&sdk_config(CallBudget::PROMPT)?);
    let queue = variable("QUEUE_URL")?;
    let answer = async |event: LambdaEvent<Delivery>| {
        let message = sqs.send_message().queue_url(&queue);
        message
            .message_body(event.payload.body)
            .message_group_id("link")
            .message_deduplication_id(event.context.request_id)
            .send()
            .await?;
        Ok::<_, Error>(json!({ "statusCode": 202 }))
    };
    lambda_runtime::run(service_fn(answer)).await
}
