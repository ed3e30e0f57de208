//! What is stuck?

use clap::Args;
use domain::Timestamp;
use futures::future::try_join_all;
use serde::Serialize;

use super::{Context, request::table};
use crate::{
    CliError, Outcome,
    api::{Request, Status},
    output::{Page, Report, age},
    stack::Stack,
};

/// Where a request is until it ends.
const OPEN: [Status; 4] = [
    Status::Issued,
    Status::Notified,
    Status::Collecting,
    Status::Short,
];

/// List requests that stay where they are for longer than they should
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest stuck
  belvo-ingest stuck --older-than 7200
  belvo-ingest stuck --json | jq -r '.requests[].id'")]
pub(crate) struct StuckArgs {
    /// For how long at least; by default the stack's `RequestDueSeconds`, after which the sweep
    /// looks for a webhook that was lost
    #[arg(long, value_name = "SECONDS")]
    older_than: Option<u64>,
}

/// Requests that have not moved.
#[derive(Debug, Serialize)]
pub(crate) struct StuckReport {
    pub(crate) older_than_s: u64,
    /// The one that has not moved for longest comes first.
    pub(crate) requests: Vec<Request>,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

pub(crate) async fn run(args: StuckArgs, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    context.output.show(&read(&stack, args.older_than).await?)
}

/// The requests that have not moved for this long, or for as long as the stack waits.
pub(crate) async fn read(stack: &Stack, older_than: Option<u64>) -> Result<StuckReport, CliError> {
    let older_than_s = match older_than {
        Some(seconds) => seconds,
        None => stack.number("RequestDueSeconds")?,
    };
    let listings = OPEN.map(async |status| {
        let query = [("status", status.name())];
        stack
            .api
            .all::<Request>("/requests", &query, "requests")
            .await
    });
    let open = try_join_all(listings).await?.concat();
    Ok(StuckReport::of(open, older_than_s, Timestamp::now()))
}

impl StuckReport {
    /// Those of the open requests that have not moved for this long.
    #[must_use]
    pub(crate) fn of(mut open: Vec<Request>, older_than_s: u64, now: Timestamp) -> Self {
        let age = |request: &Request| request.since().map_or(0, |since| now.seconds_since(since));
        open.retain(|request| age(request) >= older_than_s);
        open.sort_by_key(|request| std::cmp::Reverse(age(request)));
        // A request that moved between two listings is in both.
        let mut seen = std::collections::BTreeSet::new();
        open.retain(|request| seen.insert(request.id.clone()));
        Self {
            older_than_s,
            requests: open,
            now,
        }
    }
}

impl Report for StuckReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let older_than = age(self.older_than_s);
        if self.requests.is_empty() {
            page.line(format_args!(
                "No request has stayed where it is for {older_than}."
            ));
            return page;
        }
        page.title(format_args!(
            "Requests that have stayed where they are for {older_than} and more: {}",
            self.requests.len()
        ));
        page.table(&table(&self.requests, self.now));
        self.advise(&mut page);
        page
    }

    fn outcome(&self) -> Outcome {
        Outcome::attention_if(!self.requests.is_empty())
    }
}

impl StuckReport {
    /// What each status waits for, and what to do.
    fn advise(&self, page: &mut Page) {
        page.blank();
        for status in OPEN {
            let mut of_status = self.requests.iter().filter(|one| one.status == status);
            let Some(first) = of_status.next() else {
                continue;
            };
            page.line(format_args!("{}: {}", status.name(), waits_for(status)));
            page.next(super::request::next(first).unwrap_or_default());
        }
    }
}

fn waits_for(status: Status) -> &'static str {
    match status {
        Status::Notified => "the rows are to be fetched; is the queue behind, or Belvo down?",
        Status::Collecting => "the rest of the rows is to be fetched; is the queue behind?",
        Status::Short => "rows are missing; they are fetched again by themselves for a day",
        _ => "no webhook has arrived; the sweep reads what Belvo has, until the request expires",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::request::tests::request;

    #[test]
    fn only_what_has_not_moved_for_long_is_stuck_and_the_oldest_comes_first() {
        let now = Timestamp::parse("2026-03-01T02:00:00Z").unwrap();
        let open = vec![
            request(&json!({"id": "young", "issued_at": "2026-03-01T01:59:00.000Z"})),
            request(&json!({"id": "old", "issued_at": "2026-03-01T01:00:00.000Z"})),
            request(&json!({"id": "oldest"})),
            request(&json!({"id": "moved", "status": "notified",
                "notified_at": "2026-03-01T01:58:00.000Z"})),
            request(&json!({"id": "oldest"})),
        ];
        let report = StuckReport::of(open, 1_800, now);
        let ids: Vec<_> = report.requests.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["oldest", "old"]);
        assert_eq!(report.outcome(), Outcome::NeedsAttention);
        assert!(report.page().to_string().contains("no webhook has arrived"));
    }

    #[test]
    fn nothing_stuck_is_fine() {
        let report = StuckReport::of(Vec::new(), 1_800, Timestamp::now());
        assert_eq!(report.outcome(), Outcome::Fine);
        assert_eq!(
            report.page().to_string(),
            "No request has stayed where it is for 30 min.\n"
        );
    }
}
