//! Makes as many items as the event says, all of one row, and writes them 25 at a time and eight
//! batches at once, or only makes them: the difference is what the calls to DynamoDB cost.

use std::{collections::HashMap, env, hint::black_box};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::aws::{CallBudget, sdk_config};
use tokio::task::JoinSet;

/// The event: how many rows, of what.
#[derive(Deserialize)]
struct Rows {
    #[serde(rename = "rows")]
    count: usize,
    link: String,
    row: Map<String, Value>,
    send: bool,
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "not a function of the pipeline")]
async fn main() -> Result<(), Error> {
    let client = Client::new(&sdk_config(CallBudget::PATIENT)?);
    let table = env::var("TRANSACTIONS_TABLE")?;
    let answer = async |event: LambdaEvent<Rows>| {
        let Rows {
            count,
            link,
            row,
            send,
        } = event.payload;
        let row: HashMap<_, _> = row
            .iter()
            .map(|(name, value)| (name.clone(), attribute(value)))
            .collect();
        let mut sending = JoinSet::new();
        for first in (0..count).step_by(25) {
            if sending.len() == 8 {
                sending.join_next().await.transpose()?.transpose()?;
            }
            let batch = (first..count.min(first + 25)).map(|number| numbered(&row, &link, number));
            let batch = batch.collect::<Result<Vec<_>, Error>>()?;
            if !send {
                black_box(batch);
                continue;
            }
            let request = client.batch_write_item().request_items(&table, batch);
            sending.spawn(async move { request.send().await.map(|_| ()) });
        }
        for sent in sending.join_all().await {
            sent?;
        }
        Ok::<_, Error>(json!({ "rows": count }))
    };
    lambda_runtime::run(service_fn(answer)).await
}

fn numbered(
    row: &HashMap<String, AttributeValue>,
    link: &str,
    number: usize,
) -> Result<WriteRequest, Error> {
    let mut item = row.clone();
    let id = format!("{number:036}");
    item.insert("_link".to_owned(), AttributeValue::S(link.to_owned()));
    item.insert("_item".to_owned(), AttributeValue::S(format!("T#{id}")));
    let put = PutRequest::builder().set_item(Some(item)).build()?;
    Ok(WriteRequest::builder().put_request(put).build())
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(elements) => AttributeValue::L(elements.iter().map(attribute).collect()),
        Value::Object(fields) => AttributeValue::M(
            fields
                .iter()
                .map(|(name, field)| (name.clone(), attribute(field)))
                .collect(),
        ),
    }
}
