//! What has changed lately, by link, as the functions logged it.

use std::collections::BTreeMap;

use clap::Args;
use domain::{LinkId, Timestamp};
use serde::Serialize;

use super::Context;
use crate::{
    CliError, Outcome,
    logs::{Line, Wanted, What},
    output::{Page, Report, Table, age, counted, since, spinner},
};

/// Show which links' rows have changed since yesterday, and how
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  belvo-ingest changes
  belvo-ingest changes $LINK --since 10080
  belvo-ingest changes --json | jq -r '.links[].link'

It reads the functions' log, so that it knows nothing older than LogRetentionDays. The rows
themselves: GET /links/{link}/changes.")]
pub(crate) struct ChangesArgs {
    /// Only this link
    #[arg(value_parser = LinkId::parse)]
    link: Option<LinkId>,
    /// How far to look back; a day by default
    #[arg(long, value_name = "MINUTES", default_value_t = 1_440)]
    since: u32,
}

/// The links whose rows have changed, the latest first.
#[derive(Debug, Serialize)]
pub(crate) struct ChangesReport {
    pub(crate) since: Timestamp,
    /// Collections, also those that changed nothing.
    pub(crate) collections: usize,
    pub(crate) links: Vec<LinkChanges>,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

/// How the rows of a link have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LinkChanges {
    pub(crate) link: String,
    /// Rows that are there and were not, for the first time or again.
    pub(crate) added: u64,
    pub(crate) modified: u64,
    pub(crate) removed: u64,
    pub(crate) last: Timestamp,
}

pub(crate) async fn run(args: ChangesArgs, context: &Context) -> Result<Outcome, CliError> {
    let progress = spinner("Reading the log of collect");
    let stack = context.stack().await?;
    let now = Timestamp::now();
    let start = now.plus_seconds(-60 * i64::from(args.since));
    let wanted = Wanted {
        functions: &["collect"],
        since: start,
        what: What::Events(&["rows_collected"]),
    };
    let mut lines = stack.logs().await?.lines(wanted).await?;
    progress.finish_and_clear();
    lines.retain(|line| {
        let link = args.link.as_ref().map(LinkId::as_str);
        link.is_none_or(|link| line.text("link.id") == Some(link))
    });
    context.output.show(&ChangesReport {
        since: start,
        collections: lines.len(),
        links: changes(&lines),
        now,
    })
}

/// The links whose rows have changed, the latest first.
fn changes(lines: &[Line]) -> Vec<LinkChanges> {
    let mut by_link: BTreeMap<&str, LinkChanges> = BTreeMap::new();
    for line in lines {
        let link = line.text("link.id").unwrap_or_default();
        let of_link = by_link.entry(link).or_insert_with(|| LinkChanges {
            link: link.to_owned(),
            added: 0,
            modified: 0,
            removed: 0,
            last: line.at,
        });
        of_link.add(line);
    }
    let mut changed: Vec<_> = by_link.into_values().filter(LinkChanges::is_any).collect();
    changed.sort_by_key(|link| std::cmp::Reverse(link.last));
    changed
}

impl LinkChanges {
    fn add(&mut self, line: &Line) {
        let added = line.number("new") + line.number("revived");
        let (modified, removed) = (line.number("changed"), line.number("deleted"));
        self.added += added;
        self.modified += modified;
        self.removed += removed;
        if added + modified + removed > 0 {
            self.last = line.at;
        }
    }

    fn is_any(&self) -> bool {
        self.added + self.modified + self.removed > 0
    }
}

impl Report for ChangesReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        page.title(format_args!(
            "In the last {}: {} with changes, after {}",
            age(self.now.seconds_since(self.since)),
            counted(self.links.len(), "link"),
            counted(self.collections, "collection"),
        ));
        if self.links.is_empty() {
            return page;
        }
        let mut table = Table::new(["link", "added", "modified", "removed", "last"]);
        for link in &self.links {
            table.row([
                link.link.clone(),
                link.added.to_string(),
                link.modified.to_string(),
                link.removed.to_string(),
                since(link.last, self.now),
            ]);
        }
        page.table(&table);
        page
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::logs::tests::line;

    #[test]
    fn changes_are_summed_by_link_and_the_latest_comes_first() {
        let collected = |second: u32, link: &str, new: u32, deleted: u32| {
            let fields = json!({"event": "rows_collected", "link.id": link, "new": new,
                "revived": 1, "changed": 0, "deleted": deleted});
            line(&format!("2026-03-01T00:00:0{second}Z"), "collect", &fields)
        };
        let nothing = json!({"event": "rows_collected", "link.id": "c", "unchanged": 9});
        let found = changes(&[
            collected(1, "b", 2, 0),
            collected(2, "a", 0, 1),
            collected(3, "b", 1, 1),
            line("2026-03-01T00:00:04Z", "collect", &nothing),
        ]);
        let links: Vec<_> = found.iter().map(|link| link.link.as_str()).collect();
        assert_eq!(links, ["b", "a"]);
        assert_eq!((found[0].added, found[0].removed), (5, 1));
    }
}
