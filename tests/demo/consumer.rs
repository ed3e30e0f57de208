//! A consumer that follows all links into `SQLite`, is killed while it reads, and is started again.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_harness::{Link, Stack, eventually};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::{compare::Comparison, report::grouped};

const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Prints the rows of a link, one a line. Python reads the copy because Python has written it:
/// `SQLite` for Rust would take most of the time in which the demo is compiled.
const READ: &str = "
import sqlite3, sys
database = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)
for (row,) in database.execute('SELECT row FROM rows WHERE link = ?', [sys.argv[2]]):
    print(row)
";
/// It is killed as soon as it has so many rows of the link.
const KILLED_AFTER_ROWS: usize = 300;
const DEADLINE: Duration = Duration::from_mins(1);

/// Lets the consumer of `examples` follow all links, kills it, changes rows of one, starts it
/// again, and compares its copy of that link with what the sandbox has in the end.
pub(crate) async fn follow(stack: &Stack, link: &Link<'_>) -> Comparison {
    let directory = TempDir::new().expect("a directory for the copy");
    let database = directory.path().join("copy.sqlite");

    kill_while_it_reads(start(stack, &database), &database, link).await;
    let rows = grouped(copy(&database, link).await.len());
    println!("Killed      the consumer, which had {rows} rows");

    change(link).await;
    let announced = json!({"webhook_code": "transactions_updated"});
    link.notify_and_collect(announced).await;
    let ended = timeout(DEADLINE, start(stack, &database).wait()).await;
    let ended = ended.unwrap_or_else(|_| panic!("the consumer did not end within {DEADLINE:?}"));
    assert!(
        ended.is_ok_and(|status| status.success()),
        "the consumer failed; its reason is above"
    );

    let copy = copy(&database, link).await;
    let rows = grouped(copy.len());
    println!("Followed    all links to their end: {rows} rows of this one");
    Comparison::of(&truth(stack, link).await, &copy)
}

async fn kill_while_it_reads(mut consumer: Child, database: &Path, link: &Link<'_>) {
    let enough = eventually("the consumer to read some rows", || async {
        let rows = read(database, link).await.ok()?;
        (rows.len() >= KILLED_AFTER_ROWS).then_some(())
    });
    tokio::select! {
        () = enough => {}
        _ = consumer.wait() => panic!("the consumer ended before it was killed"),
    }
    consumer.kill().await.expect("a process to kill");
}

/// Changes a row at the sandbox, deletes one, and adds three.
async fn change(link: &Link<'_>) {
    let rows = link.truth().await;
    let mut rows = rows.iter();
    let (Some((changed, row)), Some((deleted, _))) = (rows.next(), rows.next()) else {
        panic!("the link has fewer than two rows")
    };
    link.amend(changed, json!({"description": "amended"})).await;
    link.delete(deleted).await;
    let day = row["value_date"].as_str().expect("a day");
    link.add(3, day).await;
    println!("Changed     one row at Belvo, deleted one, and added three");
}

fn start(stack: &Stack, database: &Path) -> Child {
    let mut consumer = python();
    consumer
        .arg(format!("{CHECKOUT}/examples/consumer/consumer.py"))
        .arg(format!("--api={}", stack.api_url))
        .arg(format!("--database={}", database.display()));
    consumer
        .spawn()
        .expect("Python, which `make demo` installs")
}

/// The consumer's rows of a link.
async fn copy(database: &Path, link: &Link<'_>) -> Vec<Value> {
    let rows = read(database, link).await;
    rows.unwrap_or_else(|reason| panic!("the consumer's copy cannot be read: {reason}"))
}

/// The same, or why there are none: the consumer may not have made its tables yet.
async fn read(database: &Path, link: &Link<'_>) -> Result<Vec<Value>, String> {
    let mut python = python();
    let read = python.arg("-c").arg(READ).arg(database).arg(&link.id);
    let read = read.output().await.map_err(|error| error.to_string())?;
    if !read.status.success() {
        return Err(String::from_utf8_lossy(&read.stderr).into_owned());
    }
    let lines = String::from_utf8_lossy(&read.stdout);
    let rows = lines.lines().map(serde_json::from_str);
    rows.collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// The link's transactions at the sandbox, each with the id of its account.
async fn truth(stack: &Stack, link: &Link<'_>) -> Vec<Value> {
    let mut rows = stack.sandbox.rows(&link.id).await.expect("the sandbox");
    for row in &mut rows {
        row["account"] = row["account"]["id"].clone();
    }
    rows
}

fn python() -> Command {
    let mut python = Command::new(format!("{CHECKOUT}/.venv/local/bin/python"));
    python.kill_on_drop(true);
    python
}
