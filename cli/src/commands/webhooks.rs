//! Belvo's webhooks as they are archived: what became of each, and processing one again.

use std::time::Duration;

use clap::{Args, Subcommand};
use domain::{LinkId, Timestamp};
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use super::Context;
use crate::{
    CliError, Outcome,
    api::{Replay, Webhook},
    output::{Page, Report, Style, Table, since, spinner},
    stack::Stack,
};

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// List, show and replay Belvo's webhooks
#[derive(Debug, Args)]
pub(crate) struct WebhooksArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the latest of a link
    #[command(after_help = "Examples:
  belvo-ingest webhooks list $LINK
  belvo-ingest webhooks list $LINK --limit 500 --json | jq '.webhooks[].outcome'")]
    List {
        /// Belvo's id of the link
        #[arg(value_parser = LinkId::parse)]
        link: LinkId,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// Show one whole, with what became of it
    #[command(after_help = "Examples:
  belvo-ingest webhooks show $WEBHOOK")]
    Show {
        /// Its id, as listed
        id: String,
    },
    /// Process one again: free, and stores nothing twice
    #[command(after_help = "Examples:
  belvo-ingest webhooks replay $WEBHOOK --wait")]
    Replay {
        /// Its id, as listed
        id: String,
        /// Wait until it is processed, and show what became of it
        #[arg(long)]
        wait: bool,
    },
}

/// The latest webhooks of a link.
#[derive(Debug, Serialize)]
pub(crate) struct ListReport {
    pub(crate) link: LinkId,
    pub(crate) webhooks: Vec<Webhook>,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

/// A webhook.
#[derive(Debug, Serialize)]
pub(crate) struct WebhookReport {
    pub(crate) webhook: Webhook,
    /// Whether it is being processed again.
    pub(crate) is_queued: bool,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

#[derive(serde::Deserialize)]
struct Listing {
    webhooks: Vec<Webhook>,
}

pub(crate) async fn run(args: WebhooksArgs, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    match args.command {
        Command::List { link, limit } => list(&stack, link, limit, context).await,
        Command::Show { id } => {
            let webhook = find(&stack, &id).await?;
            context.output.show(&WebhookReport::of(webhook, false))
        }
        Command::Replay { id, wait } => replay(&stack, &id, wait, context).await,
    }
}

async fn list(
    stack: &Stack,
    link: LinkId,
    limit: u16,
    context: &Context,
) -> Result<Outcome, CliError> {
    let (path, limit) = (format!("/links/{link}/webhooks"), limit.to_string());
    let listing: Listing = stack.api.get(&path, &[("limit", &limit)]).await?;
    context.output.show(&ListReport {
        link,
        webhooks: listing.webhooks,
        now: Timestamp::now(),
    })
}

async fn find(stack: &Stack, id: &str) -> Result<Webhook, CliError> {
    let found = stack.api.find(&format!("/webhooks/{id}"), &[]).await?;
    found.ok_or_else(|| {
        CliError::Missing(format!(
            "no webhook {id} is archived: it is there once it has been processed, and for \
             WebhookRetentionDays"
        ))
    })
}

async fn replay(
    stack: &Stack,
    id: &str,
    wait: bool,
    context: &Context,
) -> Result<Outcome, CliError> {
    find(stack, id).await?;
    let path = format!("/webhooks/{id}/replays");
    let Replay { replayed_at } = stack.api.post(&path, &json!({}), None).await?;
    let progress = spinner("Processing the webhook again");
    loop {
        let webhook = find(stack, id).await?;
        let has_ended = webhook.replayed_at >= Some(replayed_at);
        if has_ended || !wait {
            progress.finish_and_clear();
            let report = WebhookReport::of(webhook, !has_ended);
            return context.output.show(&report);
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

impl WebhookReport {
    fn of(webhook: Webhook, is_queued: bool) -> Self {
        Self {
            webhook,
            is_queued,
            now: Timestamp::now(),
        }
    }
}

impl Report for ListReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        page.title(format_args!("Webhooks of {}, latest first", self.link));
        if self.webhooks.is_empty() {
            page.line("none is archived");
            return page;
        }
        let mut table = Table::new(["received", "type", "code", "became", "times", "id"]);
        for webhook in &self.webhooks {
            table.row([
                since(webhook.received_at, self.now),
                webhook.kind.clone(),
                webhook.code.clone(),
                became(webhook),
                webhook.deliveries.to_string(),
                webhook.id.clone(),
            ]);
        }
        page.table(&table);
        if let Some(bad) = self.webhooks.iter().find(|one| one.outcome.is_bad()) {
            page.next(format_args!("belvo-ingest webhooks show {}", bad.id));
        }
        page
    }

    fn outcome(&self) -> Outcome {
        Outcome::attention_if(self.webhooks.iter().any(|one| one.outcome.is_bad()))
    }
}

/// What became of a webhook, in a few words.
fn became(webhook: &Webhook) -> String {
    let outcome = &webhook.outcome;
    let detail = outcome.why.as_ref().or(outcome.verdict.as_ref());
    match detail {
        Some(detail) => format!("{}: {detail}", outcome.status),
        None => outcome.status.clone(),
    }
}

impl Report for WebhookReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let (webhook, now) = (&self.webhook, self.now);
        page.title(format_args!("Webhook {}", webhook.id));
        page.field("Link", &webhook.link);
        page.field("Says", format_args!("{} {}", webhook.kind, webhook.code));
        if let Some(request) = &webhook.request_id {
            page.field("Request", request);
        }
        page.field("Received", since(webhook.received_at, now));
        if webhook.deliveries > 1 {
            let last = since(webhook.last_received_at, now);
            page.field(
                "Again",
                format_args!("{} times, last {last}", webhook.deliveries),
            );
        }
        let style = if webhook.outcome.is_bad() {
            Style::Bad
        } else {
            Style::Good
        };
        page.field("Became", style.of(became(webhook)));
        if let Some((rows, written)) = webhook.outcome.rows.zip(webhook.outcome.written) {
            page.field("Rows", format_args!("{rows} at Belvo, {written} written"));
        }
        page.field("Processed", since(webhook.ended_at, now));
        if let Some(at) = webhook.replayed_at {
            page.field("Replayed", since(at, now));
        }
        self.show_body(&mut page);
        page
    }

    fn outcome(&self) -> Outcome {
        Outcome::attention_if(!self.is_queued && self.webhook.outcome.is_bad())
    }
}

impl WebhookReport {
    fn show_body(&self, page: &mut Page) {
        if let Some(body) = &self.webhook.body {
            page.blank();
            page.line(serde_json::to_string_pretty(body).unwrap_or_default());
        }
        if self.is_queued {
            page.blank();
            page.line("It is queued to be processed again.");
            page.next(format_args!(
                "belvo-ingest webhooks show {}",
                self.webhook.id
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(outcome: &serde_json::Value) -> Webhook {
        serde_json::from_value(json!({
            "id": "ab", "link": "16f68516-bcbc-4cf7-b815-c500d4204e28",
            "webhook_type": "TRANSACTIONS", "webhook_code": "historical_update",
            "received_at": "2026-03-01T00:00:00.000Z",
            "last_received_at": "2026-03-01T00:00:00.000Z", "deliveries": 1,
            "ended_at": "2026-03-01T00:00:01.000Z", "outcome": outcome}))
        .unwrap()
    }

    #[test]
    fn what_became_of_a_webhook_is_told_with_its_reason() {
        let collected = webhook(&json!({"status": "collected", "rows": 3, "written": 3,
            "deleted": 0, "missing": 0, "verdict": "complete"}));
        assert_eq!(became(&collected), "collected: complete");
        assert!(!collected.outcome.is_bad());
        let failed = webhook(&json!({"status": "failed", "code": "login_error"}));
        assert_eq!(became(&failed), "failed: login_error");
        assert_eq!(
            WebhookReport::of(failed, false).outcome(),
            Outcome::NeedsAttention
        );
        let dead = webhook(&json!({"status": "dead_lettered", "reason": "HTTP 500"}));
        assert_eq!(became(&dead), "dead_lettered: HTTP 500");
        assert_eq!(became(&webhook(&json!({"status": "noted"}))), "noted");
    }
}
