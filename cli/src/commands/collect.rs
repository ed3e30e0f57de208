//! Reads again what Belvo has of links, which costs no retrieval.

use std::{collections::VecDeque, time::Duration};

use clap::Args;
use domain::{AskedCollection, LastCollection, LinkId, Timestamp};
use serde::Serialize;
use serde_json::json;
use time::Date;
use tokio::time::{Instant, sleep};

use super::{Context, request::verdict_is_bad, selection::Selection, why_missing::day};
use crate::{
    CliError, Outcome,
    api::{Accepted, Link, Problem},
    output::{Page, Report, Style, Table, counted, counter},
    stack::Stack,
    state::Journal,
};

/// Links are asked for only while no more messages wait than this, so that what is fresh is not
/// held up: the sweep keeps to the same number when it reads links as a whole.
const MOST_WAITING: u64 = 20;
/// How many links are asked for between two looks at the queue.
const AT_ONCE: usize = 5;
/// Of how many links at a time it is looked whether they have ended.
const WATCHED: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// A queue that has been empty for so long has no message of a link that was not read: SQS counts
/// approximately, and a retried message is in flight until its time comes.
const EMPTY_FOR: Duration = Duration::from_mins(2);
/// More than this many links are not listed one by one, but for those that need attention.
const LISTED: usize = 20;

/// Read again what Belvo has of links: free, and what is stored stays
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest collect $LINK --wait
  belvo-ingest collect $LINK --from 2026-01-01 --to 2026-01-31 --wait
  belvo-ingest collect --stale --wait           # after webhooks were refused
  belvo-ingest collect --all --wait
  belvo-ingest collect --all --wait --resume    # after a crash, with the same arguments

Links are queued at the pace at which they are read, behind fresh work.")]
pub(crate) struct CollectArgs {
    #[command(flatten)]
    selection: Selection,
    /// What to read
    #[arg(long, default_value = "transactions")]
    resource: String,
    /// First day; with --to. All days by default
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, requires = "to")]
    from: Option<Date>,
    /// Last day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, requires = "from")]
    to: Option<Date>,
    /// Wait until every link has been read, and show what was found
    #[arg(long)]
    wait: bool,
    /// Go on with what was interrupted
    #[arg(long)]
    resume: bool,
}

/// What became of the links.
#[derive(Debug, Serialize)]
pub(crate) struct CollectReport {
    pub(crate) resource: String,
    pub(crate) links: Vec<AskedLink>,
    pub(crate) waited: bool,
}

/// A link that was asked for.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AskedLink {
    pub(crate) link: LinkId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asked_at: Option<Timestamp>,
    /// Why the API refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<AskedCollection>,
    /// Why it will not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unread: Option<Unread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collected: Option<LastCollection>,
}

/// Why a link that was asked for will not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unread {
    /// It was deleted meanwhile.
    Deleted,
    /// Its message is no longer in the queue: SQS itself may have made it a dead letter.
    NoMessage,
}

pub(crate) async fn run(args: CollectArgs, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    let links = args.selection.links(&stack, &args.resource).await?;
    let what = format!("{} collect {}", stack.api.url(), args.words());
    let mut journal = Journal::open(&what, args.resume)?;
    let mut asked = ask(&stack, &args, links, &mut journal).await?;
    if args.wait {
        wait(&stack, &args.resource, &mut asked).await?;
    }
    journal.finish()?;
    context.output.show(&CollectReport {
        resource: args.resource,
        links: asked,
        waited: args.wait,
    })
}

impl CollectArgs {
    /// What it is asked to do, but for what may differ when it is resumed.
    fn words(&self) -> String {
        let days = self.from.zip(self.to);
        let days = days.map(|(from, to)| format!(" --from {from} --to {to}"));
        format!(
            "{} --resource {}{}",
            self.selection.words(),
            self.resource,
            days.unwrap_or_default()
        )
    }

    fn body(&self) -> serde_json::Value {
        let mut body = json!({"resource": self.resource});
        if let Some((from, to)) = self.from.zip(self.to) {
            body["date_from"] = json!(from.to_string());
            body["date_to"] = json!(to.to_string());
        }
        body
    }
}

/// Queues the reading of each link that was not asked for before the interruption.
async fn ask(
    stack: &Stack,
    args: &CollectArgs,
    links: Vec<LinkId>,
    journal: &mut Journal<Timestamp>,
) -> Result<Vec<AskedLink>, CliError> {
    let (body, is_only) = (args.body(), links.len() == 1);
    let progress = counter("Asking for links", links.len());
    let mut all = Vec::new();
    for (number, link) in links.into_iter().enumerate() {
        progress.inc(1);
        if let Some(asked_at) = journal.steps.get(link.as_str()) {
            all.push(AskedLink::at(link, *asked_at));
            continue;
        }
        if number > 0 && number % AT_ONCE == 0 {
            until_few_wait(stack).await?;
        }
        let path = format!("/links/{link}/collections");
        match stack.api.post::<Accepted>(&path, &body, None).await {
            Ok(accepted) => {
                journal.record(link.as_str(), accepted.asked_at)?;
                all.push(AskedLink::at(link, accepted.asked_at));
            }
            // One link that cannot be read holds up no other.
            Err(CliError::Refused(problem)) if !is_only && concerns_the_link(&problem) => {
                all.push(AskedLink::refused(link, *problem));
            }
            Err(error) => return Err(error),
        }
    }
    progress.finish_and_clear();
    Ok(all)
}

/// Whether another link may be accepted.
pub(super) fn concerns_the_link(problem: &Problem) -> bool {
    matches!(problem.status, 404 | 409 | 422) || problem.name() == "quota-exhausted"
}

async fn until_few_wait(stack: &Stack) -> Result<(), CliError> {
    while stack.waiting("QueueUrl").await?.0 > MOST_WAITING {
        sleep(BETWEEN_LOOKS).await;
    }
    Ok(())
}

/// Waits until each link has been read, or the queue has no message any more that could bring it.
async fn wait(stack: &Stack, resource: &str, asked: &mut [AskedLink]) -> Result<(), CliError> {
    let progress = counter("Reading links", asked.len());
    let pending = asked.iter_mut().filter(|one| one.is_pending());
    let mut pending: VecDeque<_> = pending.collect();
    // When a link has ended or the queue had a message, and how many were looked at since.
    let (mut moved_at, mut looked_at) = (Instant::now(), 0);
    while !pending.is_empty() {
        let count = pending.len();
        for one in pending.drain(..count.min(WATCHED)).collect::<Vec<_>>() {
            let path = format!("/links/{}", one.link);
            let link = stack.api.find::<Link>(&path, &[]).await?;
            looked_at += 1;
            if one.has_ended(link.as_ref(), resource) {
                progress.inc(1);
            } else {
                pending.push_back(one);
            }
        }
        let has_ended = pending.len() < count;
        if has_ended || stack.waiting("QueueUrl").await? != (0, 0) {
            (moved_at, looked_at) = (Instant::now(), 0);
        }
        if looked_at >= pending.len() && moved_at.elapsed() > EMPTY_FOR {
            no_longer_queued(pending.drain(..));
        } else if !has_ended {
            sleep(BETWEEN_LOOKS).await;
        }
    }
    progress.finish_and_clear();
    Ok(())
}

fn no_longer_queued<'a>(links: impl Iterator<Item = &'a mut AskedLink>) {
    links.for_each(|one| one.unread = Some(Unread::NoMessage));
}

impl AskedLink {
    fn at(link: LinkId, asked_at: Timestamp) -> Self {
        Self {
            link,
            asked_at: Some(asked_at),
            refused: None,
            ended: None,
            unread: None,
            collected: None,
        }
    }

    fn refused(link: LinkId, problem: Problem) -> Self {
        Self {
            link,
            asked_at: None,
            refused: Some(problem),
            ended: None,
            unread: None,
            collected: None,
        }
    }

    fn is_pending(&self) -> bool {
        self.asked_at.is_some() && self.ended.is_none() && self.unread.is_none()
    }

    /// Takes over how the reading ended, if it has. Nothing is known about a link that was erased.
    fn has_ended(&mut self, link: Option<&Link>, resource: &str) -> bool {
        let Some(link) = link.filter(|link| link.deletion.is_none()) else {
            self.unread = Some(Unread::Deleted);
            return true;
        };
        let ended = link.asked.get(resource);
        let ended = ended.filter(|ended| Some(ended.asked_at) >= self.asked_at);
        self.ended = ended.cloned();
        self.collected = link
            .collected
            .get(resource)
            .filter(|_| ended.is_some())
            .cloned();
        ended.is_some()
    }

    fn needs_attention(&self) -> bool {
        let failed = self
            .ended
            .as_ref()
            .is_some_and(|ended| ended.failure.is_some());
        let verdict = self
            .collected
            .as_ref()
            .map(|collected| collected.verdict.as_str());
        self.refused.is_some()
            || self.unread.is_some()
            || failed
            || verdict.is_some_and(verdict_is_bad)
    }

    fn result(&self) -> String {
        if let Some(problem) = &self.refused {
            return problem.name().to_owned();
        }
        match self.unread {
            Some(Unread::Deleted) => return "deleted meanwhile".to_owned(),
            Some(Unread::NoMessage) => return "no longer in the queue".to_owned(),
            None => {}
        }
        let failure = self.ended.as_ref().and_then(|ended| ended.failure.clone());
        let verdict = self
            .collected
            .as_ref()
            .map(|collected| collected.verdict.clone());
        failure.or(verdict).unwrap_or_else(|| "queued".to_owned())
    }

    /// Rows at Belvo, added, modified and removed ones.
    fn counts(&self) -> [String; 4] {
        let collected = self.collected.as_ref().filter(|_| !self.has_failed());
        let counts = collected.map(|last| [last.rows, last.added, last.modified, last.removed]);
        counts.map_or_else(Default::default, |counts| {
            counts.map(|count| count.to_string())
        })
    }

    fn has_failed(&self) -> bool {
        self.ended
            .as_ref()
            .is_some_and(|ended| ended.failure.is_some())
    }
}

impl Report for CollectReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let bad = self
            .links
            .iter()
            .filter(|one| one.needs_attention())
            .count();
        let done = if self.waited { "Read" } else { "Queued" };
        let good = counted(self.links.len() - bad, "link");
        page.title(format_args!("{done}: {good}; in need of attention: {bad}"));
        let is_long = self.links.len() > LISTED;
        let mut table = Table::new(["link", "result", "rows", "added", "modified", "removed"]);
        for one in self
            .links
            .iter()
            .filter(|one| !is_long || one.needs_attention())
        {
            let [rows, added, modified, removed] = one.counts();
            table.row([
                one.link.to_string(),
                one.result(),
                rows,
                added,
                modified,
                removed,
            ]);
        }
        if !table.is_empty() {
            page.table(&table);
        }
        self.advise(&mut page);
        page
    }

    fn outcome(&self) -> Outcome {
        Outcome::attention_if(self.links.iter().any(AskedLink::needs_attention))
    }
}

impl CollectReport {
    fn advise(&self, page: &mut Page) {
        let is_lost = |one: &AskedLink| one.unread == Some(Unread::NoMessage);
        if self.links.iter().any(is_lost) {
            page.next("belvo-ingest dead-letters list");
        }
        if let Some(bad) = self.links.iter().find(|one| one.needs_attention()) {
            page.line(Style::Attention.of("The first of those that need attention:"));
            page.next(format_args!("belvo-ingest link {}", bad.link));
        } else if let Some(one) = self.links.first().filter(|_| !self.waited) {
            page.next(format_args!("belvo-ingest link {}", one.link));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "16f68516-bcbc-4cf7-b815-c500d4204e28";

    fn asked() -> AskedLink {
        let at = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        AskedLink::at(LinkId::parse(LINK).unwrap(), at)
    }

    fn link(fields: &serde_json::Value) -> Link {
        let mut link = json!({"link": LINK});
        for (name, value) in fields.as_object().unwrap() {
            link[name] = value.clone();
        }
        serde_json::from_value(link).unwrap()
    }

    #[test]
    fn a_reading_has_ended_once_one_as_late_has() {
        let ended = |at: &str| {
            let asked = json!({"asked_at": at, "ended_at": "2026-03-01T00:00:09.000Z"});
            link(&json!({"asked": {"transactions": asked}}))
        };
        let mut one = asked();
        let earlier = ended("2026-02-28T00:00:00.000Z");
        assert!(!one.has_ended(Some(&earlier), "transactions"));
        assert!(one.is_pending());
        let this = ended("2026-03-01T00:00:00.000Z");
        assert!(one.has_ended(Some(&this), "transactions"));
        assert!(!one.is_pending() && !one.needs_attention());
    }

    #[test]
    fn a_link_that_is_deleted_meanwhile_is_not_waited_for() {
        let deletion = json!({"deletion": {"rows": "keep",
            "requested_at": "2026-03-01T00:00:01.000Z"}});
        for record in [None, Some(&link(&deletion))] {
            let mut one = asked();
            assert!(one.has_ended(record, "transactions"));
            assert!(!one.is_pending() && one.needs_attention());
            assert_eq!(one.result(), "deleted meanwhile");
        }
    }

    #[test]
    fn a_link_whose_message_is_gone_needs_attention() {
        let mut links = vec![asked()];
        no_longer_queued(links.iter_mut());
        let report = CollectReport {
            resource: "transactions".to_owned(),
            links,
            waited: true,
        };
        assert_eq!(report.outcome(), Outcome::NeedsAttention);
        let page = report.page().to_string();
        for part in [
            "in need of attention: 1",
            "no longer in the queue",
            "dead-letters list",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}
