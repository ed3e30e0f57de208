//! Lets Belvo ask the banks again for a time span, which spends retrievals.

mod plan;

use std::time::Duration;

use clap::Args;
use domain::{LinkId, RequestId, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use time::Date;
use tokio::time::sleep;

use self::plan::{Plan, Planned, step};
use super::{
    Context, collect::concerns_the_link, request::next, selection::Selection, why_missing::day,
};
use crate::{
    CliError, Outcome,
    api::{Problem, Request, Status},
    output::{Page, Report, Table, confirm, counter, note},
    stack::Stack,
    state::Journal,
};

const RESOURCE: Resource = Resource::TRANSACTIONS;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Have Belvo ask the banks again: spends retrievals, asks first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest backfill $LINK --from 2026-01-01 --to 2026-01-31
  belvo-ingest backfill --all --from 2025-06-01 --to 2026-05-31 --wait
  belvo-ingest backfill --all --from 2025-06-01 --to 2026-05-31 --wait --resume --yes

Belvo has a customer 8 retrievals a month that reach back six days or more, and 240 others. What
would be spent is shown before anything is. `belvo-ingest collect` reads for free what Belvo has
already.")]
pub(crate) struct BackfillArgs {
    #[command(flatten)]
    selection: Selection,
    /// First day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    from: Date,
    /// Last day; more than a year takes several retrievals
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    to: Date,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Wait until every request has ended, and show how
    #[arg(long)]
    wait: bool,
    /// Go on with what was interrupted: nothing is spent twice
    #[arg(long)]
    resume: bool,
}

/// What became of the retrievals.
#[derive(Debug, Serialize)]
pub(crate) struct BackfillReport {
    pub(crate) plan: Plan,
    pub(crate) retrievals: Vec<Sent>,
}

/// A retrieval that was sent, or refused.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sent {
    pub(crate) link: LinkId,
    pub(crate) date_from: String,
    pub(crate) date_to: String,
    #[serde(flatten)]
    pub(crate) answer: Answer,
    /// As it was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Request>,
}

/// What the API answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Issued(RequestId),
    Refused(Problem),
}

#[derive(Deserialize)]
struct Accepted {
    request_id: RequestId,
}

pub(crate) async fn run(args: BackfillArgs, context: &Context) -> Result<Outcome, CliError> {
    if args.from > args.to {
        return Err(CliError::usage("--from is after --to", "Exchange them."));
    }
    let stack = context.stack().await?;
    let links = args.selection.links(&stack, RESOURCE.name()).await?;
    let words = format!(
        "{} --from {} --to {}",
        args.selection.words(),
        args.from,
        args.to
    );
    let what = format!("{} backfill {words}", stack.api.url());
    let interrupted = args
        .resume
        .then(|| Journal::open(&what, true))
        .transpose()?;
    let steps = interrupted.as_ref().map(|journal| &journal.steps);
    let is_sent = |step: &str| steps.is_some_and(|steps| steps.contains_key(step));
    let plan = plan::read(&stack.api, links, (args.from, args.to), &is_sent).await?;
    if !context.output.is_json() {
        note(plan.page().to_string().trim_end());
    }
    if plan.retrievals() > 0 {
        let question = format!("Spend {}?", plan.words());
        confirm(&question, args.yes)?;
    }

    let mut journal = match interrupted {
        Some(journal) => journal,
        None => Journal::open(&what, false)?,
    };
    let mut retrievals = send(&stack, &plan, &mut journal).await?;
    if args.wait {
        wait(&stack, &mut retrievals).await?;
    }
    journal.finish()?;
    context.output.show(&BackfillReport { plan, retrievals })
}

/// Sends each retrieval that was not sent before the interruption.
async fn send(
    stack: &Stack,
    plan: &Plan,
    journal: &mut Journal<Answer>,
) -> Result<Vec<Sent>, CliError> {
    let progress = counter("Asking Belvo", plan.retrievals());
    let mut sent = Vec::new();
    for Planned { link, windows, .. } in plan.links.iter().filter(|one| one.skipped.is_none()) {
        for (from, to) in windows {
            progress.inc(1);
            let step = step(link, *from, *to);
            let known = journal.steps.get(&step).cloned();
            let answer = if let Some(known) = known {
                known
            } else {
                let answer = post(stack, link, *from, *to, &journal.run).await?;
                journal.record(&step, answer.clone())?;
                answer
            };
            sent.push(Sent {
                link: link.clone(),
                date_from: from.to_string(),
                date_to: to.to_string(),
                answer,
                request: None,
            });
        }
    }
    progress.finish_and_clear();
    Ok(sent)
}

/// Sends a retrieval under a key by which it is sent once, even if this process ends before it has
/// recorded the answer.
async fn post(
    stack: &Stack,
    link: &LinkId,
    from: Date,
    to: Date,
    run: &str,
) -> Result<Answer, CliError> {
    let body = json!({
        "link": link,
        "date_from": from.to_string(),
        "date_to": to.to_string(),
    });
    let key = hex::encode(Sha256::digest(format!("{run} {body}")));
    match stack
        .api
        .post::<Accepted>("/requests", &body, Some(&key))
        .await
    {
        Ok(accepted) => Ok(Answer::Issued(accepted.request_id)),
        Err(CliError::Refused(problem)) if may_go_on(&problem) => Ok(Answer::Refused(*problem)),
        Err(error) => Err(error),
    }
}

/// Whether what was refused says nothing about other links.
fn may_go_on(problem: &Problem) -> bool {
    concerns_the_link(problem) || problem.name() == "unconfirmed"
}

/// Waits until each request has ended, or is fetched again because rows are missing.
async fn wait(stack: &Stack, retrievals: &mut [Sent]) -> Result<(), CliError> {
    let progress = counter("Collecting", retrievals.len());
    for sent in retrievals {
        if let Answer::Issued(id) = &sent.answer {
            sent.request = Some(ended(stack, id).await?);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(())
}

async fn ended(stack: &Stack, id: &RequestId) -> Result<Request, CliError> {
    loop {
        let request: Request = stack.api.get(&format!("/requests/{id}"), &[]).await?;
        if request.status.is_terminal() || request.status == Status::Short {
            return Ok(request);
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

impl Sent {
    fn needs_attention(&self) -> bool {
        let is_collected = |request: &Request| request.status == Status::Collected;
        let is_bad = self
            .request
            .as_ref()
            .is_some_and(|request| !is_collected(request));
        is_bad || matches!(self.answer, Answer::Refused(_))
    }
}

impl Report for BackfillReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        if self.retrievals.is_empty() {
            page.line("Nothing was sent.");
            return page;
        }
        let mut table = Table::new(["link", "from", "to", "request", "status", "verdict"]);
        for sent in &self.retrievals {
            let (id, status) = match &sent.answer {
                Answer::Issued(id) => (id.to_string(), "issued".to_owned()),
                Answer::Refused(problem) => (String::new(), problem.name().to_owned()),
            };
            let request = sent.request.as_ref();
            table.row([
                sent.link.to_string(),
                sent.date_from.clone(),
                sent.date_to.clone(),
                id,
                request.map_or(status, |request| request.status.name().to_owned()),
                request
                    .and_then(|request| request.verdict.clone())
                    .unwrap_or_default(),
            ]);
        }
        page.table(&table);
        let bad = self.retrievals.iter().find(|sent| sent.needs_attention());
        let next = bad.and_then(|sent| sent.request.as_ref()).and_then(next);
        if let Some(next) = next {
            page.next(next);
        }
        page
    }

    fn outcome(&self) -> Outcome {
        let skipped = self.plan.links.iter().any(|one| one.skipped.is_some());
        Outcome::attention_if(skipped || self.retrievals.iter().any(Sent::needs_attention))
    }
}
