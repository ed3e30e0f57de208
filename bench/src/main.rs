//! What a collection costs, measured: the collect function as it is shipped, as a process of its own, between a Lambda
//! Runtime API, a DynamoDB and a Belvo that count.

#![expect(clippy::print_stdout, reason = "a command that prints a table")]

mod aws;
mod belvo;
mod function;
mod table;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::{Value, json};

use crate::{
    aws::CountingAws,
    belvo::Belvo,
    function::Function,
    table::{Row, Step},
};

/// Collects windows of several sizes for the first time, unchanged, and with 1 % of the rows changed, and prints what each
/// of it took. Needs the tables of a deployed stack (`python -m local exec`).
#[derive(Parser)]
struct Arguments {
    /// The collect function's program.
    #[arg(long)]
    function: PathBuf,
    /// Rows of the windows.
    #[arg(long, value_delimiter = ',', default_value = "100,1000,10000,100000,200000")]
    rows: Vec<usize>,
    /// Directory for the results, as JSON and as a table.
    #[arg(long)]
    results: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let aws = CountingAws::start().await?;
    let belvo = Belvo::start().await?;
    let mut rows = Vec::new();
    println!("{}", table::HEAD);
    for size in arguments.rows {
        let link = belvo.link(size).await?;
        for step in [Step::First, Step::Unchanged, Step::OnePercent] {
            if step == Step::OnePercent {
                belvo.amend(&link, size.div_ceil(100)).await?;
            }
            let row = collect(&arguments.function, &aws, &belvo, &link, size, step).await?;
            println!("{}", row.line());
            rows.push(row);
        }
    }
    table::write(&arguments.results, &rows)?;
    table::prove(&rows)
}

/// One collection by a process that has just been started.
async fn collect(
    program: &std::path::Path,
    aws: &CountingAws,
    belvo: &Belvo,
    link: &str,
    size: usize,
    step: Step,
) -> anyhow::Result<Row> {
    let mut function = Function::start(program, &environment(aws, belvo)).await?;
    let (units_before, gets_before) = (aws.units(), belvo.gets().await?);
    let invocation = function.invoke(&event(link)).await?;
    let answer = &invocation.answer;
    ensure!(answer["batchItemFailures"] == json!([]), "the function wants its message back: {answer}");
    let units = aws.units().since(&units_before);
    Ok(Row {
        rows: size,
        step,
        gets: belvo.gets().await? - gets_before,
        units,
        billed_ms: invocation.wall.as_millis().try_into().context("milliseconds")?,
        cpu_ms: invocation.cpu.as_millis().try_into().context("milliseconds")?,
        peak_memory_kb: invocation.peak_memory_kb,
    })
}

fn environment(aws: &CountingAws, belvo: &Belvo) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("AWS_ENDPOINT_URL", aws.url.clone()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "bench".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "bench".to_owned()),
        ("REQUESTS_TABLE", aws.requests_table.clone()),
        ("TRANSACTIONS_TABLE", aws.transactions_table.clone()),
        ("BELVO_BASE_URL", belvo.url()),
    ];
    let fixed = [
        ("BELVO_SECRET_ARN", "keys"),
        ("QUEUE_URL", "http://127.0.0.1/queue.fifo"),
        ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1/dead-letters.fifo"),
        ("ATTEMPTS", "30"),
        ("LONGEST_RETRY_S", "900"),
        // Without Belvo's limit: what is measured is the work, not the waiting.
        ("PAGES_PER_30_S", "100000"),
        ("ROWS_PER_PART", "10000"),
        ("REQUEST_DUE_S", "1800"),
        ("REQUEST_EXPIRES_S", "86400"),
        ("LOG_LEVEL", "WARN"),
    ];
    environment.extend(fixed.map(|(name, value)| (name, value.to_owned())));
    environment
}

/// A batch of one webhook that names a request, as SQS hands it to the function.
fn event(link: &str) -> Value {
    let webhook = json!({
        "webhook_type": "TRANSACTIONS", "webhook_code": "historical_update", "link_id": link,
        "request_id": uuid::Uuid::new_v4().to_string(), "data": {}
    });
    let body = json!({
        "kind": "webhook", "delivery_id": "0".repeat(64), "correlation_id": "bench",
        "received_at": "2026-03-01T00:00:00Z", "webhook": webhook
    });
    let attributes = json!({"ApproximateReceiveCount": "1", "MessageGroupId": link});
    json!({"Records": [{"messageId": "1", "receiptHandle": "1", "body": body.to_string(), "attributes": attributes}]})
}
