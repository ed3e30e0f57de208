//! The peak memory of `collect` while it works on as many links as it does at once, all of them
//! with large rows.

use std::time::Instant;

use anyhow::{Context, ensure};
use axum::body::Bytes;
use domain::Resource;
use function_processes::{Function, events};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    aws::CountingAws,
    program::{Maker, Programs},
    world::World,
};

/// Links worked on at once (the messages of a batch, template.yaml).
const LINKS: usize = 10;
/// A line of an invoice, which repeated makes up a row's bytes. JSON escapes some of it.
const LINE: &str =
    "<cfdi:Concepto ClaveProdServ=\"43232408\" Cantidad=\"1\" Importe=\"199.00\"/>\n";

/// A collection of several links, and what it took.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LargeRows {
    pub(crate) resource: String,
    pub(crate) step: String,
    pub(crate) links: usize,
    /// Of each link, and of each row.
    pub(crate) rows: usize,
    pub(crate) row_bytes: usize,
    pub(crate) gets: u64,
    pub(crate) invocations: u64,
    pub(crate) wall_s: f64,
    pub(crate) peak_memory_kib: u64,
}

/// Links with rows of one kind and size.
struct Links<'a> {
    programs: &'a Programs,
    world: &'a World,
    resource: &'static str,
    ids: Vec<String>,
    rows: usize,
    row_bytes: usize,
}

/// Collects invoices with their documents, and transactions of which a page has nearly as many
/// bytes as are taken of one, with what they have besides; and again when every row has changed.
pub(crate) async fn measure(
    programs: &Programs,
    world: &World,
    quick: bool,
) -> anyhow::Result<Vec<LargeRows>> {
    let (invoices, transactions) = if quick { (60, 1_000) } else { (200, 3_000) };
    let mut measured = Vec::new();
    for (resource, rows, row_bytes) in [
        ("invoices", invoices, 200_000),
        ("transactions", transactions, 4_500),
    ] {
        let mut links = Links {
            programs,
            world,
            resource,
            ids: Vec::new(),
            rows,
            row_bytes,
        };
        for _ in 0..LINKS {
            links.ids.push(world.belvo.link_with(resource, rows).await?);
        }
        measured.push(links.collect("first time").await?);
        measured.push(links.collect("every row changed").await?);
    }
    Ok(measured)
}

impl Links<'_> {
    /// Gives every row another document, and collects them with a process of their own.
    async fn collect(&self, step: &'static str) -> anyhow::Result<LargeRows> {
        let (rows, row_bytes, belvo) = (self.rows, self.row_bytes, &self.world.belvo);
        eprintln!(
            "  {LINKS} links with {rows} {} of {row_bytes} bytes: {step}",
            self.resource
        );
        let document = LINE.repeat(row_bytes / json!(LINE).to_string().len());
        let document = format!("<!-- {step} -->{document}");
        for link in &self.ids {
            belvo.enlarge(link, self.resource, &document).await?;
        }

        let program = self.programs.function(Maker::Ours, "collect");
        let mut function = Function::start(&program, &self.world.environment()).await?;
        let (gets_before, started) = (belvo.gets().await?, Instant::now());
        let invocations = run(&mut function, &self.world.aws, self.event()?).await?;
        let wall_s = started.elapsed().as_secs_f64();
        let peak_memory_kib = function.peak_memory_kib()?;
        function.stop().await?;

        self.ensure_stored()?;
        Ok(LargeRows {
            resource: self.resource.to_owned(),
            step: step.to_owned(),
            links: LINKS,
            rows,
            row_bytes,
            gets: belvo.gets().await? - gets_before,
            invocations,
            wall_s,
            peak_memory_kib,
        })
    }

    fn event(&self) -> anyhow::Result<Bytes> {
        let resource = Resource::by_name(self.resource).context("no such resource")?;
        let ids: Vec<_> = self.ids.iter().map(String::as_str).collect();
        Ok(events::batch_of(resource.webhook_type(), &ids))
    }

    fn ensure_stored(&self) -> anyhow::Result<()> {
        for link in &self.ids {
            let partition = match self.resource {
                "transactions" => link.clone(),
                other => format!("{link}/{other}"),
            };
            let stored = self.world.aws.count(&partition, "T#")?;
            ensure!(stored == self.rows as u64, "{stored} rows are stored");
        }
        Ok(())
    }
}

/// Lets a function process an event and all continuations, and returns the number of invocations.
pub(crate) async fn run(
    function: &mut Function,
    aws: &CountingAws,
    mut event: Bytes,
) -> anyhow::Result<u64> {
    let mut invocations = 0;
    loop {
        let answer = function.invoke(event).await?.answer;
        ensure!(answer["batchItemFailures"] == json!([]), "{answer}");
        invocations += 1;
        match aws.take_message() {
            Some(continuation) => event = events::sent(&continuation),
            None => return Ok(invocations),
        }
    }
}
