//! The deployed stack as a whole, on the local AWS: the time from the arrival of a webhook to the
//! end of its collection, according to the request's record.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use test_harness::Stack;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::statistics::{Spread, milliseconds};

/// The delay of webhooks for windows of one size.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delay {
    pub(crate) rows: u64,
    /// From `notified_at` to `collected_at`.
    pub(crate) webhook_to_stored_ms: Spread,
}

/// Collects windows of each size `rounds` times, after a first round that does not count.
pub(crate) async fn measure(rounds: usize) -> anyhow::Result<Vec<Delay>> {
    let stack = Stack::of_this_run();
    let mut delays = Vec::new();
    for rows in [100, 1_000] {
        // The first round finds cold functions, whose start is measured elsewhere.
        delay_ms(&stack, rows).await?;

        let mut measured = Vec::new();
        for _ in 0..rounds {
            measured.push(delay_ms(&stack, rows).await?);
        }
        delays.push(Delay {
            rows,
            webhook_to_stored_ms: Spread::of(measured)?,
        });
    }
    Ok(delays)
}

async fn delay_ms(stack: &Stack, rows: u64) -> anyhow::Result<f64> {
    let link = stack.recurrent_link(rows).await;
    let record = link.collect().await;
    let delay = instant(&record, "collected_at")? - instant(&record, "notified_at")?;
    Ok(milliseconds(delay.try_into()?))
}

fn instant(record: &Value, name: &str) -> anyhow::Result<OffsetDateTime> {
    let text = record[name]
        .as_str()
        .with_context(|| format!("{name} is missing in {record}"))?;
    Ok(OffsetDateTime::parse(text, &Rfc3339)?)
}
