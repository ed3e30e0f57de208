//! Erases a person: every link of an external id, or some links.

use std::time::Duration;

use clap::{ArgGroup, Args};
use domain::{Erased, LinkId, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

use super::Context;
use crate::{
    CliError, Outcome,
    api::Link,
    output::{Page, Report, Style, Table, confirm, counted, counter, instant, since},
    stack::Stack,
};

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Delete links at Belvo and erase their rows, and print a receipt
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest erase --external-id user-4711
  belvo-ingest erase --link $LINK --yes --json > receipt.json

It waits until everything is erased, which takes as long as Belvo takes to delete the links. It
may be interrupted and repeated: what was begun is finished in any case. An erased link has no
external id any more, so repeat it with --link.")]
#[command(group(ArgGroup::new("who").required(true).args(["external_id", "links"])))]
pub(crate) struct EraseArgs {
    /// Every registered link of this id of yours
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// This link; may be given several times
    #[arg(long = "link", value_name = "LINK", value_parser = LinkId::parse)]
    links: Vec<LinkId>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// What was erased when, and what remains where for how long.
#[derive(Debug, Serialize)]
pub(crate) struct Receipt {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) external_id: Option<String>,
    pub(crate) links: Vec<ErasedLink>,
    pub(crate) remains: Vec<Remains>,
    pub(crate) at: Timestamp,
}

/// A link that was erased.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ErasedLink {
    pub(crate) link: LinkId,
    pub(crate) requested_at: Option<Timestamp>,
    pub(crate) deleted_at: Option<Timestamp>,
    pub(crate) erased_at: Option<Timestamp>,
    /// How much there was.
    pub(crate) erased: Option<Erased>,
}

/// Something that erasure leaves (docs/decisions/0036).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remains {
    pub(crate) what: &'static str,
    pub(crate) place: &'static str,
    pub(crate) until: Option<Timestamp>,
}

pub(crate) async fn run(args: EraseArgs, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    let links = links(&stack, &args).await?;
    let names: Vec<_> = links.iter().map(|link| link.id.to_string()).collect();
    let question = format!(
        "Delete {} at Belvo and erase every row of theirs for ever: {}?",
        counted(links.len(), "link"),
        names.join(", ")
    );
    confirm(&question, args.yes)?;

    for link in &links {
        let path = format!("/links/{}", link.id);
        // The operator has named the link and said yes.
        let query = [("rows", "erase"), ("unregistered", "allow")];
        let _: Value = stack.api.delete(&path, &query).await?;
    }
    let erased = wait(&stack, &links).await?;
    let days = KeptDays {
        logs: stack.number("LogRetentionDays")?,
        webhooks: stack.number("WebhookRetentionDays")?,
        requests: stack.number("RequestRetentionDays")?,
    };
    context.output.show(&Receipt {
        external_id: args.external_id,
        remains: remains(&erased, days),
        links: erased,
        at: Timestamp::now(),
    })
}

/// The links that are meant, which must be known.
async fn links(stack: &Stack, args: &EraseArgs) -> Result<Vec<Link>, CliError> {
    if let Some(id) = &args.external_id {
        let query = [("external_id", id.as_str())];
        let links: Vec<Link> = stack.api.all("/links", &query, "links").await?;
        if links.is_empty() {
            return Err(CliError::Missing(format!(
                "no registered link has the external id {id}"
            )));
        }
        return Ok(links);
    }
    let mut links = Vec::new();
    for link in &args.links {
        links.push(super::link::find(stack, link).await?);
    }
    Ok(links)
}

/// Waits until Belvo no longer has the links, and their rows are erased.
async fn wait(stack: &Stack, links: &[Link]) -> Result<Vec<ErasedLink>, CliError> {
    let progress = counter("Erasing", links.len());
    let mut all = Vec::new();
    for link in links {
        let path = format!("/links/{}", link.id);
        let erased = loop {
            let link: Link = stack.api.get(&path, &[]).await?;
            let erased = ErasedLink::of(link);
            if erased.erased_at.is_some() {
                break erased;
            }
            sleep(BETWEEN_LOOKS).await;
        };
        all.push(erased);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(all)
}

impl ErasedLink {
    fn of(link: Link) -> Self {
        let deletion = link.deletion.as_ref();
        Self {
            requested_at: deletion.and_then(|deletion| deletion.requested_at),
            deleted_at: deletion.and_then(|deletion| deletion.deleted_at),
            erased_at: deletion.and_then(|deletion| deletion.erased_at),
            erased: deletion.and_then(|deletion| deletion.erased),
            link: link.id,
        }
    }
}

/// How long something remains.
enum Kept {
    /// For good.
    Stays,
    Days(u64),
    /// As long as the stack keeps logs.
    AsLogs,
    /// As long as the stack keeps webhooks.
    AsWebhooks,
    /// As long as the stack keeps requests of erased links.
    AsRequests,
}

/// How long the stack keeps things.
#[derive(Clone, Copy)]
struct KeptDays {
    logs: u64,
    webhooks: u64,
    requests: u64,
}

/// What remains of links that are erased, as docs/RETENTION.md has it.
const REMAINS: [(&str, &str, Kept); 9] = [
    (
        "the link's record",
        "its id, its bank, when it was deleted, and what was erased",
        Kept::Stays,
    ),
    (
        "requests",
        "ids of the link and of an account, days, counts, Belvo's error code",
        Kept::AsRequests,
    ),
    (
        "the archive of webhooks",
        "of webhooks that come after the erasure: type, code and ids",
        Kept::AsWebhooks,
    ),
    (
        "counters of retrievals",
        "how many were spent in a month, a hash of the customer, ids of links",
        // The rest of the month, and 90 days.
        Kept::Days(31 + 90),
    ),
    (
        "intents",
        "what was sent to Belvo: ids and days",
        Kept::Days(7),
    ),
    (
        "answers by Idempotency-Key",
        "ids of requests",
        Kept::Days(1),
    ),
    (
        "the dead-letter queue",
        "webhooks and ids in dead letters, unless they are dropped",
        Kept::Days(14),
    ),
    ("the functions' log groups", "ids and counts", Kept::AsLogs),
    (
        "DynamoDB's point-in-time backups",
        "everything as it was",
        Kept::Days(35),
    ),
];

/// What remains, and until when: counted from the last erasure.
fn remains(erased: &[ErasedLink], kept: KeptDays) -> Vec<Remains> {
    let last = erased.iter().filter_map(|link| link.erased_at).max();
    let after = |days: u64| {
        let seconds = i64::try_from(days * 86_400).unwrap_or(i64::MAX);
        last.map(|at| at.plus_seconds(seconds))
    };
    let remains = REMAINS.iter().map(|(place, what, how)| Remains {
        place,
        what,
        until: match how {
            Kept::Stays => None,
            Kept::Days(days) => after(*days),
            Kept::AsLogs => after(kept.logs),
            Kept::AsWebhooks => after(kept.webhooks),
            Kept::AsRequests => after(kept.requests),
        },
    });
    remains.collect()
}

/// How much was erased.
fn counts(erased: &Erased) -> String {
    let Erased {
        rows,
        accounts,
        webhooks,
        requests,
    } = erased;
    format!("{rows} rows, {accounts} accounts, {webhooks} webhooks; {requests} requests emptied")
}

impl Report for Receipt {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let whose = self.external_id.as_ref().map(|id| format!(" of {id}"));
        page.title(Style::Good.of(format_args!("Erased{}", whose.unwrap_or_default())));
        let mut table = Table::new(["link", "requested", "deleted at belvo", "erased", "what"]);
        let show = |at: Option<Timestamp>| at.map(instant).unwrap_or_default();
        for link in &self.links {
            table.row([
                link.link.to_string(),
                show(link.requested_at),
                show(link.deleted_at),
                show(link.erased_at),
                link.erased.as_ref().map(counts).unwrap_or_default(),
            ]);
        }
        page.table(&table);
        page.title("What remains");
        let mut table = Table::new(["where", "what", "until"]);
        for one in &self.remains {
            let until = one.until.map(|at| since(at, self.at));
            let until = until.unwrap_or_else(|| "it stays".to_owned());
            table.row([one.place.to_owned(), one.what.to_owned(), until]);
        }
        page.table(&table);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_ends_so_many_days_after_the_last_erasure() {
        let erased = |at: &str| ErasedLink {
            link: LinkId::parse("16f68516-bcbc-4cf7-b815-c500d4204e28").unwrap(),
            requested_at: None,
            deleted_at: None,
            erased_at: Timestamp::parse(at),
            erased: None,
        };
        let links = [
            erased("2026-03-01T00:00:00Z"),
            erased("2026-03-02T00:00:00Z"),
        ];
        let remains = remains(
            &links,
            KeptDays {
                logs: 30,
                webhooks: 90,
                requests: 60,
            },
        );
        let until = |place: &str| {
            let one = remains.iter().find(|one| one.place == place).unwrap();
            one.until.map(|at| at.day().to_string())
        };
        assert_eq!(
            until("the functions' log groups").as_deref(),
            Some("2026-04-01")
        );
        assert_eq!(
            until("the archive of webhooks").as_deref(),
            Some("2026-05-31")
        );
        assert_eq!(until("requests").as_deref(), Some("2026-05-01"));
        assert_eq!(until("the link's record"), None);
    }
}
