//! What is the state of a link?

use clap::Args;
use domain::{LinkId, Timestamp};
use futures::try_join;
use serde::Serialize;

use super::{
    Context,
    request::{days, table, verdict_is_bad},
};
use crate::{
    CliError, Outcome,
    api::{Link, LinkRequests, Quota, Status, Unconfirmed},
    output::{Page, Report, Style, Table, counted, since},
    stack::Stack,
};

/// Show a link: its state, what was collected, its quota and requests
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest link 16f68516-bcbc-4cf7-b815-c500d4204e28
  belvo-ingest link $LINK --json | jq .link.blocked")]
pub(crate) struct LinkArgs {
    /// Belvo's id of the link
    #[arg(value_parser = LinkId::parse)]
    link: LinkId,
    /// How many of its latest requests to show
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=500))]
    requests: u16,
}

/// What is known about a link.
#[derive(Debug, Serialize)]
pub(crate) struct LinkReport {
    pub(crate) link: Link,
    pub(crate) quota: Quota,
    #[serde(flatten)]
    pub(crate) requests: LinkRequests,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

pub(crate) async fn run(args: LinkArgs, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    let link = find(&stack, &args.link).await?;
    let path = format!("/links/{}", args.link);
    let limit = args.requests.to_string();
    let (quota_path, requests_path) = (format!("{path}/quota"), format!("{path}/requests"));
    let query = [("limit", limit.as_str())];
    let (quota, requests) = try_join!(
        stack.api.get(&quota_path, &[]),
        stack.api.get(&requests_path, &query),
    )?;
    context.output.show(&LinkReport {
        link,
        quota,
        requests,
        now: Timestamp::now(),
    })
}

/// A link that must be known.
pub(crate) async fn find(stack: &Stack, link: &LinkId) -> Result<Link, CliError> {
    let found = stack.api.find(&format!("/links/{link}"), &[]).await?;
    found.ok_or_else(|| {
        CliError::Missing(format!(
            "nothing is known about the link {link}: it was never registered, requested or \
             collected here"
        ))
    })
}

impl Report for LinkReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let (link, now) = (&self.link, self.now);
        page.title(format_args!("Link {}", link.id));
        page.field("Bank", bank(link));
        state(&mut page, link, now);
        if let Some(at) = link.registered_at {
            let id = link.external_id.as_deref().unwrap_or("no external id");
            page.field("Registered", format_args!("{}, as {id}", since(at, now)));
        } else {
            page.field("Registered", "never");
        }
        page.field("Webhooks", webhooks(link, now));
        collected(&mut page, link, now);
        quota(&mut page, &self.quota);
        self.list_requests(&mut page);
        page
    }

    fn outcome(&self) -> Outcome {
        let link = &self.link;
        let verdicts = link.collected.values().map(|last| last.verdict.as_str());
        let asked = link.asked.values().any(|asked| asked.failure.is_some());
        let latest = self.requests.requests.first();
        let latest = latest.is_some_and(|one| {
            matches!(
                one.status,
                Status::Incomplete | Status::Failed | Status::Expired
            )
        });
        let is_left_out = !link.left_out.is_empty();
        let is_bad = link.blocked.is_some() || link.stale || is_left_out || asked || latest;
        Outcome::attention_if(is_bad || verdicts.into_iter().any(verdict_is_bad))
    }
}

impl LinkReport {
    fn list_requests(&self, page: &mut Page) {
        let requests = &self.requests;
        if !requests.unconfirmed.is_empty() {
            page.title("Sent without an answer from Belvo");
            page.table(&unconfirmed(&requests.unconfirmed, self.now));
        }
        page.title("Latest requests");
        if requests.requests.is_empty() {
            page.line("none");
        } else {
            page.table(&table(&requests.requests, self.now));
        }
    }
}

fn bank(link: &Link) -> String {
    let known = [
        link.institution.clone(),
        link.access_mode.clone(),
        link.refresh_rate
            .as_ref()
            .map(|rate| format!("every {rate}")),
    ];
    let known: Vec<String> = known.into_iter().flatten().collect();
    if known.is_empty() {
        "unknown: the link was never read at Belvo".to_owned()
    } else {
        known.join(", ")
    }
}

fn state(page: &mut Page, link: &Link, now: Timestamp) {
    let status = link.status.as_deref().unwrap_or("unknown");
    match &link.blocked {
        None => page.field("Status", Style::Good.of(status)),
        Some(block) => {
            let reason = Style::Bad.of(format_args!("blocked: {}", block.reason));
            let since = since(block.since, now);
            page.field(
                "Status",
                format_args!("{reason}, since {since}; {status} at Belvo"),
            );
            page.field("Remedy", &block.remedy);
        }
    }
    if let Some(deletion) = &link.deletion {
        let erased = deletion
            .erased_at
            .map(|at| format!("erased {}", since(at, now)));
        let deleted = deletion
            .deleted_at
            .map(|at| format!("deleted {}", since(at, now)));
        let state = erased.or(deleted).unwrap_or_else(|| "under way".to_owned());
        page.field("Deletion", state);
    }
}

fn webhooks(link: &Link, now: Timestamp) -> String {
    let heard = link.heard_at.map_or_else(
        || "none yet".to_owned(),
        |at| format!("last {} to the hour", since(at, now)),
    );
    let expected = link
        .expected_at
        .map(|at| format!("; next expected {}", since(at, now)));
    let stale = if link.stale {
        format!(
            "; {}: two refreshes have passed without one",
            Style::Bad.of("stale")
        )
    } else {
        String::new()
    };
    format!("{heard}{}{stale}", expected.unwrap_or_default())
}

fn collected(page: &mut Page, link: &Link, now: Timestamp) {
    if link.collected.is_empty() {
        page.field("Collected", "nothing yet");
    }
    for (resource, last) in &link.collected {
        let verdict = if verdict_is_bad(&last.verdict) {
            Style::Bad.of(&last.verdict)
        } else {
            Style::Good.of(&last.verdict)
        };
        page.field(
            "Collected",
            format_args!(
                "{resource}, {}, {}: {verdict}; {} rows at Belvo, {} added, {} modified, \
                 {} removed",
                days(&last.days),
                since(last.at, now),
                last.rows,
                last.added,
                last.modified,
                last.removed,
            ),
        );
    }
    for (resource, rows) in &link.left_out {
        let count = Style::Bad.of(counted(rows.len(), "row"));
        page.field(
            "Left out",
            format_args!("{count} of {resource} could not be stored"),
        );
    }
    for (resource, asked) in &link.asked {
        if let Some(failure) = &asked.failure {
            let failure = Style::Bad.of(failure);
            let at = since(asked.ended_at, now);
            page.field("Asked for", format_args!("{resource}: {failure}, {at}"));
        }
    }
}

fn quota(page: &mut Page, quota: &Quota) {
    for class in &quota.retrievals {
        let closed = class
            .closed_until
            .map(|at| format!("; Belvo refuses until {at}"));
        let counted = match quota.counted_for.as_str() {
            "customer" => "the customer's links together",
            _ => "this link alone",
        };
        page.field(
            "Quota",
            format_args!(
                "{}: {} of {} used in {}, for {counted}{}",
                class.class,
                class.used,
                class.limit,
                quota.month,
                closed.unwrap_or_default(),
            ),
        );
    }
}

fn unconfirmed(unconfirmed: &[Unconfirmed], now: Timestamp) -> Table {
    let mut table = Table::new(["status", "resource", "days", "since", "retry after"]);
    for one in unconfirmed {
        let window = one.date_from.as_deref().zip(one.date_to.as_deref());
        let window =
            window.map_or_else(|| "all".to_owned(), |(from, to)| format!("{from} to {to}"));
        table.row([
            one.status.name().to_owned(),
            one.resource.clone(),
            window,
            since(one.since, now),
            since(one.until, now),
        ]);
    }
    table
}
