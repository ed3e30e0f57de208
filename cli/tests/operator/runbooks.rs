//! The commands of the runbooks do something on a stack as it is.

use std::{collections::BTreeSet, path::Path};

use futures::future::join_all;
use test_harness::{Stack, days_ago};
use uuid::Uuid;

use crate::{
    command::{Ended, run},
    dead_letters::QUEUE,
};

#[tokio::test]
async fn every_command_of_a_runbook_runs() {
    let stack = Stack::of_this_run();
    let link = stack.recurrent_link(20).await;
    let request = link.collect().await["id"].as_str().unwrap().to_owned();
    let (day, message) = (days_ago(3), Uuid::new_v4().to_string());
    let filled_in = |command: &str| {
        [
            ("<link>", &link.id),
            ("<request>", &request),
            ("<day>", &day),
            ("<message>", &message),
            ("\"<part of the reason>\"", &message),
        ]
        .iter()
        .fold(command.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    };
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    let runs = commands.iter().map(async |command| {
        let _alone = if command.starts_with("dead-letters") {
            Some(QUEUE.lock().await)
        } else {
            None
        };
        let filled_in = filled_in(command);
        let ended = run(&filled_in.split_whitespace().collect::<Vec<_>>()).await;
        assert!(is_fine(command, &ended), "{filled_in}: {ended:?}");
    });
    join_all(runs).await;
}

/// Nobody agrees to what a backfill spends, and there is no such dead letter.
fn is_fine(command: &str, ended: &Ended) -> bool {
    match ended.code {
        0 | 3 => true,
        2 => command.starts_with("backfill ") && ended.stderr.contains("--yes"),
        4 => command.starts_with("dead-letters show "),
        _ => false,
    }
}

/// The commands in code of all pages, but for those that read all links of a stack: the tests of
/// docs/OPERATIONS.md and docs/INCIDENT.md run such ones, on stacks of their own.
fn commands() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
    let pages = std::fs::read_dir(folder).unwrap().flatten();
    let texts = pages.map(|page| std::fs::read_to_string(page.path()).unwrap());
    let texts: Vec<_> = texts.collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let of_lines = lines.filter_map(|line| line.strip_prefix("belvo-ingest "));
    let of_lines = of_lines.map(|command| command.split(" #").next().unwrap().trim());
    let within = texts
        .iter()
        .flat_map(|text| text.split("`belvo-ingest ").skip(1));
    let within = within.filter_map(|text| text.split('`').next());
    let of_some_links = of_lines.chain(within).filter(|command| {
        !command.starts_with("collect --all") && !command.starts_with("collect --stale")
    });
    of_some_links.map(str::to_owned).collect()
}
