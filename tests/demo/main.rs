//! Two links through the whole pipeline, and what is stored compared with what Belvo has; then a
//! consumer that follows them, is killed and goes on, and its copy compared in the same way.
//!
//! Runs against a stack of its own (`make demo`). It ends with 0 only if every transaction and
//! account is stored as Belvo has it, nothing else is, and the consumer ends with the same.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command for a terminal, on a harness that fails by panicking"
)]

mod compare;
mod consumer;
mod hops;
mod report;

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use futures::FutureExt;
use serde_json::{Value, json};
use test_harness::{Link, Stack, days_ago};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::{
    compare::Comparison,
    hops::Hops,
    report::{Outcome, grouped},
};

/// The access modes of the links, and how many transactions each has.
const LINKS: [(&str, usize); 2] = [("recurrent", 2_500), ("single", 180)];
/// How long the links' transactions reach back, counting the first and the last day.
const DAYS: u32 = 365;
/// A laptop takes seconds. A retrieval that has not ended by then is shown as it is.
const DEADLINE: Duration = Duration::from_mins(2);
const BETWEEN_SIGNS_OF_LIFE: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
const ENDED: [&str; 4] = ["collected", "short", "incomplete", "failed"];

/// What to do.
#[derive(Parser)]
struct Arguments {
    /// Let each page of the recurrent link lack N rows that the sandbox counts.
    #[arg(long, value_name = "N")]
    lose_rows: Option<u32>,
}

/// A retrieval that was asked for.
struct Retrieval<'a> {
    access_mode: &'static str,
    link: &'a Link<'a>,
    request_id: String,
    posted_at: OffsetDateTime,
    answered_at: OffsetDateTime,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What keeps the demo from running is one line.
    panic::set_hook(Box::new(|info| {
        let reason = info.payload_as_str().unwrap_or("it failed");
        eprintln!("error: {reason}");
    }));
    match AssertUnwindSafe(run(&arguments)).catch_unwind().await {
        Ok(true) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Whether all is equal in the end.
async fn run(arguments: &Arguments) -> bool {
    let stack = Stack::of_this_run();
    let mut links = Vec::new();
    for (access_mode, count) in LINKS {
        links.push((access_mode, connect(&stack, access_mode, count).await));
    }
    let (_, recurrent) = &links[0];
    if let Some(rows) = arguments.lose_rows {
        let rule = json!({"on": "get", "action": {"lose_rows": rows}});
        recurrent.misbehave(rule).await;
        println!(
            "{:12}the sandbox leaves {rows} rows out of each page of the recurrent link",
            ""
        );
    }
    let mut retrievals = Vec::new();
    for (access_mode, link) in &links {
        retrievals.push(ask(access_mode, link).await);
    }
    let records = wait(&stack, &retrievals).await;

    println!("Comparing   what is stored with what the sandbox has\n");
    let log = stack.sandbox.log().await.expect("the sandbox");
    let mut outcomes = Vec::new();
    for (retrieval, record) in retrievals.iter().zip(records) {
        outcomes.push(examine(&stack, &log, retrieval, record).await);
    }
    println!("{}", report::render(&outcomes));
    if !outcomes.iter().all(Outcome::is_good) {
        return false;
    }

    println!("\nFollowing   all links with examples/consumer, into SQLite");
    let copy = consumer::follow(&stack, recurrent).await;
    println!("{}", report::copy_verdict(&copy));
    copy.is_equal()
}

/// Connects a user at the sandbox.
async fn connect<'a>(stack: &'a Stack, access_mode: &str, count: usize) -> Link<'a> {
    let spec = json!({
        "access_mode": access_mode,
        "transactions": count,
        "today": days_ago(0),
        "days": DAYS,
    });
    let link = stack.link(spec).await;
    let accounts = stack.sandbox.accounts(&link.id).await;
    let accounts = accounts.expect("the sandbox").len();
    let (id, count) = (&link.id, grouped(count));
    println!("Connected   {access_mode} link {id}: {count} transactions, {accounts} accounts");
    link
}

/// Asks for the link's last year.
async fn ask<'a>(access_mode: &'static str, link: &'a Link<'a>) -> Retrieval<'a> {
    let posted_at = OffsetDateTime::now_utc();
    let request_id = link.retrieve().await;
    let answered_at = OffsetDateTime::now_utc();
    let asked = link.last_year();
    let days = ["date_from", "date_to"].map(|name| asked[name].as_str().expect("a day"));
    println!(
        "Requested   {access_mode} {} to {}: request {request_id}",
        days[0], days[1]
    );
    Retrieval {
        access_mode,
        link,
        request_id,
        posted_at,
        answered_at,
    }
}

/// Waits until all retrievals have ended, and says what happens; returns their records, ended or
/// not.
async fn wait(stack: &Stack, retrievals: &[Retrieval<'_>]) -> Vec<Value> {
    let started = Instant::now();
    let mut known = vec!["issued".to_owned(); retrievals.len()];
    let mut next_sign = BETWEEN_SIGNS_OF_LIFE;
    loop {
        let records = records(stack, retrievals).await;
        let waited = started.elapsed();
        for ((retrieval, record), known) in retrievals.iter().zip(&records).zip(&mut known) {
            let status = record["status"].as_str().expect("a status");
            if status != known {
                status.clone_into(known);
                let (step, mode) = (capitalized(status), retrieval.access_mode);
                println!("{step:<12}{mode} after {:.1} s", waited.as_secs_f64());
            }
        }
        if waited > DEADLINE || known.iter().all(|status| ENDED.contains(&status.as_str())) {
            return records;
        }
        if waited > next_sign {
            next_sign += BETWEEN_SIGNS_OF_LIFE;
            let (waited, most) = (waited.as_secs(), DEADLINE.as_secs());
            let states = states(retrievals, &known);
            println!("Waiting     for {waited} of at most {most} s: {states}");
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

async fn records(stack: &Stack, retrievals: &[Retrieval<'_>]) -> Vec<Value> {
    let mut records = Vec::new();
    for Retrieval { request_id, .. } in retrievals {
        records.push(stack.read(&format!("/requests/{request_id}")).await);
    }
    records
}

fn states(retrievals: &[Retrieval<'_>], known: &[String]) -> String {
    let states = retrievals.iter().zip(known);
    let states = states.map(|(retrieval, status)| format!("{} is {status}", retrieval.access_mode));
    states.collect::<Vec<_>>().join(", ")
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Reads back what is stored of a link, and compares it with what the sandbox has.
async fn examine(stack: &Stack, log: &Value, retrieval: &Retrieval<'_>, record: Value) -> Outcome {
    let Retrieval { link, .. } = retrieval;
    let attempts = hops::attempts(log, &retrieval.request_id);
    let hops = Hops::of(
        retrieval.posted_at,
        retrieval.answered_at,
        &record,
        &attempts,
    );
    let sandbox = &stack.sandbox;
    let rows = sandbox.rows(&link.id).await.expect("the sandbox");
    let stored = stored(stack, link).await;
    let accounts = sandbox.accounts(&link.id).await.expect("the sandbox");
    let answer = stack.read(&format!("/links/{}/accounts", link.id)).await;
    let stored_accounts = answer["accounts"].as_array();
    Outcome {
        access_mode: retrieval.access_mode,
        link: link.id.clone(),
        record,
        retrievals: report::count(&log["retrievals"][&link.id]).unwrap_or_default(),
        hops,
        transactions: Comparison::of(&rows, &stored),
        accounts: Comparison::of(&accounts, stored_accounts.expect("accounts")),
    }
}

/// Every stored transaction of a link, page after page.
async fn stored(stack: &Stack, link: &Link<'_>) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/links/{}/transactions?limit=500{cursor}", link.id);
        let mut page = stack.read(&path).await;
        rows.append(page["transactions"].as_array_mut().expect("rows"));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}
