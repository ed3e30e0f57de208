//! The deployed stack as a whole, on the local AWS: from the arrival of a webhook to the end of its
//! collection, as the request's record says.

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use tests::Stack;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::statistics::{Spread, milliseconds};

/// Webhooks for windows of so many rows.
#[derive(Debug, Serialize)]
pub(crate) struct Delay {
    pub(crate) rows: u64,
    /// From `notified_at` to `collected_at`.
    pub(crate) webhook_to_stored_ms: Spread,
}

pub(crate) async fn measure(rounds: usize) -> anyhow::Result<Vec<Delay>> {
    let stack = Stack::of_this_run();
    let mut delays = Vec::new();
    for rows in [100, 1_000] {
        let mut taken = Vec::new();
        for round in 0..=rounds {
            let link = stack.recurrent_link(rows).await;
            let record = link.collect().await;
            let taken_now = instant(&record, "collected_at")? - instant(&record, "notified_at")?;
            // The first finds cold functions, whose start is measured elsewhere.
            if round > 0 {
                taken.push(milliseconds(taken_now.try_into()?));
            }
        }
        delays.push(Delay {
            rows,
            webhook_to_stored_ms: Spread::of(taken)?,
        });
    }
    Ok(delays)
}

fn instant(record: &Value, name: &str) -> anyhow::Result<OffsetDateTime> {
    let text = record[name]
        .as_str()
        .with_context(|| format!("{name} of {record}"))?;
    Ok(OffsetDateTime::parse(text, &Rfc3339)?)
}
