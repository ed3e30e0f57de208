//! What is in the dead-letter queue, and why; what is tried again, and what is not.

mod letter;
mod queue;

use clap::{Args, Subcommand};
use domain::Timestamp;
use serde::Serialize;
use serde_json::Value;

use self::{
    letter::{CauseCount, Filter, Letter, causes},
    queue::{DeadLetterQueue, Read, Taking},
};
use super::Context;
use crate::{
    CliError, Outcome,
    output::{Page, Report, Style, Table, confirm, counted, since},
};

/// Up to this many letters are listed one by one.
const LISTED: usize = 20;

/// List, show, redrive and drop dead letters
#[derive(Debug, Args)]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List them by cause
    #[command(after_help = "Examples:
  belvo-ingest dead-letters list
  belvo-ingest dead-letters list --reason 'HTTP 500'")]
    List(Filter),
    /// Show one whole
    #[command(after_help = "Examples:
  belvo-ingest dead-letters show 5f2e8f0c-7a55-4d0e-9a53-0c6f5d6f3c1a")]
    Show {
        /// Its id, as listed
        id: String,
    },
    /// Queue them again, to be tried from the beginning
    #[command(after_help = "Examples:
  belvo-ingest dead-letters redrive --reason 'HTTP 500' --dry-run
  belvo-ingest dead-letters redrive --link $LINK
  belvo-ingest dead-letters redrive --all

Repeat it after a crash: what was queued again already is not processed twice.")]
    Redrive(TakeArgs),
    /// Delete them
    #[command(after_help = "Examples:
  belvo-ingest dead-letters drop --reason 'unknown kind' --dry-run
  belvo-ingest dead-letters drop $ID --yes")]
    Drop(TakeArgs),
}

#[derive(Debug, Args)]
struct TakeArgs {
    #[command(flatten)]
    filter: Filter,
    /// All of them
    #[arg(long, conflicts_with_all = ["reason", "link", "ids"])]
    all: bool,
    /// Only say which ones
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Dead letters, and what became of them.
#[derive(Debug, Serialize)]
pub(crate) struct LettersReport {
    /// `listed`, `redriven` or `dropped`; with `--dry-run`, what would become of them.
    pub(crate) done: &'static str,
    pub(crate) dry_run: bool,
    pub(crate) count: usize,
    /// Those that were not meant.
    pub(crate) others: usize,
    /// About how many could not be seen, because ten of their link wait in front of them.
    pub(crate) unseen: u64,
    pub(crate) causes: Vec<CauseCount>,
    pub(crate) letters: Vec<Letter>,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

/// One dead letter whole.
#[derive(Debug, Serialize)]
pub(crate) struct LetterReport {
    #[serde(flatten)]
    pub(crate) letter: Letter,
    pub(crate) body: Value,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

pub(crate) async fn run(args: DeadLettersArgs, context: &Context) -> Result<Outcome, CliError> {
    match args.command {
        Command::List(filter) => list(&filter, context).await,
        Command::Show { id } => show(id, context).await,
        Command::Redrive(args) => take(args, Taking::Redrive, context).await,
        Command::Drop(args) => take(args, Taking::Drop, context).await,
    }
}

async fn list(filter: &Filter, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    let mut queue = DeadLetterQueue::of(&stack)?;
    let read = queue.read(filter, Taking::Nothing).await?;
    context
        .output
        .show(&LettersReport::of(read, "listed", false))
}

async fn show(id: String, context: &Context) -> Result<Outcome, CliError> {
    let stack = context.stack().await?;
    let filter = Filter {
        ids: vec![id],
        ..Filter::default()
    };
    let mut queue = DeadLetterQueue::of(&stack)?;
    let found = queue.read(&filter, Taking::Nothing).await?.taken.pop();
    let letter = found.ok_or_else(|| {
        let id = filter.ids.concat();
        CliError::Missing(format!("no dead letter that can be seen has the id {id}"))
    })?;
    context.output.show(&LetterReport {
        body: letter.shown_body(),
        letter,
        now: Timestamp::now(),
    })
}

async fn take(args: TakeArgs, taking: Taking, context: &Context) -> Result<Outcome, CliError> {
    if args.filter.is_all() && !args.all {
        return Err(CliError::usage(
            "it is not said which dead letters are meant",
            "Name them by --reason, --link or their ids, or say --all.",
        ));
    }
    let (verb, done) = match taking {
        Taking::Drop => ("Delete", "dropped"),
        _ => ("Redrive", "redriven"),
    };
    let stack = context.stack().await?;
    let mut queue = DeadLetterQueue::of(&stack)?;
    if args.dry_run || !args.yes {
        let read = queue.read(&args.filter, Taking::Nothing).await?;
        let count = read.taken.len();
        if args.dry_run || count == 0 {
            return context
                .output
                .show(&LettersReport::of(read, done, args.dry_run));
        }
        let all = counted(count + read.others, "dead letter");
        let question = format!("{verb} {count} of {all}?");
        confirm(&question, false)?;
    }
    let read = queue.read(&args.filter, taking).await?;
    context.output.show(&LettersReport::of(read, done, false))
}

impl LettersReport {
    fn of(read: Read, done: &'static str, dry_run: bool) -> Self {
        Self {
            done,
            dry_run,
            count: read.taken.len(),
            others: read.others,
            unseen: read.unseen,
            causes: causes(&read.taken),
            letters: read.taken,
            now: Timestamp::now(),
        }
    }

    fn title(&self) -> String {
        let count = counted(self.count, "dead letter");
        let others = counted(self.others, "other");
        match (self.done, self.dry_run) {
            ("listed", _) if self.others > 0 => format!("{count}, and {others}"),
            ("listed", _) => count,
            (done, true) => format!("To be {done}: {count}; to stay: {others}"),
            ("redriven", false) => format!("Redriven: {count}; stayed: {others}"),
            (_, false) => format!("Dropped: {count}; stayed: {others}"),
        }
    }
}

impl Report for LettersReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        page.title(self.title());
        if !self.causes.is_empty() {
            let mut table = Table::new(["count", "links", "oldest", "cause"]);
            for cause in &self.causes {
                let oldest = cause.oldest.map(|at| since(at, self.now));
                table.row([
                    cause.count.to_string(),
                    cause.links.to_string(),
                    oldest.unwrap_or_default(),
                    cause.cause.clone(),
                ]);
            }
            page.table(&table);
        }
        if self.done == "listed" && (1..=LISTED).contains(&self.count) {
            page.blank();
            page.table(&each(&self.letters, self.now));
        }
        if self.unseen > 0 {
            page.line(Style::Attention.of(format_args!(
                "About {} more cannot be seen: of a link, SQS shows only the first ten.",
                self.unseen
            )));
        }
        self.advise(&mut page);
        page
    }

    fn outcome(&self) -> Outcome {
        let left = if self.done == "listed" { self.count } else { 0 };
        Outcome::attention_if(left > 0 || self.unseen > 0)
    }
}

impl LettersReport {
    fn advise(&self, page: &mut Page) {
        let Some(first) = self.letters.first() else {
            return;
        };
        match (self.done, self.dry_run) {
            ("listed", _) => {
                page.next(format_args!("belvo-ingest dead-letters show {}", first.id));
                page.next(
                    "once the cause is gone: belvo-ingest dead-letters redrive --reason TEXT",
                );
            }
            ("redriven", false) => page.next(format_args!("belvo-ingest tail {}", first.link)),
            _ => {}
        }
    }
}

fn each(letters: &[Letter], now: Timestamp) -> Table {
    let mut table = Table::new(["id", "link", "kind", "tried", "dead since"]);
    for letter in letters {
        let tried = letter.receives.map(|receives| receives.to_string());
        let dead_since = letter.dead_since.map(|at| since(at, now));
        table.row([
            letter.id.clone(),
            letter.link.clone(),
            letter.kind.clone(),
            tried.unwrap_or_default(),
            dead_since.unwrap_or_default(),
        ]);
    }
    table
}

impl Report for LetterReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let letter = &self.letter;
        page.title(format_args!("Dead letter {}", letter.id));
        page.field("Link", &letter.link);
        page.field("Kind", &letter.kind);
        page.field("Cause", &letter.cause);
        if let Some(receives) = letter.receives {
            page.field("Tried", format_args!("{receives} times"));
        }
        if let Some(at) = letter.dead_since {
            page.field("Dead since", since(at, self.now));
        }
        page.blank();
        page.line(serde_json::to_string_pretty(&self.body).unwrap_or_default());
        page.blank();
        page.next(format_args!(
            "belvo-ingest dead-letters redrive {}",
            letter.id
        ));
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use letter::tests::letter;

    fn read(taken: usize, others: usize) -> Read {
        let letters = (0..taken).map(|number| letter(&number.to_string(), "link", "HTTP 500"));
        Read {
            taken: letters.collect(),
            others,
            unseen: 0,
        }
    }

    #[test]
    fn what_is_listed_needs_attention_and_what_was_redriven_does_not() {
        let listed = LettersReport::of(read(2, 0), "listed", false);
        assert_eq!(listed.outcome(), Outcome::NeedsAttention);
        assert!(listed.page().to_string().contains("HTTP 500"));
        let redriven = LettersReport::of(read(2, 3), "redriven", false);
        assert_eq!(redriven.outcome(), Outcome::Fine);
        assert_eq!(
            redriven.title(),
            "Redriven: 2 dead letters; stayed: 3 others"
        );
        let would = LettersReport::of(read(2, 3), "dropped", true);
        assert_eq!(
            would.title(),
            "To be dropped: 2 dead letters; to stay: 3 others"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_said() {
        let mut read = read(0, 10);
        read.unseen = 4;
        let report = LettersReport::of(read, "redriven", false);
        assert!(
            report
                .page()
                .to_string()
                .contains("About 4 more cannot be seen")
        );
        assert_eq!(report.outcome(), Outcome::NeedsAttention);
    }
}
